"""Erasing: an undelivered file, or a small drop of records, without the rows of forgotten people."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from batch.forgotten import Forgotten
from batch.reading import REPORT, is_json_lines
from batch.reading.mended import restore

_UNTOUCHED = "surrogateescape"  # whatever bytes somebody has put there stay


def without(file: Path, to: Path, delimiter: str, forgotten: Forgotten) -> list[int]:
    """Write an undelivered file again without the rows of forgotten people, and return these rows' numbers.

    Args:
        file: the file; its name tells the format.
        to: where to write.
        delimiter: what stands between the cells of a CSV file.
        forgotten: whose rows are left out.
    """
    gone: list[int] = []
    with (
        file.open(encoding="utf-8", errors=_UNTOUCHED, newline="") as lines,
        to.open("w", encoding="utf-8", errors=_UNTOUCHED, newline="") as kept,
    ):
        entries = _json_entries(lines, forgotten) if is_json_lines(file.name) else _entries(lines, delimiter, forgotten)
        for text, row in entries:
            if row is None:
                kept.write(text)
            else:
                gone.append(row)
    return gone


def blanked(content: bytes, forgotten: Forgotten) -> tuple[bytes, list[int]]:
    """Return a small drop with the records of forgotten people blanked out, and their numbers in it, from 1.

    Each becomes an empty record of the same length: the others keep their places.
    """
    lines = content.splitlines(keepends=True)
    gone = [number for number, line in enumerate(lines, 1) if _is_of(_record(line), line, forgotten)]
    for number in gone:
        lines[number - 1] = b"{}".ljust(len(lines[number - 1]) - 1) + b"\n"
    return b"".join(lines), gone


def _json_entries(lines: Iterable[str], forgotten: Forgotten) -> Iterator[tuple[str, int | None]]:
    for line in lines:
        record = _record(line)
        yield line, _number(str(record.get(REPORT[0]))) if _is_of(record, line, forgotten) else None


def _is_of(record: dict[str, Any], line: str | bytes, forgotten: Forgotten) -> bool:
    if not record or "_text" in record:  # it is no record, and still may name somebody
        return forgotten.named_in(str(record.get("_text", line)))
    values = ((name, record[name]) for name in forgotten.digests if name in record)
    each = ((name, item) for name, value in values for item in (value if isinstance(value, list) else [value]))
    return any(forgotten.known(name, str(item)) for name, item in each)


def _record(line: str | bytes) -> dict[str, Any]:
    try:
        found = json.loads(line, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _entries(file: TextIO, delimiter: str, forgotten: Forgotten) -> Iterator[tuple[str, int | None]]:
    records = _records(file, delimiter)
    head, header = next(records, ("", []))
    yield head, None
    for text, cells in records:
        own = [restore(cell) for cell in cells[len(REPORT) :]]
        names = header[len(REPORT) :]
        if len(own) == len(names):
            named = any(forgotten.known(name, cell) for name, cell in zip(names, own, strict=True))
        else:
            named = any(map(forgotten.named_in, own)) or any(
                forgotten.known(name, cell) for cell in own for name in forgotten.digests
            )
        yield text, _number(cells[0]) if named else None


def _number(text: str) -> int:
    """Return a row's number; somebody may have written over it."""
    return int(text) if text.isdecimal() else 0


def _records(file: TextIO, delimiter: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each record as it stands, and its cells."""
    csv.field_size_limit(sys.maxsize)
    held: list[str] = []

    def heard() -> Iterator[str]:
        for line in file:
            held.append(line)
            yield line

    for cells in csv.reader(heard(), delimiter=delimiter):
        yield "".join(held), cells
        held.clear()
