"""The layout of a drop zone: which names are drops, which are the program's own, and which are strays.

A key is the path from the drop zone's root, `<group_key>/[any/folders/]NAME.csv`; its first segment is the group.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from batch.batch import Drop

_ENDING = re.compile(r"[^/]\.(csv|tsv|jsonl|ndjson)(\.(gz|zst|bz2))?\Z", re.IGNORECASE)
_RECORDS = "_records/"


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies under a group: its drops by age and key, and the keys of files that are not drops."""

    drops: tuple[Drop, ...]
    strays: tuple[str, ...]


def is_group(name: str) -> bool:
    """Tell whether a first segment can be a group's key."""
    return name != "" and not name.startswith(("_", "."))


def is_reserved(key: str) -> bool:
    """Tell whether the key's name directly under its group is kept for the program and for temporary files."""
    return key.partition("/")[2].startswith(("_", "."))


def is_drop(key: str) -> bool:
    """Tell whether the key is that of a drop; endings count in any case, as Windows writes `.CSV`."""
    return not is_reserved(key) and _ENDING.search(key) is not None


def sort_out(found: Iterable[Drop], odd: Iterable[str] = ()) -> Listing:
    """Sort what was found under a group into drops and strays.

    Args:
        found: Every file under the group.
        odd: Keys of what is there and cannot be a drop whatever its name, like a symbolic link.
    """
    drops: list[Drop] = []
    strays = [key for key in odd if not is_reserved(key)]
    for drop in found:
        if is_drop(drop.key):
            drops.append(drop)
        elif not is_reserved(drop.key):
            strays.append(drop.key)
    return Listing(tuple(sorted(drops, key=lambda drop: (drop.modified, drop.key))), tuple(sorted(strays)))


def records_key(group_key: str, packet_id: str, taken_at: datetime) -> str:
    """Return the key of a small drop of records that the API took; no listing takes it for a customer's drop."""
    return f"{group_key}/{_RECORDS}{taken_at:%Y-%m-%d}/{packet_id}.jsonl"


def is_records(key: str) -> bool:
    """Tell whether the key is that of records that the API took."""
    return key.partition("/")[2].startswith(_RECORDS)
