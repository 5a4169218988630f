"""The steps of the check: from a block's text to typed values, as expressions over whole columns.

They are built once for a recipe and the shape of a block, since building them takes longer than running them over a
few records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from mappers import normalise, rules
from mappers.attribute import Attribute
from mappers.expression import ROW
from mappers.mapping import CLEARED


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the steps depend on; equal recipes share theirs.

    `others` are attributes that are wanted and not declared; `clear` is the clear token; `separator` stands between
    the items of a list that is written as one text.
    """

    declared: tuple[tuple[str, Attribute], ...]
    others: tuple[str, ...]
    clear: str
    separator: str

    @property
    def wanted(self) -> tuple[str, ...]:
        """The attributes that come out."""
        return (*(name for name, _ in self.declared), *self.others)


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Expressions for one step after the other.

    `asks` says for each column, the row number's first, whether the clear token stands in it anywhere; `cleared` is
    for an attribute where it does. `tidy` makes texts tidy, and `meant` adds the values that they mean; `keeps` says of
    each attribute that has rules where they are kept; `typed` are the values under the attributes' own names.
    """

    asks: list[pl.Expr]
    cleared: Mapping[str, list[pl.Expr]]
    tidy: list[pl.Expr]
    meant: list[pl.Expr]
    keeps: list[pl.Expr]
    typed: list[pl.Expr]


@lru_cache(maxsize=256)
def steps(recipe: Recipe, lists: frozenset[str]) -> Steps:
    """Return the steps for blocks in which the named columns are lists and the others text."""
    declared = dict(recipe.declared)
    valued = [(name, one) for name, one in recipe.declared if normalise.has_value(one)]
    ruled = [(name, one) for name, one in recipe.declared if rules.of(name, one)]
    asked = {name: _asked(name, recipe.clear, is_list=name in lists) for name in recipe.wanted}
    tidy = {name: _tidy(name, declared.get(name), recipe.separator, is_list=name in lists) for name in recipe.wanted}
    return Steps(
        asks=[pl.lit(value=False).alias(ROW), *(where.any().alias(name) for name, where in asked.items())],
        cleared={name: _cleared(name, where) for name, where in asked.items()},
        tidy=[text.alias(name) for name, text in tidy.items() if text is not None],
        meant=[normalise.value(name, one) for name, one in valued],
        keeps=[rules.kept(name, one).alias(name) for name, one in ruled],
        typed=[*(normalise.meant(name, one).alias(name) for name, one in recipe.declared), *map(pl.col, recipe.others)],
    )


def _asked(name: str, token: str, *, is_list: bool) -> pl.Expr:
    cell = pl.col(name)
    return (cell.list.len() == 1) & (cell.list.first() == token) if is_list else cell == token


def _cleared(name: str, asked: pl.Expr) -> list[pl.Expr]:
    asked = asked.fill_null(value=False)
    return [pl.when(~asked).then(pl.col(name)).alias(name), asked.alias(CLEARED + name)]


def _tidy(name: str, one: Attribute | None, separator: str, *, is_list: bool) -> pl.Expr | None:
    """Make a column a list where one is declared, and one tidy text everywhere else; None where it is that already.

    An attribute that is not declared is text, so a list in it becomes its items with the separator between.
    """
    cell = pl.col(name)
    if one is None:
        return cell.list.join(separator) if is_list else None
    if one.type == "list":
        return normalise.tidy_items(cell) if is_list else normalise.items(name, separator)
    if one.type == "string" and not is_list:
        return None
    return normalise.tidy(cell.list.first() if is_list else cell, one)
