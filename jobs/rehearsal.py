"""A rehearsal: what a file would become, by the very code that would send it, with nothing sent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from batch import rowset, undelivered
from batch.chunk import Chunk
from batch.examination import Examined, examine, expect_size
from batch.outcome import Finding, Outcome, Rows
from batch.planning import Plan, Planner, planner
from batch.runtime import Progress, silent
from batch.spool import Spool
from config.group import Group, MappingTest
from config.limits import USUAL, Limits
from mappers.expression import ROW


@dataclass(slots=True, eq=False)
class Share:
    """What one integration would get of a file: how many rows to send and left out, and what stands against rows."""

    send: int = 0
    filtered: int = 0
    findings: list[Finding] = field(default_factory=list)

    def add(self, plan: Plan) -> None:
        """Count a block."""
        self.send += len(plan.parcel.rows)
        if plan.settled is not None:
            self.findings += plan.settled.findings
            self.filtered += len(plan.settled.rows) - len(_rows(plan.settled))

    @property
    def invalid(self) -> int:
        """Rows whose mapping gives nothing that can be sent."""
        return len(rowset.union(finding.rows for finding in self.findings))


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """The check of a whole file: what was found in the rows themselves, and by each integration's mapping."""

    examined: Examined
    shares: Mapping[str, Share]

    def findings(self) -> Iterator[tuple[str | None, Finding]]:
        """Yield what stands against rows, the group's own check first."""
        for finding in self.examined.findings:
            yield None, finding
        for name, share in self.shares.items():
            for finding in share.findings:
                yield name, finding


@dataclass(frozen=True, slots=True)
class Line:
    """What one integration would get of one row: the item, or why there is none."""

    row: int
    integration: str | None
    outcome: str
    item: Any = None
    problems: tuple[str, ...] = ()


def check(path: Path, group: Group, to: Path | None, limits: Limits = USUAL, progress: Progress = silent) -> Verdict:
    """Check a local file as a drop of the group would be, and write its undelivered file to `to`.

    Raises:
        BatchError: when the file as a whole cannot be used.
    """
    planners = _planners(group, None)
    with Spool() as spool:
        examined = _examined(path, group, planners, spool, limits=limits, progress=progress)
        shares = {name: Share() for name in planners}
        for name, plan in _plans(planners, spool, examined):
            shares[name].add(plan)
        verdict = Verdict(examined, shares)
        if to is not None and any(True for _ in verdict.findings()):
            undelivered.write(to, path, path.name, group.files, verdict.findings())
        return verdict


def preview(path: Path, group: Group, integration: str | None, rows: int, limits: Limits = USUAL) -> list[Line]:
    """Return what the first rows of a local file would become, in row order.

    Raises:
        BatchError: when the file as a whole cannot be used.
    """
    planners = _planners(group, integration)
    with Spool() as spool:
        examined = _examined(path, group, planners, spool, limits=limits, progress=silent)
        lines = list(_refused(None, examined.findings, rows))
        for name, plan in _plans(planners, spool, examined):
            lines += _lines(name, plan, rows, planners[name].integration.shared)
    order = {name: number for number, name in enumerate([None, *planners])}
    return sorted(lines, key=lambda line: (line.row, order[line.integration]))


def mapping_test(group: Group, name: str, test: MappingTest) -> str | None:
    """Run one of a mapping's own tests; None when it passes, else what came instead."""
    with Spool() as spool:
        record = spool.file("given.jsonl")
        record.write_text(json.dumps(test.given, ensure_ascii=False) + "\n", "utf-8")
        line = preview(record, group, name, 1)[0]
    if line.problems:
        return "; ".join(line.problems)
    if line.item == test.expect:
        return None
    return f"expected {_json(test.expect)}, got {_json(line.item)}"


def _planners(group: Group, integration: str | None) -> dict[str, Planner]:
    return {name: planner(group, name) for name in group.integrations if integration in (None, name)}


def _examined(
    path: Path, group: Group, planners: Mapping[str, Planner], spool: Spool, *, limits: Limits, progress: Progress
) -> Examined:
    expect_size(path.stat().st_size, limits)
    mapped = {name for one in planners.values() for name in one.mapping.names}
    return examine(path, path.name, group, mapped, spool, limits=limits, progress=progress)


def _plans(planners: Mapping[str, Planner], spool: Spool, examined: Examined) -> Iterator[tuple[str, Plan]]:
    for frame in spool.frames():
        good = frame.filter(~np.isin(frame[ROW].to_numpy(), examined.invalid))
        for name, one in planners.items():
            yield name, one.plan(good)


def _lines(name: str, plan: Plan, most: int, shared: str | None) -> Iterator[Line]:
    parcel = plan.parcel
    for row, place in zip(parcel.rows, parcel.by_row, strict=True):
        if row > most:
            break
        item = msgspec.json.decode(parcel.items[int(place)])
        common = None if parcel.shared is None else msgspec.json.decode(parcel.shared[int(place)])
        beside = {} if common is None else {shared: common}  # it travels in the envelope
        yield Line(int(row), name, "send", {**item, **beside})
    if plan.settled is not None:
        yield from _refused(name, plan.settled.findings, most)
        for row in rowset.minus(plan.settled.rows, _rows(plan.settled)):
            if row <= most:
                yield Line(int(row), name, Outcome.FILTERED.value)


def _refused(name: str | None, findings: tuple[Finding, ...], most: int) -> Iterator[Line]:
    said: dict[int, list[str]] = {}
    for finding in findings:
        for row in finding.rows[finding.rows <= most]:
            said.setdefault(int(row), []).append(f"{finding.code}: {finding.message}")
    for row, problems in said.items():
        yield Line(row, name, Outcome.INVALID.value, None, tuple(problems))


def _rows(chunk: Chunk) -> Rows:
    return rowset.union(finding.rows for finding in chunk.findings)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
