"""Merging: several records of one person become one, as if they had been sent one after the other."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import polars as pl

from mappers.mapping import Mapped

_PERSON = "\x00person"
_ASKED = "\x00asked\x00"


def merge(mapped: Mapped, identities: pl.Series, adds: Collection[str]) -> tuple[Mapped, npt.NDArray[np.int64]]:
    """Return one record for each identity, and for each record that there was the number of the one it went into.

    In the order of the rows, what a later record sends or clears stands, and what it leaves out is as an earlier one
    has it; the items of fields that add up (`adds`) all stay. The merged record has the row number of its last one.

    Args:
        mapped: the fields of each record, at least one.
        identities: what tells records apart, in the same order.
        adds: the fields, lists, whose items come on top of each other.
    """
    frame = mapped.values.with_columns(
        identities.alias(_PERSON), *(where.alias(_ASKED + name) for name, where in mapped.cleared.items())
    )
    row, *names = mapped.values.columns
    added = {name for name in adds if name in names and name not in mapped.cleared}
    said = [_last(name, cleared=name in mapped.cleared, adds=name in added) for name in names]
    asked = [_cleared(name) for name in mapped.cleared]
    merged = frame.group_by(_PERSON, maintain_order=True).agg(pl.col(row).last(), *said, *asked).sort(row)
    merged = merged.with_columns(pl.when(pl.col(name).list.len() > 0).then(name).alias(name) for name in added)
    place = pl.DataFrame({_PERSON: merged[_PERSON], "place": np.arange(merged.height)})
    places = frame.select(_PERSON).join(place, on=_PERSON, how="left", maintain_order="left")["place"]
    cleared = {name: merged[_ASKED + name].alias(name) for name in mapped.cleared}
    return replace(mapped, values=merged.select(row, *names), cleared=cleared), places.to_numpy().astype(np.int64)


def _last(name: str, *, cleared: bool, adds: bool) -> pl.Expr:
    column = pl.col(name)
    if cleared:
        return column.filter(_spoken(name)).last()
    return column.drop_nulls().explode().unique(maintain_order=True) if adds else column.drop_nulls().last()


def _cleared(name: str) -> pl.Expr:
    return pl.col(_ASKED + name).filter(_spoken(name)).last().fill_null(value=False)


def _spoken(name: str) -> pl.Expr:
    return pl.col(name).is_not_null() | pl.col(_ASKED + name)
