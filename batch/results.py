"""Results: the receipt and the undelivered file, put back beside the drop."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath
from typing import Any

from batch import undelivered
from batch.batch import Batch
from batch.dropzone import DropZone
from batch.reading import is_json_lines
from batch.receipt import Books, compose
from batch.spool import Spool
from config.files import FileFormat

_ENDINGS = re.compile(r"\.(csv|tsv|jsonl|ndjson)(\.(gz|zst|bz2))?$", re.IGNORECASE)


def folder(group_key: str, file: str, batch_id: str) -> str:
    """Return the key under which a batch's results stand."""
    name = _ENDINGS.sub("", PurePosixPath(file).name)
    return f"{group_key}/_results/{name}.{batch_id}"


def undelivered_name(file: str) -> str:
    """Return the name of the undelivered file, which has the drop's own format."""
    return "undelivered.jsonl" if is_json_lines(file) else "undelivered.csv"


def write(zone: DropZone, spool: Spool, books: Books, files: FileFormat) -> dict[str, Any]:
    """Write the results of a batch and return its receipt.

    The undelivered file goes first: who sees a receipt finds the file that it speaks of.
    """
    batch, receipt = books.batch, compose(books)
    place = folder(batch.group_key, batch.file, batch.id)
    if spool.drop.exists() and batch.rows_read is not None:
        name = undelivered_name(batch.file)
        undelivered.write(spool.file(name), spool.drop, batch.file, files, books.findings())
        zone.write(f"{place}/{name}", spool.file(name))
    spool.file("receipt.json").write_text(json.dumps(receipt, indent=2, ensure_ascii=False) + "\n", "utf-8")
    zone.write(f"{place}/receipt.json", spool.file("receipt.json"))
    return receipt


def receipt_of(zone: DropZone, batch: Batch) -> dict[str, Any] | None:
    """Return the receipt of a batch as it stands in the drop zone, or None when there is none."""
    name = f"{folder(batch.group_key, batch.file, batch.id)}/receipt.json"
    if zone.stat(name) is None:
        return None
    receipt: dict[str, Any] = json.loads(zone.read(name))
    return receipt
