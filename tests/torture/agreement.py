"""Whether reading and the oracle agree on a file: in whole, cut into small blocks, and in what is handed back."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from support import rfc4180, rfc8259
from support.oracle import ENGINES, REPORT, Manner, Verdict, items, restored, verdict
from support.rfc8259 import Value

from batch import undelivered
from batch.errors import BatchError
from batch.outcome import Finding
from batch.reading import ROW, Block, Reader, Sizes
from config.files import FileFormat
from torture.trial import End

SLOW = 10.0
WHOLE = 8 << 20


def agreed(home: Path, data: bytes, manner: Manner, blocks: Iterable[int] = (), pieces: Iterable[int] = ()) -> End:
    """Read a file whole, in blocks of these sizes, and in pieces of these; and hold each reading against the oracle."""
    home.mkdir(parents=True, exist_ok=True)
    end, wanted = End(), verdict(data, manner)
    pieces = () if data.startswith(tuple(ENGINES)) else pieces  # it is packed already
    ways = [*((in_pieces(data, size), 1 << 9) for size in pieces), *((data, block) for block in [*blocks, WHOLE])]
    for drop, block in ways:
        (home / "drop").write_bytes(drop)
        began = time.monotonic()
        try:
            read = _Read(home / "drop", manner, block)
            end.wrong += _differences(wanted, read)
            if block == WHOLE and not wanted.refused:
                end.wrong += _misreported(wanted, read, home / "undelivered")
        except BatchError as error:
            end.wrong += error.code not in wanted.refused
        end.stuck += time.monotonic() - began > SLOW
    return end


def in_pieces(data: bytes, size: int) -> bytes:
    """Return a file that is read in pieces of `size` bytes wherever they end: each member of a gzip file is one."""
    starts = range(0, max(len(data), 1), size)
    return b"".join(gzip.compress(data[start : start + size], 1) for start in starts)


class _Read:
    """A file as the program reads it."""

    def __init__(self, drop: Path, manner: Manner, block: int) -> None:
        self.drop, self.manner = drop, manner
        self.files = FileFormat(encoding=manner.encoding, delimiter=manner.delimiter, clear=manner.clear)
        self.sizes = Sizes(block, record=manner.record, value=manner.value, attributes=manner.attributes)
        self.reader = Reader(drop, manner.name, self.files, self.sizes)
        self.blocks = list(self.reader)

    @property
    def findings(self) -> list[Finding]:
        return [finding for block in self.blocks for finding in block.findings]

    @property
    def codes(self) -> dict[int, str]:
        return {row: finding.code for finding in self.findings for row in finding.rows.tolist()}

    def records(self) -> Iterator[tuple[int, dict[str, list[str]]]]:
        """Yield each good record's values, as lists."""
        for block in self.blocks:
            for record in block.frame.iter_rows(named=True):
                row = record.pop(ROW)
                yield row, {name: items(value) for name, value in record.items() if value is not None}


def _differences(wanted: Verdict, read: _Read) -> int:
    if wanted.refused:
        return 1
    got = dict(read.records())
    want = {row: {name: items(value) for name, value in record.items()} for row, record in wanted.good.items()}
    codes = read.codes
    return (
        sum(got.get(row) != want.get(row) for row in got.keys() | want.keys())
        + sum(codes.get(row, "") not in wanted.bad.get(row, ()) for row in codes.keys() | wanted.bad.keys())
        + _miscounted(wanted, read)
    )


def _miscounted(wanted: Verdict, read: _Read) -> int:
    """Count what is wrong in the account of a file: its numbers, its header, and that each row has one end."""
    rows = [number for block in read.blocks for number in _rows(block)]
    return sum((
        read.reader.records != len(wanted.own),
        read.reader.blank_lines != wanted.blank_lines,
        read.reader.incomplete != wanted.incomplete,
        read.reader.header != wanted.header,
        rows != list(range(1, len(wanted.own) + 1)),
        [block.count for block in read.blocks] != [len(_rows(block)) for block in read.blocks],
    ))  # fmt: skip


def _rows(block: Block) -> list[int]:
    bad = {row for finding in block.findings for row in finding.rows.tolist()}
    return sorted([*block.frame[ROW].to_list(), *bad])


def _misreported(wanted: Verdict, read: _Read, to: Path) -> int:
    """Count the bad rows that the undelivered file does not hold as they stood in the drop."""
    findings = [(None, finding) for finding in read.findings]
    undelivered.write(to, read.drop, read.manner.name, read.files, findings)
    said, codes = told(to.read_bytes().decode("utf-8-sig"), read.manner, wanted), read.codes
    return sum(said.get(row) != codes.get(row) for row in said.keys() | codes.keys())


def told(text: str, manner: Manner, wanted: Verdict) -> Mapping[int, str]:
    """Return the codes of the rows that stand in an undelivered file just as they stood in the drop."""
    return _told_lines(text, wanted) if manner.is_json else _told_table(text, manner, wanted)


def _told_table(text: str, manner: Manner, wanted: Verdict) -> Mapping[int, str]:
    header, *records = rfc4180.table(text, manner.cut).records
    if [restored(cell.text) for cell in header.cells] != [*REPORT, *(wanted.header or ())]:
        return {}
    lines = ([cell.text for cell in record.cells] for record in records)
    kept = ((int(row), code, own) for row, _, _, code, _, _, *own in lines)
    return {row: code for row, code, own in kept if list(map(restored, own)) == wanted.own.get(row)}


def _told_lines(text: str, wanted: Verdict) -> Mapping[int, str]:
    codes: dict[int, str] = {}
    for line in text.split("\n")[:-1]:
        head, _, rest = line.partition('"_message": ')
        said = json.loads(head + '"_message": ""}')
        if _holds(line, rest, wanted.own.get(said["_row"], [""])[0]):
            codes[said["_row"]] = said["_code"]
    return codes


def _holds(line: str, rest: str, own: str) -> bool:
    """Say whether a line ends with a record's own text; of one with keys of a report, the other members count."""
    found = rfc8259.line(own)
    if found.whole and not found.members.keys().isdisjoint(REPORT):
        return _members(line) == _members(own)
    return rest.endswith((own.strip(" \t").removeprefix("{").lstrip(" \t"), json.dumps(own, ensure_ascii=False) + "}"))


def _members(text: str) -> dict[str, Value]:
    return {name: value for name, value in rfc8259.line(text).members.items() if name not in REPORT}
