"""JSON Lines: blocks of lines to frames of texts, bad records apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import polars as pl
from msgspec import UNSET, UnsetType

from batch.reading.block import ROW, Block, Sizes, Tally, invalid
from batch.reading.digits import Digits
from batch.reading.lines import Lines, lines
from batch.reading.mended import REPORT
from batch.reading.quick import MOST_CELLS, Columns, Quick
from batch.reading.strict import MESSAGES, LineError, parse

_PLAIN = {str, int, Digits}


def blocks(pieces: Iterable[bytes], clear: str, sizes: Sizes, tally: Tally) -> Iterator[Block]:
    """Yield the blocks of a JSONL file; `clear` is the text that stands for a JSON null."""
    quick = Quick()
    for part in lines(pieces, sizes, tally):
        columns = quick.columns(part.texts)
        if columns is None:
            yield from _strict(part, clear, tally)
        else:
            rows = range(part.first_row, part.first_row + len(part.texts))
            yield Block(part.first_row, len(rows), _frame(rows, columns, clear), ())


def _strict(part: Lines, clear: str, tally: Tally) -> Iterator[Block]:
    """Read line by line; the block ends early when its records have so many keys that its frame would be huge."""
    last = part.first_row + len(part.texts) - 1
    found: dict[int, dict[str, Any]] = {}
    bad: defaultdict[str, list[int]] = defaultdict(list)
    keys: dict[str, None] = {}
    first = part.first_row
    for row, line in enumerate(part.texts, first):
        try:
            found[row] = parse(line)
            keys.update(dict.fromkeys(found[row]))
        except LineError as error:
            bad[error.code].append(row)
            tally.incomplete |= part.cut and row == last and error.code == "row.json"
        if row == last or len(keys) * len(found) > MOST_CELLS:
            columns = {key: [record.get(key, UNSET) for record in found.values()] for key in keys}
            findings = tuple(invalid(code, MESSAGES[code], rows) for code, rows in bad.items())
            yield Block(first, row - first + 1, _frame(found, columns, clear), findings)
            first, found, keys = row + 1, {}, {}
            bad.clear()


def _frame(rows: Iterable[int], columns: Columns, clear: str) -> pl.DataFrame:
    texts = {key: _series(key, values, clear) for key, values in columns.items() if key not in REPORT}
    present = {key: series for key, series in texts.items() if series is not None}
    return pl.DataFrame({ROW: np.fromiter(rows, dtype=np.int64)} | present)


def _series(name: str, values: list[Any], clear: str) -> pl.Series | None:
    """Return a column's values as texts, or as lists of texts when one of them is a list; None for no value."""
    kinds = set(map(type, values))
    words = {None: clear, True: "true", False: "false", UNSET: None}

    def text(value: Any) -> str | None:
        return str(value) if type(value) in _PLAIN else words[value]

    if kinds == {UnsetType}:
        return None
    if list in kinds:
        split = [_joined(value, text) for value in values]
        return pl.Series(name, split, pl.String).str.split("\0").list.slice(1)
    if kinds == {str}:
        return pl.Series(name, values, pl.String)
    convert = str if kinds <= _PLAIN else text if kinds & _PLAIN else words.__getitem__
    return pl.Series(name, list(map(convert, values)), pl.String)


def _joined(value: Any, text: Callable[[Any], str | None]) -> str | None:
    """Return a list as one text with NUL before each item, since no value holds one: lists are dear to build."""
    if value is UNSET:
        return None
    items = value if type(value) is list else [value]
    try:
        return "\0" + "\0".join(items) if items else ""
    except TypeError:
        return "".join(f"\0{text(item)}" for item in items)
