"""Results: the receipt and the undelivered file, put back beside the drop."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath
from typing import Any

from batch import erasing, undelivered
from batch.batch import Batch
from batch.dropzone import DropZone, DropZoneError
from batch.forgotten import Forgotten
from batch.reading import delimiter, is_json_lines
from batch.receipt import Books, compose
from batch.spool import Spool
from config.files import FileFormat

_ENDINGS = re.compile(r"\.(csv|tsv|jsonl|ndjson)(\.(gz|zst|bz2))?$", re.IGNORECASE)

_LONGEST = 255


def folder(group_key: str, file: str, batch_id: str) -> str:
    """Return the key under which a batch's results stand; a long name is cut, for a folder's may have 255 bytes."""
    name, room = _ENDINGS.sub("", PurePosixPath(file).name), _LONGEST - len(f".{batch_id}")
    return f"{group_key}/_results/{name.encode()[:room].decode(errors='ignore')}.{batch_id}"


def undelivered_name(file: str) -> str:
    """Return the name of the undelivered file, which has the drop's own format."""
    return "undelivered.jsonl" if is_json_lines(file) else "undelivered.csv"


def write(zone: DropZone, spool: Spool, books: Books, files: FileFormat, forgotten: Forgotten) -> dict[str, Any]:
    """Write the results of a batch, which repeat nothing of forgotten people, and return its receipt.

    The undelivered file goes first: who sees a receipt finds the file that it speaks of.
    """
    batch, receipt = books.batch, compose(books)
    place = folder(batch.group_key, batch.file, batch.id)
    if spool.drop.exists() and batch.rows_read is not None:
        name = undelivered_name(batch.file)
        undelivered.write(spool.file(name), spool.drop, batch.file, files, books.findings())
        if forgotten:
            whole = spool.file(name).rename(spool.file(f"whole-{name}"))
            erasing.without(whole, spool.file(name), delimiter(batch.file, files), forgotten)
        zone.write(f"{place}/{name}", spool.file(name))
    write_receipt(zone, spool, books)
    return receipt


def write_receipt(zone: DropZone, spool: Spool, books: Books) -> None:
    """Write the receipt of a batch alone."""
    batch = books.batch
    spool.file("receipt.json").write_text(json.dumps(compose(books), indent=2, ensure_ascii=False) + "\n", "utf-8")
    zone.write(f"{folder(batch.group_key, batch.file, batch.id)}/receipt.json", spool.file("receipt.json"))


def receipt_of(zone: DropZone, batch: Batch) -> dict[str, Any] | None:
    """Return the receipt of a batch as it stands in the drop zone, or None when there is none.

    Raises:
        DropZoneError: when it cannot be read.
    """
    name = f"{folder(batch.group_key, batch.file, batch.id)}/receipt.json"
    if zone.stat(name) is None:
        return None
    try:
        receipt: dict[str, Any] = json.loads(zone.read(name))
    except ValueError:
        raise DropZoneError(f"{name} is no receipt; somebody changed it, or it did not come whole.") from None
    return receipt
