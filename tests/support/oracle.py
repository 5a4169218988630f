"""What must become of a file by the documents alone: every record's values, or the codes that it may be refused for.

It shares no code with `batch.reading`. A file or record with several faults may be refused for any of them.
"""

from __future__ import annotations

import bz2
import codecs
import re
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import zstandard
from support import rfc4180, rfc8259
from support.rfc8259 import Value

REPORT = ("_row", "_integration", "_outcome", "_code", "_column", "_message")
MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
ENGINES: Mapping[bytes, Callable[[], Any]] = {
    b"\x1f\x8b": lambda: zlib.decompressobj(31),
    b"\x28\xb5\x2f\xfd": lambda: zstandard.ZstdDecompressor().decompressobj(),
    b"BZh": bz2.BZ2Decompressor,
}
"""What unpacks a file that begins so."""

DEEP = 1000  # beyond this, whether JSON text is whole cannot be told
_NEUTRALISED = re.compile(r"'+[=+\-@\t\r\n\x00]")


@dataclass(frozen=True)
class Manner:
    """How a file is to be read: its name, how the group writes files, and how large things may be."""

    name: str = "a.csv"
    encoding: str = "utf-8"
    delimiter: str | None = None
    clear: str = "#N/A"
    record: int = 16 << 20
    value: int = 1 << 20
    attributes: int = 2000

    @property
    def is_json(self) -> bool:
        """Whether the name is that of JSON lines."""
        return re.search(r"\.(jsonl|ndjson)(\.(gz|zst|bz2))?$", self.name.lower()) is not None

    @property
    def cut(self) -> str:
        """What stands between cells."""
        is_tabs = re.search(r"\.tsv(\.(gz|zst|bz2))?$", self.name.lower()) is not None
        return self.delimiter or ("\t" if is_tabs else ",")


@dataclass
class Verdict:
    """What must become of a file.

    `refused` are the codes of the file as a whole; the rest only counts when there is none. `good` has the values of
    good records that are there, `bad` the codes of the others, `own` what the undelivered file must hold of each.
    """

    refused: set[str] = field(default_factory=set)
    header: tuple[str, ...] | None = None
    good: dict[int, Mapping[str, Value]] = field(default_factory=dict)
    bad: dict[int, set[str]] = field(default_factory=dict)
    own: dict[int, list[str]] = field(default_factory=dict)
    blank_lines: int = 0
    incomplete: bool = False


def verdict(data: bytes, manner: Manner) -> Verdict:
    """Judge a file's bytes."""
    of = _of_lines if manner.is_json else _of_table
    try:
        return of(_decoded(_unpacked(data), manner.encoding), manner)
    except Refused as refused:
        return Verdict({refused.code} | of(refused.before, manner).refused - {"file.empty"})


class Refused(Exception):
    """The file cannot be read at all; what can be read of it, `before`, may have faults of its own."""

    def __init__(self, code: str, before: str = "") -> None:
        super().__init__(code)
        self.code, self.before = code, before


def _unpacked(data: bytes) -> bytes:
    """Undo the compression that the first bytes tell of; a file may hold several members, and nothing else."""
    make = next((engine for magic, engine in ENGINES.items() if data.startswith(magic)), None)
    if make is None:
        return data
    whole = b""
    while data:
        engine = make()
        try:
            whole += engine.decompress(data)
        except (zlib.error, OSError, zstandard.ZstdError):
            raise Refused("file.compression") from None
        if not engine.eof:
            raise Refused("file.compression")
        data = engine.unused_data
    return whole


def _decoded(data: bytes, declared: str) -> str:
    mark = next((mark for mark in MARKS if data.startswith(mark)), b"")
    encoding = MARKS[mark] if mark else declared
    is_utf8 = codecs.lookup(encoding).name in {"utf-8", "utf-8-sig"}
    if data.startswith(b"PK\x03\x04") or (is_utf8 and data[:4096].count(0) * 4 > len(data[:4096])):
        raise Refused("file.encoding")  # a workbook; UTF-16 without a mark
    try:
        text = data.removeprefix(mark).decode("utf-8" if is_utf8 else encoding)
        text.encode()
    except UnicodeDecodeError as error:
        raise Refused("file.encoding", bytes(error.object)[: error.start].decode(encoding)) from None
    except UnicodeError:
        raise Refused("file.encoding") from None
    return text


def _of_table(text: str, manner: Manner) -> Verdict:
    table = rfc4180.table(text, manner.cut)
    found = Verdict(blank_lines=table.blank_lines)
    if table.open is not None:
        found.refused.add("file.quote")
        if len(table.open.encode()) > manner.record:
            found.refused.add("file.record.size")
    for record in table.records:
        found.refused |= _too_large(record, manner)
    if not table.records:
        found.refused |= set() if found.refused else {"file.empty"}
        return found
    header, *records = table.records
    if not header.sound:
        found.refused.add("file.quote")
    columns = tuple(cell.text for cell in header.cells)
    mended = columns[: len(REPORT)] == REPORT
    names = tuple(map(restored, columns[len(REPORT) :])) if mended else columns
    found.refused |= _faults_of(names, manner)
    found.header = names
    for row, record in enumerate(records, start=1):
        cells = [cell.value for cell in record.cells]
        own = [None if cell is None else restored(cell) for cell in cells[len(REPORT) :]] if mended else cells
        found.own[row] = [cell or "" for cell in own] if record.sound else [record.raw]
        if faults := _faults(record, own, len(columns), manner):
            found.bad[row] = faults
        else:
            found.good[row] = {name: cell for name, cell in zip(names, own, strict=True) if cell is not None}
    return found


def restored(cell: str) -> str:
    """Undo what the undelivered file does to a text that a spreadsheet would run."""
    return cell[1:] if _NEUTRALISED.match(cell) else cell


def _too_large(record: rfc4180.Record, manner: Manner) -> set[str]:
    """Say whether a record and its line end are larger than may be; where it has a quote, that may be why."""
    if len(record.whole.encode()) <= manner.record:
        return set()
    return {"file.record.size", *(["file.quote"] if rfc4180.QUOTE in record.raw else [])}


def _faults_of(names: tuple[str, ...], manner: Manner) -> set[str]:
    faults = set()
    if len(names) > manner.attributes:
        faults.add("file.columns")
    if any(not name or name == "_row" or re.search(r"[\x00-\x1f\x7f]", name) for name in names):
        faults.add("file.header.name")
    if max(Counter(names).values(), default=1) > 1:
        faults.add("file.header.duplicate")
    return faults


def _faults(record: rfc4180.Record, own: list[str | None], width: int, manner: Manner) -> set[str]:
    if not record.sound:
        return {"row.quote"}
    if len(record.cells) != width:
        return {"row.fields"}
    if "\0" in record.raw:
        return {"row.nul"}
    return {"row.value.size"} if any(len((cell or "").encode()) > manner.value for cell in own) else set()


def _of_lines(text: str, manner: Manner) -> Verdict:
    lines = re.split("\r\n|\r|\n", text)
    cut = lines[-1] != ""
    lines = lines if cut else lines[:-1]
    found = Verdict()
    if any(len(line.encode()) > manner.record for line in lines):
        found.refused.add("file.record.size")
    row = 0
    for line in lines:
        if not line.strip(" \t\v\f"):
            found.blank_lines += 1
            continue
        row += 1
        found.own[row] = [line]
        _judge(found, row, said := rfc8259.line(line), manner)
        found.incomplete = cut and line is lines[-1] and (not said.whole or said.depth > DEEP)
    if not row:
        found.refused |= found.refused or {"file.empty"}
    return found


def _judge(found: Verdict, row: int, line: rfc8259.Line, manner: Manner) -> None:
    faults = set(line.faults)
    if len(line.members) > manner.attributes:
        faults.add("row.attributes")
    own = {name: manner.clear if value is None else value for name, value in line.members.items() if name not in REPORT}
    if not faults and any(len(item.encode()) > manner.value for value in own.values() for item in items(value)):
        faults.add("row.value.size")
    if faults:
        found.bad[row] = faults
    else:
        found.good[row] = own


def items(value: Value) -> list[str]:
    """Return a value as a list: one text and a list of that text alone mean the same."""
    return value if isinstance(value, list) else [] if value is None else [value]
