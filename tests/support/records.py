"""Groups, records and mappings made for tests of what happens between reading and sending."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from batch.checking import Checked, Checker
from config.group import Group
from mappers.attribute import Attribute
from mappers.expression import ROW, compile_expression
from mappers.mapping import Mapped, RowMapping, Target, apply
from mappers.normalise import DTYPES

ATTRIBUTES = {
    "email": Attribute(type="email"),
    "name": Attribute(),
    "born": Attribute(type="date"),
    "seen": Attribute(type="datetime"),
    "count": Attribute(type="integer"),
    "sum": Attribute(type="number"),
    "yes": Attribute(type="boolean"),
    "tags": Attribute(type="list"),
}
"""An attribute of most types."""


def a_group(
    attributes: Mapping[str, Any] | None = None, mapping: Mapping[str, str] | None = None, **more: Any
) -> Group:
    webhook = {
        "type": "webhook",
        "credentials": {"secret": "env:SECRET"},
        "settings": {"url": "http://127.0.0.1:9/", **more.pop("settings", {})},
        "mapping": mapping or {"name": "name"},
    }
    where = {"where": more.pop("where")} if "where" in more else {}
    integrations = more.pop("integrations", {"webhook": {**webhook, **where}})
    return Group.model_validate(
        {"group_key": "abc", "attributes": attributes or {}, "integrations": integrations, **more}
    )


def block(first: int = 1, **columns: Sequence[Any]) -> pl.DataFrame:
    """Return a block as reading gives it: row numbers, then text columns, or lists where a list stands in one."""
    height = len(next(iter(columns.values()), ()))
    kinds = {name: _dtype(values) for name, values in columns.items()}
    rows = list(range(first, first + height))
    return pl.DataFrame({ROW: rows, **columns}, schema={ROW: pl.Int64, **kinds})


def _dtype(values: Sequence[Any]) -> Any:
    return pl.List(pl.String) if any(isinstance(value, list) for value in values) else pl.String


def checked(group: Group, *values: Any, column: str = "a") -> Checked:
    return Checker(group).check(block(**{column: values}))


def said(findings: Sequence[Any]) -> dict[tuple[str, str | None], list[int]]:
    """Return the rows of findings by code and column; every row list is ascending and without doubles."""
    found = {(finding.code, finding.column): finding.rows.tolist() for finding in findings}
    assert len(found) == len(findings)
    assert all(rows == sorted(set(rows)) for rows in found.values())
    return found


def typed(*records: Mapping[str, Any], attributes: Mapping[str, Attribute] = ATTRIBUTES) -> pl.DataFrame:
    """Return checked records, with whatever other columns they have as text or as booleans."""
    known = {name: DTYPES[one.type] for name, one in attributes.items()}
    others = {name: type(value) for record in records for name, value in record.items() if name not in known}
    schema = {
        ROW: pl.Int64(),
        **known,
        **{name: pl.Boolean() if of is bool else pl.String() for name, of in others.items()},
    }
    columns: dict[str, list[Any]] = {name: [record.get(name) for record in records] for name in schema if name != ROW}
    return pl.DataFrame({ROW: list(range(1, len(records) + 1)), **columns}, schema=schema)


def mapping(
    fields: Mapping[str, str], where: str | None = None, attributes: Mapping[str, Attribute] = ATTRIBUTES, **more: Any
) -> RowMapping:
    """Return a compiled mapping; `more` are those of a Target, the same for all."""

    def compiled(sql: str) -> Any:
        return compile_expression(sql, attributes, closed=False)

    targets = tuple(Target(name, compiled(sql), **more) for name, sql in fields.items())
    return RowMapping(targets, compiled(where) if where else None)


def mapped(fields: Mapping[str, str], *records: Mapping[str, Any], where: str | None = None, **more: Any) -> Mapped:
    return apply(mapping(fields, where, **more), typed(*records))


def problems(outcome: Mapped) -> list[tuple[str, str | None, list[int]]]:
    return [(problem.code, problem.field, problem.rows.to_list()) for problem in outcome.problems]
