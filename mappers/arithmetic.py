"""Whole numbers that never wrap around: sums and products in 128 bits, then narrowed to 64 or refused.

polars keeps to the width of its operands: a month is 8 bits wide, so `date_part('month', d) * 100` came out as 76, and
a length has no sign, so `length(a) - 5` came out as 4294967295. A result beyond 64 bits fails on its row.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import polars as pl

_OPERATORS = {"Plus", "Minus", "Multiply"}
INNER: dict[str, tuple[str | int, ...]] = {
    "Alias": (0,),
    "Cast": ("expr",),
    "BinaryExpr": ("left", "right"),
    "Ternary": ("predicate", "truthy", "falsy"),
    "Function": ("input",),
    "Eval": ("expr",),
}
"""Nodes of polars' expression tree, and where each holds the expressions that it is made of."""


def exact(expr: pl.Expr, schema: dict[str, pl.DataType]) -> pl.Expr:
    """Return the expression with its integer arithmetic made exact; the one given where it has none."""
    before = json.loads(expr.meta.serialize(format="json"))
    frame = pl.DataFrame(schema=schema)

    def is_whole(node: Any) -> bool:
        return frame.select(_expr(node).alias("value")).schema["value"].is_integer()

    after = _narrow(*_rewritten(before, is_whole))
    return expr if after == before else _expr(after)


def _rewritten(node: Any, is_whole: Callable[[Any], bool]) -> tuple[Any, bool]:
    """Return a node with exact arithmetic in it, and whether its value is 128 bits wide now."""
    ((name, inside),) = node.items()
    parts = INNER.get(name, ())
    counts = _is_arithmetic(name, inside) and is_whole(node)
    changed: Any = list(inside) if isinstance(inside, list) else dict(inside) if parts else inside
    for part in parts:
        several = isinstance(inside[part], list)
        found = [_rewritten(one, is_whole) for one in (inside[part] if several else [inside[part]])]
        made = [(_widen if counts else _narrow)(one, wide) for one, wide in found]
        changed[part] = made if several else made[0]
    return {name: changed}, counts


def _is_arithmetic(name: str, inside: Any) -> bool:
    if name == "BinaryExpr":
        return inside["op"] in _OPERATORS
    function = inside["function"] if name == "Function" else None
    return isinstance(function, dict) and isinstance(function.get("Sql"), dict) and "Binary" in function["Sql"]


def _widen(node: Any, wide: bool) -> Any:
    return node if wide else _cast(node, "Int128")


def _narrow(node: Any, wide: bool) -> Any:
    return _cast(node, "Int64") if wide else node


def _cast(node: Any, dtype: str) -> Any:
    return {"Cast": {"expr": node, "dtype": {"Literal": dtype}, "options": "Strict"}}


def _expr(node: Any) -> pl.Expr:
    return pl.Expr.deserialize(StringIO(json.dumps(node)), format="json")
