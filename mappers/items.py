"""From mapped fields to one JSON object a record, over whole columns.

A field that is not sent is absent from the object, not null. Members stand in the mapping's order whatever the other
records of the frame hold, so that equal records give equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

import polars as pl

from mappers.mapping import Mapped, as_text


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things stand in an item; see `integrations.integration.Item`, which states it for a destination."""

    under: str = ""
    also: Mapping[str, str] = field(default_factory=dict)
    always: Mapping[str, str | int | bool] = field(default_factory=dict)
    text_only: bool = False
    list_separator: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Leaf:
    """A member of an object: its key, the column of its values, and how it is emptied in which rows."""

    key: str
    column: str
    clear: pl.Expr | None


_Tree = dict[str, "_Tree | _Leaf | str"]


def encode(mapped: Mapped, clears: Mapping[str, str | None], layout: Layout) -> pl.Series:
    """Return the JSON text of each record of `mapped`; `clears` has the JSON text that empties a field."""
    values = _as_text(mapped.values, layout.list_separator) if layout.text_only else mapped.values
    tree: _Tree = {}
    for place, column in layout.also.items():
        _grow(tree, place, _Leaf(_last(place), column, None))
    for place, constant in layout.always.items():
        _grow(tree, place, json.dumps(constant, ensure_ascii=False))
    for column in values.columns[1:]:
        place = f"{layout.under}.{column}" if layout.under else column
        clear = _clear(_last(place), mapped.cleared.get(column), clears.get(column))
        _grow(tree, place, _Leaf(_last(place), column, clear))
    nullable = {name for name in values.columns if values[name].null_count()}
    content = pl.concat_str(list(_members(tree, nullable)), separator=",", ignore_nulls=True)
    return values.select(pl.concat_str(pl.lit("{"), content, pl.lit("}")).alias("item")).to_series()


def _last(place: str) -> str:
    return place.rpartition(".")[2]


def _grow(tree: _Tree, place: str, what: _Leaf | str) -> None:
    *way, key = place.split(".")
    for step in way:
        below = tree.setdefault(step, {})
        if not isinstance(below, dict):
            raise TypeError(f"{place}: {step} is a field of its own and cannot hold fields")
        tree = below
    tree[key] = what


def _clear(key: str, where: pl.Series | None, text: str | None) -> pl.Expr | None:
    if where is None or text is None:
        return None
    return pl.when(pl.lit(where)).then(pl.lit(f"{json.dumps(key, ensure_ascii=False)}:{text}"))


def _members(tree: _Tree, nullable: set[str]) -> Iterator[pl.Expr]:
    """Yield the text of an object's members in order, null where a member is absent.

    Neighbours that no record lacks are encoded together, which is what makes it fast.
    """
    for always, group in groupby(tree.items(), key=lambda member: _is_always(member[1], nullable)):
        if always:
            yield _encoded([leaf for _, leaf in group if isinstance(leaf, _Leaf)])
            continue
        for key, what in group:
            name = json.dumps(key, ensure_ascii=False)
            if isinstance(what, str):
                yield pl.lit(f"{name}:{what}")
            elif isinstance(what, _Leaf):
                present = pl.when(pl.col(what.column).is_not_null()).then(_encoded([what]))
                yield present if what.clear is None else pl.coalesce(present, what.clear)
            else:
                content = pl.concat_str(list(_members(what, nullable)), separator=",", ignore_nulls=True)
                whole = pl.concat_str(pl.lit(f"{name}:{{"), content, pl.lit("}"))
                yield pl.when(content.str.len_bytes() > 0).then(whole)


def _is_always(what: _Tree | _Leaf | str, nullable: set[str]) -> bool:
    return isinstance(what, _Leaf) and what.column not in nullable


def _encoded(leaves: list[_Leaf]) -> pl.Expr:
    together = pl.struct(pl.col(leaf.column).alias(leaf.key) for leaf in leaves)
    return together.struct.json_encode().str.strip_prefix("{").str.strip_suffix("}")


def _as_text(values: pl.DataFrame, separator: str | None) -> pl.DataFrame:
    return values.select(
        values.columns[0],
        *(_scalar_text(name, values.schema[name], separator) for name in values.columns[1:]),
    )


def _scalar_text(name: str, dtype: pl.DataType, separator: str | None) -> pl.Expr:
    column = pl.col(name)
    if isinstance(dtype, pl.List):
        return column.cast(pl.List(pl.String)).list.join(separator or ",")
    return column if dtype == pl.String else as_text(column, dtype).alias(name)
