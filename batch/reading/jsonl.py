"""JSON Lines: blocks of lines to frames of texts, bad records apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from msgspec import UNSET, UnsetType

from batch.reading.block import ROW, Block, Sizes, Tally, invalid
from batch.reading.digits import Digits
from batch.reading.lines import lines
from batch.reading.mended import REPORT
from batch.reading.quick import MOST_CELLS, Columns, Quick
from batch.reading.strict import MESSAGES, LineError, is_json, parse

_PLAIN = {str, int, Digits}
_FEW = 64  # lines that are read one by one when one of them may be bad


def blocks(pieces: Iterable[bytes], clear: str, sizes: Sizes, tally: Tally) -> Iterator[Block]:
    """Yield the blocks of a JSONL file; `clear` is the text that stands for a JSON null."""
    quick = Quick(sizes.attributes)
    for part in lines(pieces, sizes, tally):
        held = _Held(part.first_row)
        for segment in _segments(quick, part.first_row, part.texts, sizes.attributes):
            if held.too_wide_with(segment):
                yield held.block(clear)
                held = _Held(held.end)
            held.add(segment)
        tally.incomplete = part.cut and held.end - 1 in held.bad and not is_json(part.texts[-1])
        yield held.block(clear)


class _Segment(NamedTuple):
    """The records of some lines: their rows, their values by key, and the codes of rows that are none."""

    end: int
    rows: Sequence[int]
    columns: Columns
    bad: dict[int, str]


def _segments(quick: Quick, first_row: int, texts: list[bytes], most: int) -> Iterator[_Segment]:
    """Parse the lines together; where something is wrong, in ever smaller parts, and at last one by one."""
    end = first_row + len(texts)
    columns = quick.columns(texts)
    if columns is not None:
        yield _Segment(end, range(first_row, end), columns, {})
    elif len(texts) <= _FEW:
        yield _one_by_one(first_row, texts, most)
    else:
        step = -(-len(texts) // 8)
        for start in range(0, len(texts), step):
            yield from _segments(quick, first_row + start, texts[start : start + step], most)


def _one_by_one(first_row: int, texts: list[bytes], most: int) -> _Segment:
    found: dict[int, dict[str, Any]] = {}
    bad: dict[int, str] = {}
    for row, line in enumerate(texts, first_row):
        try:
            found[row] = parse(line, most)
        except LineError as error:
            bad[row] = error.code
    keys = dict.fromkeys(chain.from_iterable(found.values()))
    columns = {key: [record.get(key, UNSET) for record in found.values()] for key in keys}
    return _Segment(first_row + len(texts), list(found), columns, bad)


class _Held:
    """Segments put together until they make a block."""

    def __init__(self, first_row: int) -> None:
        self.first_row = self.end = first_row
        self.rows: list[int] = []
        self.columns: Columns = {}
        self.bad: dict[int, str] = {}

    def too_wide_with(self, segment: _Segment) -> bool:
        """Return whether the two together have so many keys that their frame would be huge."""
        keys = len(self.columns.keys() | segment.columns.keys())
        return bool(self.rows) and keys * (len(self.rows) + len(segment.rows)) > MOST_CELLS

    def add(self, segment: _Segment) -> None:
        """Take the next segment in; a record has `UNSET` where another has a value."""
        if not self.rows:
            self.columns = segment.columns
        else:
            for key in self.columns.keys() - segment.columns.keys():
                self.columns[key] += [UNSET] * len(segment.rows)
            for key, values in segment.columns.items():
                self.columns.setdefault(key, [UNSET] * len(self.rows)).extend(values)
        self.rows += segment.rows
        self.bad |= segment.bad
        self.end = segment.end

    def block(self, clear: str) -> Block:
        """Return what was taken in as a block."""
        by_code: defaultdict[str, list[int]] = defaultdict(list)
        for row, code in self.bad.items():
            by_code[code].append(row)
        findings = tuple(invalid(code, MESSAGES[code], rows) for code, rows in by_code.items())
        return Block(self.first_row, self.end - self.first_row, _frame(self.rows, self.columns, clear), findings)


def _frame(rows: list[int], columns: Columns, clear: str) -> pl.DataFrame:
    texts = {key: _series(key, values, clear) for key, values in columns.items() if key not in REPORT}
    present = {key: series for key, series in texts.items() if series is not None}
    return pl.DataFrame({ROW: np.array(rows, dtype=np.int64)} | present)


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
