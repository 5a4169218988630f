"""A sheet: lines of delimited text that a spreadsheet can open without running any cell of it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable

import polars as pl

_FORMULA = r"'*[=+\-@\t\r\n\x00]"
_NUMBER = r"[+-]?[0-9]+([.,][0-9]+)?"
_formula, _number = re.compile(_FORMULA), re.compile(_NUMBER)


def neutral(cell: str) -> str:
    """Return a cell that no spreadsheet runs as a formula (OWASP, CSV injection); plain numbers stay as they are."""
    return f"'{cell}" if _formula.match(cell) and not _number.fullmatch(cell) else cell


def neutrals(cells: pl.Series) -> pl.Series:
    """Return what `neutral` makes of each cell."""
    formulas = cells.str.contains(f"^{_FORMULA}")
    if formulas.any():
        formulas &= ~cells.str.contains(f"^{_NUMBER}$")
    return cells.zip_with(~formulas, "'" + cells) if formulas.any() else cells


class Sheet:
    """How the lines of a sheet are written: cells stand in quotes where they must."""

    def __init__(self, delimiter: str) -> None:
        self._delimiter = delimiter
        self._special = f'[{pl.escape_regex(delimiter)}"\n]'

    def line(self, cells: Iterable[str]) -> str:
        """Return one line without its end."""
        cells = list(cells)
        text = io.StringIO()
        writer = csv.writer(text, delimiter=self._delimiter, lineterminator="\n")
        careful = csv.writer(text, delimiter=self._delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
        # Python before 3.13 leaves a lone carriage return without quotes, which is a line end to readers
        (careful if "\r" in "".join(cells) else writer).writerow(cells)
        return text.getvalue()[:-1]

    def lines(self, table: pl.DataFrame) -> pl.Series:
        """Return what `line` makes of each row of a table of texts."""
        quoted = pl.DataFrame([self._quoted(cells) for cells in table])
        lines = quoted.select(pl.concat_str(pl.all(), separator=self._delimiter).alias("line")).to_series()
        careful = lines.str.contains("\r", literal=True).arg_true()
        return lines.scatter(careful, map(self.line, table[careful].iter_rows())) if len(careful) else lines

    def _quoted(self, cells: pl.Series) -> pl.Series:
        special = cells.str.contains(self._special)
        if not special.any():
            return cells
        return cells.zip_with(~special, '"' + cells.str.replace_all('"', '""', literal=True) + '"')
