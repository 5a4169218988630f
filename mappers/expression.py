"""A SQL expression over a record's attributes, compiled once and run over whole columns.

The dialect is polars' (https://docs.pola.rs/api/python/stable/reference/sql/): it can touch nothing but the record's
columns, since sub-queries and file functions are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import polars as pl

from mappers import normalise
from mappers.arithmetic import INNER, exact
from mappers.attribute import Attribute
from mappers.nearest import nearest

FUNCTIONS = (
    "abs array_contains array_get array_length array_reverse array_to_string array_unique ceil coalesce concat "
    "concat_ws current_date date_part extract floor greatest if ifnull initcap least left length lower ltrim mod "
    "normalize nullif octet_length pow regexp_like regexp_replace replace reverse right round rpad rtrim sign "
    "split_part starts_with ends_with strftime string_to_array strpos substr substring trim try_cast upper"
).split()
"""Functions that the docs name and that near-miss hints are chosen from; polars knows more."""

ROW = "_row"
"""The column that carries a record's row number through every frame."""

_KINDS: dict[type[pl.DataType], str] = {
    pl.String: "text",
    pl.Boolean: "boolean",
    pl.Date: "date",
    pl.Datetime: "datetime",
    pl.List: "list",
    pl.Null: "nothing",
}

_ROW_WISE: dict[str, tuple[str | int, ...]] = {"Column": (), "Literal": (), **INNER}
"""Nodes of polars' expression tree that keep to their row, and where each holds the expressions that it is made of."""

_BEYOND_THE_ROW = frozenset(
    "Range Shift Rank Correlation Quantile Any All Unique UniqueCounts ValueCounts Random Diff CumCount CumSum CumProd "
    "CumMin CumMax Interpolate FillNullWithStrategy Reverse Drop DropNulls DropNans TopK Mode ArgUnique Hist RLE "
    "Extend Repeat Reshape Gather Sort PctChange ForwardFill BackwardFill".split()
)
_OF_LETTERS = {"StringExpr": "Reverse"}  # turns a text around, and not the column


class MappingError(ValueError):
    """An expression that cannot be used: `reason` says why, `hint` names what was probably meant."""

    def __init__(self, reason: str, hint: str | None = None) -> None:
        super().__init__(f"{reason} ({hint})" if hint else reason)
        self.reason = reason
        self.hint = hint


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """A compiled SQL expression: its text, the attributes that it names, and the type that it gives.

    `kind` is text, integer, number, boolean, date, datetime, list, or nothing (always null).
    """

    sql: str
    expr: pl.Expr
    names: tuple[str, ...]
    kind: str


def compile_expression(sql: str, attributes: Mapping[str, Attribute], *, closed: bool) -> Expression:
    """Compile a SQL expression over the given attributes; `closed` allows no others (those would be text).

    Raises:
        MappingError: when it is not one expression, names what is not there, does not fit the attributes' types, or
            looks beyond its own row (an aggregate or a window).
    """
    return _compiled(sql, tuple(attributes.items()), closed=closed)


@lru_cache(maxsize=1024)  # small batches of a group may follow each other within a second, each compiled for anew
def _compiled(sql: str, declared: tuple[tuple[str, Attribute], ...], *, closed: bool) -> Expression:
    attributes = dict(declared)
    expr = _parse(sql)
    if expr.meta.has_multiple_outputs():
        raise MappingError("it stands for several columns, and a field takes one value")
    tree = json.loads(expr.meta.serialize(format="json"))
    _expect_one_value(sql, tree)
    names = tuple(dict.fromkeys(expr.meta.root_names()))
    _expect_known(names, attributes, closed=closed)
    kind = _kind(expr, names, attributes)
    if not _row_by_row(tree):
        raise MappingError("it looks beyond its own row (an aggregate or a window), and a record is mapped by itself")
    return Expression(sql, exact(expr, _dtypes(names, attributes)), names, kind)


def _parse(sql: str) -> pl.Expr:
    try:
        return pl.sql_expr(sql)
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
    except pl.exceptions.PanicException:
        reason = "it cannot be read as a SQL expression"
    if unknown := re.search(r"unsupported function '([^']*)'", reason):
        raise MappingError(f"there is no function `{unknown[1]}`", nearest(unknown[1].lower(), FUNCTIONS))
    raise MappingError(f"not a SQL expression: {reason}")


def _expect_one_value(sql: str, tree: Any) -> None:
    """Refuse `first_name last_name`: to SQL it is one value and a name for it, and the second would never be sent."""
    name = tree["Alias"][1] if "Alias" in tree else ""
    if name and not re.search(rf'\bAS\s+"?{re.escape(name)}"?\s*$', sql, re.IGNORECASE):
        raise MappingError(f"`{name}` stands there without an operator like || before it")


def _expect_known(names: tuple[str, ...], attributes: Mapping[str, Attribute], *, closed: bool) -> None:
    for name in names:
        if name in attributes:
            continue
        if name.startswith(("_", "\0")):
            raise MappingError(f"`{name}`: names that begin with _ are not attributes")
        if closed:
            raise MappingError(f"there is no attribute `{name}`", nearest(name, attributes))
        if twin := next((known for known in attributes if _one_slip_apart(name, known)), None):
            raise MappingError(
                f"`{name}` is not listed under attributes and looks like `{twin}`",
                f"did you mean {twin}? If it is an attribute of its own, list it: `{name}: {{}}`",
            )


def _kind(expr: pl.Expr, names: tuple[str, ...], attributes: Mapping[str, Attribute]) -> str:
    try:
        dtype = pl.DataFrame(schema=_dtypes(names, attributes)).select(expr.alias("value")).schema["value"]
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        # no record is involved here, so the text can hold none of its values
        raise MappingError(f"it does not fit the attributes' types: {str(error).splitlines()[0]}") from None
    if isinstance(dtype, pl.List) and not isinstance(dtype.inner, pl.String | pl.Null):
        return _kind_of_items(dtype)
    if dtype.is_integer():
        return "integer"
    if dtype.is_float() or dtype.is_decimal():
        return "number"
    kind = _KINDS.get(type(dtype))
    if kind is None:
        raise MappingError(f"it gives a value of type {dtype}, which JSON has no word for")
    return kind


def _dtypes(names: tuple[str, ...], attributes: Mapping[str, Attribute]) -> dict[str, pl.DataType]:
    types = {name: attributes[name].type if name in attributes else "string" for name in names}
    return {ROW: pl.Int64(), **{name: normalise.DTYPES[one] for name, one in types.items()}}


def _kind_of_items(dtype: pl.List) -> str:
    if dtype.inner.is_nested():
        raise MappingError("it gives a list of lists, and fields take flat lists")
    return "list"


def _row_by_row(node: Any) -> bool:
    """Say whether a serialised expression gives each row its value from that row alone.

    polars' own `meta.is_row_separable` takes `a - MAX(a)` for separable (2.1.0), so the tree is walked here.
    """
    if isinstance(node, list):
        return all(_row_by_row(one) for one in node)
    if not isinstance(node, dict):
        return False  # "Len", which is COUNT(*)
    (name, inside), *others = node.items()
    if others or name not in _ROW_WISE:
        return False
    if name == "Function" and inside["function"] != _OF_LETTERS and set(_words(inside["function"])) & _BEYOND_THE_ROW:
        return False
    return all(_row_by_row(inside[part]) for part in _ROW_WISE[name])


def _words(function: Any) -> list[str]:
    """Return a serialised function's family and name: "Rank", {"Boolean": "Any"}, {"StringExpr": {"Split": …}}."""
    if isinstance(function, dict):
        return [word for family, rest in function.items() for word in (family, *_words(rest))]
    return [function] if isinstance(function, str) else []


def _one_slip_apart(one: str, other: str) -> bool:
    """Say whether two names differ by one typing slip: a letter more, less, other, or two letters swapped.

    A digit more or other is not a slip: address1 and address2 are two attributes.
    """
    if one == other or min(len(one), len(other)) < 4 or re.sub(r"\d", "", one) == re.sub(r"\d", "", other):
        return False
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    a, b = one[start:], other[start:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[1::-1] == b[:2] and a[2:] == b[2:])
