"""Chosen records of a file as they stood in it, for the undelivered file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from batch.outcome import Rows
from batch.reading.block import Sizes, Tally
from batch.reading.layout import BROKEN
from batch.reading.lines import lines
from batch.reading.mended import REPORT
from batch.reading.source import Source, is_json_lines
from batch.reading.token import record, value
from config.files import FileFormat

Verbatim = str | list[str]
"""A record of a JSONL file as its line, of a CSV or TSV file as its cells (one cell when its quotes are broken)."""

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """Some rows of a file, without the columns or keys that an earlier report has added."""

    source: Source
    rows: Rows

    @property
    def delimiter(self) -> str:
        """What stands between the cells of the file."""
        return self.source.delimiter

    @property
    def header(self) -> tuple[str, ...]:
        """The names of a delimited file's columns; none when it has no header that can be used.

        Raises:
            BatchError: when the file cannot be read that far.
        """
        tally = Tally()
        if not is_json_lines(self.source.name):
            next(self.source.table(tally).layouts(), None)
        return tally.header or ()

    def records(self) -> Iterator[tuple[int, Verbatim]]:
        """Yield the chosen records by their row numbers.

        Raises:
            BatchError: when the file as a whole cannot be used; the records before that place have been yielded.
        """
        return self._lines() if is_json_lines(self.source.name) else self._cells()

    def _cells(self) -> Iterator[tuple[int, list[str]]]:
        table = self.source.table(Tally())
        for first_row, layout in table.layouts():
            for row in self._within(first_row, len(layout)):
                text = layout.record(row - first_row)
                if layout.fields[row - first_row] == BROKEN:
                    yield row, [text.decode()]
                else:
                    yield row, table.own([value(cell) or "" for cell in record(text, 0, table.code).cells])

    def _lines(self) -> Iterator[tuple[int, str]]:
        for part in lines(self.source.text(), self.source.sizes, Tally()):
            for row in self._within(part.first_row, len(part.texts)):
                yield row, _own(part.texts[row - part.first_row]).decode()

    def _within(self, first_row: int, count: int) -> list[int]:
        begin, end = np.searchsorted(self.rows, (first_row, first_row + count))
        chosen: list[int] = self.rows[begin:end].tolist()
        return chosen


def verbatim(path: Path, name: str, files: FileFormat, rows: Rows, sizes: Sizes | None = None) -> Chosen:
    """Return the chosen rows of a file; see `Reader` for the arguments."""
    return Chosen(Source(path, name, files, sizes or Sizes()), rows)


def _own(line: bytes) -> bytes:
    if b'"_' not in line:
        return line
    try:
        found = _OBJECT.decode(line)
    except (msgspec.MsgspecError, RecursionError):
        return line
    own = {key: raw for key, raw in found.items() if key not in REPORT}
    return line if len(own) == len(found) else msgspec.json.encode(own)
