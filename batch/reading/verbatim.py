"""Chosen records of a file as they stood in it, for the undelivered file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from batch.outcome import Rows
from batch.reading.block import ROW, UNBOUNDED, Sizes, Tally
from batch.reading.delimited import Table, texts
from batch.reading.layout import BROKEN, Layout, Mask
from batch.reading.lines import lines
from batch.reading.mended import REPORT, restored
from batch.reading.source import Source, is_json_lines
from batch.reading.token import record, value
from config.files import FileFormat

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Some of the chosen records of a table.

    `even` are those that have as many cells as the table has columns, side by side: the row number, then texts.
    `odd` are the cells of all others, by row number (one cell when its quotes are broken).
    """

    rows: Rows
    even: pl.DataFrame
    odd: Mapping[int, list[str]]


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

    def lines(self) -> Iterator[Mapping[int, str]]:
        """Yield the chosen records of a JSONL file by their row numbers, some at a time, in order; see `tables`."""
        for part in lines(self.source.text(), self.source.sizes, Tally()):
            rows = self._within(part.first_row, len(part.texts)).tolist()
            if rows:
                yield {row: _own(part.texts[row - part.first_row]).decode() for row in rows}

    def tables(self) -> Iterator[Part]:
        """Yield the chosen records of a CSV or TSV file, some at a time, in order.

        Raises:
            BatchError: when the file as a whole cannot be used; the records before that place have been yielded.
        """
        table = self.source.table(Tally())
        for first_row, layout in table.layouts():
            rows = self._within(first_row, len(layout))
            if not len(rows):
                continue
            even = np.zeros(len(layout), dtype=np.bool_)
            if b"\0" not in layout.text:  # which no parser but our own is sure to keep
                even[rows - first_row] = layout.fields[rows - first_row] == len(table.columns)
            numbers = pl.Series(ROW, np.flatnonzero(even) + first_row, pl.Int64)
            odd = rows[~even[rows - first_row]].tolist()
            yield Part(
                rows,
                _even(table, layout, even).insert_column(0, numbers),
                {row: _odd(table, layout, row - first_row) for row in odd},
            )

    def _within(self, first_row: int, count: int) -> Rows:
        begin, end = np.searchsorted(self.rows, (first_row, first_row + count))
        return self.rows[begin:end]


def verbatim(path: Path, name: str, files: FileFormat, rows: Rows, sizes: Sizes = UNBOUNDED) -> Chosen:
    """Return the chosen rows of a file; see `Reader` for the arguments."""
    return Chosen(Source(path, name, files, sizes), rows)


def _even(table: Table, layout: Layout, even: Mask) -> pl.DataFrame:
    frame = texts(layout, even, list(map(str, range(len(table.columns)))), table.delimiter).fill_null("")
    return restored(frame[:, len(REPORT) :]) if table.mended else frame


def _odd(table: Table, layout: Layout, place: int) -> list[str]:
    text = layout.record(place)
    if layout.fields[place] == BROKEN:
        return [text.decode()]
    return table.own([value(cell) or "" for cell in record(text, 0, table.code).cells])


def _own(line: bytes) -> bytes:
    if b'"_' not in line:
        return line
    try:
        found = _OBJECT.decode(line)
    except (msgspec.MsgspecError, RecursionError):
        return line
    own = {key: raw for key, raw in found.items() if key not in REPORT}
    return line if len(own) == len(found) else msgspec.json.encode(own)
