"""CSV and TSV: the layout of a block to a frame of texts, bad records apart."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import polars as pl

from batch.errors import BatchError
from batch.outcome import Finding
from batch.reading.block import ROW, Block, Sizes, Tally, invalid
from batch.reading.layout import BROKEN, Layout, Mask, layouts
from batch.reading.mended import REPORT, restore, restored
from batch.reading.token import record, value

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Table:
    """A delimited file: its header once that was read, then the layout of each block of its records.

    A header that begins with the report columns is that of an undelivered file which somebody mended and dropped
    again: those columns are left out, and what was done to its texts for a spreadsheet's sake is undone.
    """

    def __init__(self, pieces: Iterable[bytes], delimiter: str, sizes: Sizes, tally: Tally) -> None:
        self.delimiter = delimiter
        self.code = ord(delimiter)
        self.columns: tuple[str, ...] = ()  # as they stand in the file
        self.named: tuple[str, ...] = ()  # the drop's own
        self.mended = False
        self._pieces = pieces
        self._sizes = sizes
        self._tally = tally

    def layouts(self) -> Iterator[tuple[int, Layout]]:
        """Yield each block's layout after its first row number; the header is left out.

        Raises:
            BatchError: when the file has no header, or one that cannot be used.
        """
        for layout in layouts(self._pieces, self.code, self._sizes):
            self._tally.blank_lines += layout.blank_lines
            if len(layout) and not self.columns:
                self._take_header(layout)
                layout = layout.without_first()  # noqa: PLW2901
            if len(layout):
                yield self._tally.records + 1, layout
                self._tally.records += len(layout)
        if not self.columns:
            raise BatchError("file.empty", "The file is empty: it has no header line.")

    def _take_header(self, layout: Layout) -> None:
        _check_count(int(layout.fields[0]) - len(REPORT), self._sizes)  # before millions of cells are cut out
        header = record(layout.record(0), 0, self.code)
        if layout.fields[0] == BROKEN:
            raise BatchError("file.quote", f"A quote is misplaced in the header, at line {layout.line_of(0)}.")
        columns = tuple(value(cell) or "" for cell in header.cells)
        self.mended = columns[: len(REPORT)] == REPORT
        self.named = tuple(map(restore, columns[len(REPORT) :])) if self.mended else columns
        _check_count(len(self.named), self._sizes)
        _check_names(self.named)
        self.columns, self._tally.header = columns, self.named

    def own(self, cells: list[str]) -> list[str]:
        """Return a record's own cells, as they stood before a report was put around them."""
        return [restore(cell) for cell in cells[len(REPORT) :]] if self.mended else cells


def _check_count(columns: int, sizes: Sizes) -> None:
    if columns > sizes.attributes:
        raise BatchError(
            "file.columns",
            f"The header has {columns:,} columns, and {sizes.attributes:,} are allowed. Is the delimiter right?",
        )


def _check_names(columns: tuple[str, ...]) -> None:
    for place, column in enumerate(columns, start=1):
        if not column or _CONTROL.search(column):
            raise BatchError(
                "file.header.name", f"Column {place} of the header has no name, or one with a control character in it."
            )
        if column == ROW:
            raise BatchError("file.header.name", f"A column is named {ROW}, which Flatdrop uses itself: rename it.")
    firsts: dict[str, int] = {}
    for place, column in enumerate(columns, start=1):
        if firsts.setdefault(column, place) != place:
            # without their name: where the header is missing it is what a record says
            raise BatchError("file.header.duplicate", f"Columns {firsts[column]} and {place} have the same name.")


def blocks(table: Table) -> Iterator[Block]:
    """Yield the blocks of a delimited file."""
    for first_row, layout in table.layouts():
        findings, good = _findings(layout, first_row, len(table.columns))
        frame = texts(layout, good, table.columns, table.delimiter)
        if table.mended:
            frame = restored(frame.drop(REPORT))
            frame.columns = list(table.named)
        rows = np.flatnonzero(good) + first_row
        frame.insert_column(0, pl.Series(ROW, rows, dtype=pl.Int64))
        yield Block(first_row, len(layout), frame, findings)


def _findings(layout: Layout, first_row: int, width: int) -> tuple[tuple[Finding, ...], Mask]:
    """Return what is wrong with which records, and which are good."""
    good = layout.fields == width
    findings: list[Finding] = []
    if not good.all():
        for count in np.unique(layout.fields[~good]).tolist():
            places = np.flatnonzero(layout.fields == count)
            if count == BROKEN:
                message = (
                    "A quote stands inside a value that is not in quotes, or text follows a closing quote "
                    f"(the first at line {layout.line_of(int(places[0]))})."
                )
                findings.append(invalid("row.quote", message, places + first_row))
            else:
                message = f"The header has {width} fields; this record has {count}."
                findings.append(invalid("row.fields", message, places + first_row))
    if b"\0" in layout.text:
        nul = np.zeros(len(layout), dtype=np.bool_)
        places = np.flatnonzero(np.frombuffer(layout.text, dtype=np.uint8) == 0)
        owners = np.searchsorted(layout.starts, places, side="right") - 1
        inside = (owners >= 0) & (places < layout.afters[owners])
        nul[owners[inside]] = True
        nul &= good
        if nul.any():
            findings.append(invalid("row.nul", "The record holds a NUL character.", np.flatnonzero(nul) + first_row))
            good &= ~nul
    return tuple(findings), good


def texts(layout: Layout, good: Mask, columns: Sequence[str], delimiter: str) -> pl.DataFrame:
    """Return the good records as texts: by polars, and where that does not agree with the layout, one by one."""
    schema = dict.fromkeys(columns, pl.String)
    text = layout.kept(good)
    if not text:
        return pl.DataFrame(schema=schema)
    if text.startswith(BOM_UTF8):  # here it belongs to a value, and polars leaves out the first
        text = BOM_UTF8 + text
    try:
        frame = pl.read_csv(
            text,
            has_header=False,
            schema=schema,
            separator=delimiter,
            quote_char='"' if b'"' in text else None,
        )
    except pl.exceptions.PolarsError:
        frame = pl.DataFrame(schema=schema)
    if frame.height == np.count_nonzero(good):
        return frame
    records = (record(layout.record(place), 0, ord(delimiter)) for place in np.flatnonzero(good).tolist())
    return pl.DataFrame([list(map(value, found.cells)) for found in records], schema=schema, orient="row")
