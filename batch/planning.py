"""Planning: from a block of checked records to what is settled without a request and what is to be sent."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

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
from integrations.settings import limits
from mappers import items, mapping
from mappers.expression import ROW, MappingError, compile_expression


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

    def plan(self, frame: pl.DataFrame) -> Plan:
        """Map the records of `frame`; every one of them is in the plan, settled or to be sent."""
        mapped = mapping.apply(self.mapping, frame)
        texts = items.encode(mapped, self._clears, self._layout)
        identity = self.integration.identity
        names = mapped.values[identity].str.to_lowercase() if identity else None
        parcel = Parcel(mapped.values[ROW].to_numpy(), texts, names)
        findings = [_finding(problem) for problem in mapped.problems]
        large = parcel.sizes > self.room
        if large.any():
            findings.append(self._too_large(parcel.rows[large]))
            parcel = parcel.only(~large)
        return Plan(settled(self.name, mapped.filtered.to_numpy(), findings), parcel)

    def requests(self, parcel: Parcel) -> Iterable[Parcel]:
        """Cut records into the parcels of one request each."""
        return parcels.cut(parcel, self.limits.records, self.room)

    @property
    def room(self) -> int:
        """The bytes that one request has for items."""
        return self.limits.bytes - len(self.integration.envelope.encode())

    @property
    def _clears(self) -> Mapping[str, str | None]:
        return {target.name: target.clear for target in self.mapping.targets}

    @property
    def _layout(self) -> items.Layout:
        item = self.integration.item
        return items.Layout(item.under, item.also, item.always, item.text_only, item.list_separator)

    def _too_large(self, rows: Rows) -> Finding:
        message = f"the record alone is larger than the {self.limits.bytes:,} bytes that one request may have"
        return Finding(Outcome.INVALID, "mapping.size", None, message, rows)


def planner(group: Group, name: str) -> Planner:
    """Return the planner of one of the group's integrations.

    Raises:
        ConfigError: when a configuration that was kept with a batch does not fit this version of the program.
    """
    enabled = group.integrations[name]
    try:
        integration = CATALOG[enabled.type]
        return Planner(name, integration, _compile(group, enabled, integration), limits(integration, enabled.settings))
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
        separator = integration.item.list_separator
        targets.append(mapping.Target(name, expression, known.required, as_text, known.clear, separator))
    where = compile_expression(enabled.where, group.attributes, closed=closed) if enabled.where else None
    return mapping.RowMapping(tuple(targets), where)


def _finding(problem: mapping.Problem) -> Finding:
    return Finding(Outcome.INVALID, problem.code, problem.field, problem.message, problem.rows.to_numpy())
