"""What reading yields: blocks of records, and an account of the file."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl

from batch.outcome import Finding, Outcome, Rows
from config.limits import USUAL, Limits

ROW = "_row"
"""The first column of every block's frame: the records' row numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some records of a file, in order.

    `count` is how many records stand in the block by a count that does not depend on the parser; it is the height
    of `frame` (the good records: `_row`, then text columns) plus the rows of `findings` (the bad ones).
    """

    first_row: int
    count: int
    frame: pl.DataFrame
    findings: tuple[Finding, ...]


@dataclass
class Tally:
    """The account of a file, whole once its last block was taken.

    `header` is None for JSONL. `incomplete` says that the last line was cut off in the middle of a record.
    """

    records: int = 0
    blank_lines: int = 0
    incomplete: bool = False
    header: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many bytes of text are read at a time, and how large things may be; see config.limits."""

    block: int = 8 << 20
    record: int = USUAL.record
    value: int = USUAL.value
    attributes: int = USUAL.attributes
    expanded: int = USUAL.expanded
    ratio: int = USUAL.ratio

    @classmethod
    def within(cls, limits: Limits) -> Self:
        """Return the sizes that an installation allows."""
        return cls(
            record=limits.record,
            value=limits.value,
            attributes=limits.attributes,
            expanded=limits.expanded,
            ratio=limits.ratio,
        )


UNBOUNDED = Sizes(
    record=sys.maxsize, value=sys.maxsize, attributes=sys.maxsize, expanded=sys.maxsize, ratio=sys.maxsize
)
"""For what was read within some limits before."""


def invalid(code: str, message: str, rows: list[int] | Rows) -> Finding:
    """Return the finding that these rows cannot be read."""
    return Finding(Outcome.INVALID, code, None, message, np.asarray(rows, dtype=np.int64))
