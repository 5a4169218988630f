"""From mapped fields to one JSON object a record, over whole columns.

A field that is not sent is absent from the object, not null. Members stand in the mapping's order whatever the other
records of the frame hold, so that equal records give equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
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
    list_ends: str = ""
    pairs: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    wrapped: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class _Leaf:
    """A member of an object: its key, the column of its values, and how it is emptied in which rows."""

    key: str
    column: str
    clear: pl.Expr | None


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """A list of objects, one for each member: its name under one key, and its value under another."""

    name: str
    value: str
    leaves: list[_Leaf] = field(default_factory=list)


_Tree = dict[str, "_Tree | _Leaf | _Pairs | str"]
_AS_THEY_ARE: Mapping[str, str | int] = {}


def encode(
    mapped: Mapped, clears: Mapping[str, str | None], layout: Layout, called: Mapping[str, str | int] = _AS_THEY_ARE
) -> pl.Series:
    """Return the JSON text of each record of `mapped`.

    Args:
        mapped: the fields of each record.
        clears: for each field the JSON text that empties it.
        layout: where things stand.
        called: the destination's own names, in place of the last part of a field's.
    """
    values = _written(mapped.values, layout)
    tree: _Tree = {}
    for place, column in layout.also.items():
        _grow(tree, place, _Leaf(_last(place), column, None))
    for place, constant in layout.always.items():
        _grow(tree, place, json.dumps(constant, ensure_ascii=False))
    for column in values.columns[1:]:
        where, clear = mapped.cleared.get(column), clears.get(column)
        if (pairs := _pairs(tree, column, layout)) is not None:
            own = called.get(column, column.partition(".")[2])
            pairs.leaves.append(_Leaf(json.dumps(own, ensure_ascii=False), column, _clear(pairs.value, where, clear)))
            continue
        place = f"{layout.under}.{column}" if layout.under else column
        if column in called:
            place = f"{place.rpartition('.')[0]}.{called[column]}"
        _grow(tree, place, _Leaf(_last(place), column, _clear(_last(place), where, clear)))
    nullable = {name for name in values.columns if values[name].null_count()}
    content = pl.concat_str(list(_members(tree, nullable)), separator=",", ignore_nulls=True)
    return values.select(pl.concat_str(pl.lit("{"), content, pl.lit("}")).alias("item")).to_series()


def _pairs(tree: _Tree, column: str, layout: Layout) -> _Pairs | None:
    """Return the list of pairs that a field belongs to, if it does to one."""
    place = column.partition(".")[0]
    if place not in layout.pairs:
        return None
    found = tree.setdefault(place, _Pairs(*layout.pairs[place]))
    return found if isinstance(found, _Pairs) else None


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
            elif isinstance(what, _Pairs):
                content = pl.concat_str([_pair(what, leaf) for leaf in what.leaves], separator=",", ignore_nulls=True)
                yield pl.when(content.str.len_bytes() > 0).then(
                    pl.concat_str(pl.lit(f"{name}:["), content, pl.lit("]"))
                )
            else:
                content = pl.concat_str(list(_members(what, nullable)), separator=",", ignore_nulls=True)
                whole = pl.concat_str(pl.lit(f"{name}:{{"), content, pl.lit("}"))
                yield pl.when(content.str.len_bytes() > 0).then(whole)


def _pair(pairs: _Pairs, leaf: _Leaf) -> pl.Expr:
    """Return the object of one member, null where it is absent."""
    present = pl.when(pl.col(leaf.column).is_not_null()).then(_encoded([replace(leaf, key=pairs.value)]))
    said = present if leaf.clear is None else pl.coalesce(present, leaf.clear)
    return pl.concat_str(pl.lit(f"{{{json.dumps(pairs.name)}:{leaf.key},"), said, pl.lit("}"))


def _is_always(what: _Tree | _Leaf | _Pairs | str, nullable: set[str]) -> bool:
    return isinstance(what, _Leaf) and what.column not in nullable


def _encoded(leaves: list[_Leaf]) -> pl.Expr:
    together = pl.struct(pl.col(leaf.column).alias(leaf.key) for leaf in leaves)
    return together.struct.json_encode().str.strip_prefix("{").str.strip_suffix("}")


def _written(values: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """Return values in the form in which they are sent."""
    row, *names = values.columns
    return values.select(row, *(_form(name, values.schema[name], layout) for name in names))


def _form(name: str, dtype: pl.DataType, layout: Layout) -> pl.Expr:
    if name in layout.wrapped:
        return pl.col(name).list.eval(pl.struct(pl.element().alias(layout.wrapped[name])))
    if layout.text_only or name.partition(".")[0] in layout.pairs:
        return _scalar_text(name, dtype, layout)
    return pl.col(name)


def _scalar_text(name: str, dtype: pl.DataType, layout: Layout) -> pl.Expr:
    column = pl.col(name)
    if not isinstance(dtype, pl.List):
        return column if dtype == pl.String else as_text(column, dtype).alias(name)
    items = column.cast(pl.List(pl.String))
    if layout.list_separator is None:
        return items
    ends = pl.lit(layout.list_ends)
    return pl.concat_str(ends, items.list.join(layout.list_separator), ends).alias(name)
