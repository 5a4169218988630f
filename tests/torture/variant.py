"""A file with a mistake in it."""

from __future__ import annotations

from dataclasses import dataclass

from support.oracle import Manner

CSV, JSONL = Manner("a.csv"), Manner("a.jsonl")


@dataclass(frozen=True)
class Variant:
    """A file with a mistake, and how it is to be read."""

    case: str
    data: bytes
    manner: Manner = CSV
