"""Values that are larger than one may be: their records are refused, and the others go on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import polars as pl

from batch.outcome import Finding, Outcome
from batch.reading.block import ROW, Block


def fitting(blocks: Iterable[Block], most: int) -> Iterator[Block]:
    """Yield the blocks without the records that hold a value of more than `most` bytes."""
    for block in blocks:
        large = {column.name: mask for column in block.frame[:, 1:] if (mask := _larger(column, most)) is not None}
        yield _without(block, large, most) if large else block


def _larger(column: pl.Series, most: int) -> pl.Series | None:
    """Return where a value, or an item of a list, is larger; None for nowhere."""
    items = column.explode() if column.dtype == pl.List else column
    if not (items.str.len_bytes() > most).any():
        return None
    if column.dtype == pl.List:
        column = column.list.eval(pl.element().str.len_bytes()).list.max()
    else:
        column = column.str.len_bytes()
    return (column > most).fill_null(value=False)


def _without(block: Block, large: dict[str, pl.Series], most: int) -> Block:
    rows = block.frame[ROW]
    findings = (
        Finding(
            Outcome.INVALID,
            "row.value.size",
            name,
            f"The value has more than {most:,} bytes.",
            rows.filter(mask).to_numpy(),
        )
        for name, mask in large.items()
    )
    bad = pl.select(pl.any_horizontal(*large.values())).to_series()
    return Block(block.first_row, block.count, block.frame.filter(~bad), (*block.findings, *findings))
