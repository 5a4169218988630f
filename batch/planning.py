"""Planning: from a block of checked records to what is settled without a request and what is to be sent."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace

import polars as pl

from batch import parcel as parcels
from batch import rowset
from batch.chunk import Chunk, ChunkState
from batch.outcome import Finding, Outcome, Rows
from batch.parcel import Parcel
from config.errors import ConfigError, Problem
from config.group import EnabledIntegration, Group
from integrations.catalog import CATALOG
from integrations.integration import Integration, Limits
from integrations.preparing import Names
from integrations.request import around
from integrations.settings import limits
from mappers import items, mapping, merging
from mappers.expression import ROW, MappingError, compile_expression
from mappers.mapping import Mapped


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What one block holds for one integration: the chunk that needs no request, if any, and the records to send."""

    settled: Chunk | None
    parcel: Parcel


@dataclass(frozen=True, slots=True, eq=False)
class Planner:
    """Maps checked records for one enabled integration and lays them out as its items."""

    name: str
    integration: Integration
    mapping: mapping.RowMapping
    limits: Limits
    around: int = 0
    """The bytes of a request beside its items."""
    identity: str | None = None
    called: Names = field(default_factory=dict)

    def plan(self, frame: pl.DataFrame) -> Plan:
        """Map the records of `frame`; every one of them is in the plan, settled or to be sent."""
        mapped = mapping.apply(self.mapping, frame)
        findings = [_finding(problem) for problem in mapped.problems]
        parcel = self._parcel(mapped)
        large = parcel.sizes > min(self.room, self.limits.item_bytes or self.room)
        if large.any():
            findings.append(self._too_large(parcel.rows[large[parcel.by_row]]))
            parcel = parcel.only(~large[parcel.by_row])
        return Plan(settled(self.name, mapped.filtered.to_numpy(), findings), parcel)

    def _parcel(self, mapped: Mapped) -> Parcel:
        """Lay out records, those of one person as one: no vendor says which of two in a request wins."""
        rows, places, persons = mapped.values[ROW].to_numpy(), None, self._persons(mapped)
        if persons is not None and not persons.is_unique().all():
            adds = [one.name for one in self.integration.fields if one.adds]
            mapped, places = merging.merge(mapped, persons, adds)
        names = self._identities(mapped)
        mapped, shared = self._without_shared(mapped)
        texts = items.encode(mapped, self._clears, self._layout, self.called)
        return Parcel(rows, texts, names, shared, places)

    def _persons(self, mapped: Mapped) -> pl.Series | None:
        """Return what tells persons apart: ids that differ in upper and lower case alone may be two persons'."""
        if self.identity is None or "mail" in self.identity.lower():
            return self._identities(mapped)
        return mapped.values[self.identity].cast(pl.String)

    def _identities(self, mapped: Mapped) -> pl.Series | None:
        return mapped.values[self.identity].cast(pl.String).str.to_lowercase() if self.identity else None

    def _without_shared(self, mapped: Mapped) -> tuple[Mapped, pl.Series | None]:
        name = self.integration.shared
        if name is None or name not in mapped.values.columns:
            return mapped, None
        value = pl.struct(pl.col(name).alias("it")).struct.json_encode()
        text = mapped.values.select(value.str.strip_prefix('{"it":').str.strip_suffix("}").alias(name)).to_series()
        return replace(mapped, values=mapped.values.drop(name)), text

    def requests(self, parcel: Parcel) -> Iterator[Parcel]:
        """Cut records into the parcels of one request each."""
        for alike in parcel.alike():
            room = self.room - (0 if alike.shared is None else len(alike.common))
            yield from parcels.cut(alike, self.limits.records, room)

    @property
    def room(self) -> int:
        """The bytes that one request has for items."""
        return self.limits.bytes - self.around

    @property
    def _clears(self) -> Mapping[str, str | None]:
        return {target.name: target.clear for target in self.mapping.targets}

    @property
    def _layout(self) -> items.Layout:
        item = self.integration.item
        return items.Layout(**{one.name: getattr(item, one.name) for one in fields(item)})

    def _too_large(self, rows: Rows) -> Finding:
        most = self.limits.item_bytes or self.limits.bytes
        message = f"the record alone is larger than the {most:,} bytes that it may have"
        return Finding(Outcome.INVALID, "mapping.size", None, message, rows)


def planner(group: Group, name: str) -> Planner:
    """Return the planner of one of the group's integrations.

    Raises:
        ConfigError: when a configuration that was kept with a batch does not fit this version of the program.
    """
    enabled = group.integrations[name]
    try:
        integration = CATALOG[enabled.type]
        compiled, most = _compile(group, enabled, integration), limits(integration, enabled.settings)
        beside = sum(map(len, around(integration, enabled.settings)))
        return Planner(name, integration, compiled, most, beside, integration.told_apart_by(enabled.mapping))
    except (MappingError, LookupError, ValueError) as error:
        reason = f"integrations.{name} cannot be used any more: {error}; rerun with --config current"
        raise ConfigError([Problem(reason)]) from None


def settled(name: str, filtered: Rows, findings: Iterable[Finding]) -> Chunk | None:
    """Return the chunk of the rows that need no request: left out, or not valid for this integration."""
    findings = tuple(findings)
    rows = rowset.union([filtered, *(finding.rows for finding in findings)])
    if not len(rows):
        return None
    return Chunk(uuid.uuid4().hex, name, rows, ChunkState.CLOSED, Outcome.FILTERED, findings)


def _compile(group: Group, enabled: EnabledIntegration, integration: Integration) -> mapping.RowMapping:
    closed = group.closed
    targets = []
    for name, sql in enabled.mapping.items():
        known = integration.field(name)
        if known is None:
            raise LookupError(f"{integration.name} has no field {name}")
        expression = compile_expression(sql, group.attributes, closed=closed)
        as_text = known.type == "text"
        separator = integration.separator(name)
        required = known.required or name == integration.told_apart_by(enabled.mapping)
        targets.append(mapping.Target(name, expression, required, as_text, known.clear, separator))
    where = compile_expression(enabled.where, group.attributes, closed=closed) if enabled.where else None
    return mapping.RowMapping(tuple(targets), where)


def _finding(problem: mapping.Problem) -> Finding:
    return Finding(Outcome.INVALID, problem.code, problem.field, problem.message, problem.rows.to_numpy())
