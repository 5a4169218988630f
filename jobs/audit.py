"""The audit: what a batch's file, the ledger and the receipt say, against what a destination has.

It maps the file once more by the configuration that the batch was processed with, and looks every item up in what the
destination has. It writes nothing.
"""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from batch.batch import CLOSED, Batch
from batch.errors import BatchError, DropChanged
from batch.examination import examine
from batch.layout import is_records
from batch.outcome import Outcome
from batch.planning import planner
from batch.pouring import pour
from batch.receipt import Books, ConservationError, compose
from batch.results import receipt_of
from batch.runtime import Runtime
from batch.spool import Spool
from config.group import Group
from mappers.expression import ROW


class AuditError(Exception):
    """The batch cannot be audited: a sentence for an operator."""


@dataclass(slots=True)
class Share:
    """How one integration's rows stand.

    Of `delivered` rows that are not there `lost` tells. `doubled` counts items that are there more often than rows
    account for; up to `declared` of them the receipt has told of.
    """

    delivered: int = 0
    unknown: int = 0
    found: int = 0
    lost: int = 0
    doubled: int = 0
    declared: int = 0

    @property
    def undeclared(self) -> int:
        """Items that are there too often, and of which nobody was told."""
        return max(0, self.doubled - self.declared)


@dataclass(slots=True)
class Audit:
    """What was found; `breaks` tell of sums that do not agree, `stuck` that the batch is not closed."""

    batch: str
    stuck: bool = False
    breaks: list[str] = field(default_factory=list)
    shares: dict[str, Share] = field(default_factory=dict)

    @property
    def document(self) -> dict[str, Any]:
        """The audit as JSON has it."""
        shares = {name: {**asdict(share), "undeclared": share.undeclared} for name, share in self.shares.items()}
        return {**asdict(self), "shares": shares, "good": self.good}

    @property
    def good(self) -> bool:
        """Whether every row is where the receipt says."""
        wrong = any(share.lost or share.undeclared for share in self.shares.values())
        return not (self.stuck or self.breaks or wrong)


def against_journal(runtime: Runtime, batch: Batch, path: Path, by: str | None, integration: str | None) -> Audit:
    """Compare a batch with the journal of a sandbox, for one integration or for all.

    Raises:
        AuditError: when that cannot be done.
    """
    enabled = _pinned(runtime, batch).integrations
    kinds = {name: one.type for name, one in enabled.items() if integration in (None, name)}
    if len(set(kinds.values())) < len(kinds):
        raise AuditError("A journal does not tell integrations of one type apart: name one with --integration.")
    return audit(runtime, batch, {name: journalled(path, kind, by) for name, kind in kinds.items()}, by)


def against_export(runtime: Runtime, batch: Batch, path: Path, by: str, integration: str | None) -> Audit:
    """Compare a batch with what one destination has, by one field of its records.

    Raises:
        AuditError: when that cannot be done.
    """
    names = [name for name in _pinned(runtime, batch).integrations if integration in (None, name)]
    if len(names) > 1:
        raise AuditError(f"Name the integration that the export is of with --integration: {', '.join(names)}.")
    return audit(runtime, batch, {name: exported(path, by) for name in names}, by)


def audit(runtime: Runtime, batch: Batch, there: Mapping[str, Counter[str]], by: str | None) -> Audit:
    """Compare a batch with what its destinations have: for each integration, how often each item is there.

    Args:
        runtime: the installation.
        batch: the batch.
        there: by integration, counts of what `key` says of an item.
        by: the field that items are told apart by; their whole content if None.

    Raises:
        AuditError: when the file is not there any more, or cannot be read.
    """
    books = Books.read(runtime.ledger, batch)
    found = Audit(batch.id, stuck=batch.state not in CLOSED)
    found.breaks += _breaks(runtime, books)
    items = _items(runtime, batch, there, by)
    for name in there.keys() - books.accounts.keys():
        raise AuditError(f"The batch has nothing for {name} yet.")
    for name, seen in there.items():
        account, share = books.accounts[name], Share()
        share.declared = account.possible_duplicates
        delivered, unknown = Counter[str](), Counter[str]()
        for row, item in items[name].items():
            outcome = account.outcome(row)
            delivered[item] += outcome is Outcome.DELIVERED
            unknown[item] += outcome is Outcome.UNKNOWN
        for item in delivered.keys() | unknown.keys():
            share.found += min(seen[item], delivered[item] + unknown[item])
            share.lost += max(0, delivered[item] - seen[item])
            share.doubled += max(0, seen[item] - delivered[item] - unknown[item])
        share.delivered, share.unknown = delivered.total(), unknown.total()
        found.shares[name] = share
    return found


def key(item: Any, by: str | None) -> str:
    """Return what tells an item apart: the text of one field (dots lead into objects), or the whole as JSON."""
    if by is None:
        return json.dumps(item, sort_keys=True, ensure_ascii=False)
    for part in by.split("."):
        item = item.get(part) if isinstance(item, Mapping) else None
    return str(item)


def journalled(path: Path, kind: str, by: str | None) -> Counter[str]:
    """Count the items in a journal of the sandbox; what came again under one idempotency key was taken once.

    Raises:
        AuditError: when the file is none.
    """
    requests: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for line in _json_lines(path):
        if line.get("integration") == kind:
            requests[line["key"] or "", line["at"]][key(line["record"], by)] += 1
    again: defaultdict[str, Counter[str]] = defaultdict(Counter)
    total = Counter[str]()
    for (idempotency, _), these in requests.items():
        if idempotency:
            again[idempotency] |= these
        else:
            total += these
    return sum(again.values(), total)


def exported(path: Path, by: str) -> Counter[str]:
    """Count the records of a destination's export, CSV or JSON Lines, by one of their fields.

    Raises:
        AuditError: when the file is none, or has not this field.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        records = list(csv.DictReader(file)) if path.suffix.lower() == ".csv" else list(_json_lines(path))
    if records and by not in records[0]:
        raise AuditError(f"{path.name} has no field {by}; it has {', '.join(map(str, records[0]))}")
    return Counter(str(record[by]) for record in records)


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                found = json.loads(line)
            except ValueError:
                raise AuditError(f"{path.name}: line {number} is not JSON") from None
            if not isinstance(found, dict):
                raise AuditError(f"{path.name}: line {number} is not a JSON object")
            yield found


def _breaks(runtime: Runtime, books: Books) -> Iterator[str]:
    try:
        state = books.state()
    except ConservationError as error:
        yield f"{error}."
        return
    if books.batch.state not in CLOSED:
        return
    if books.batch.reason is None and state is not books.batch.state:
        yield f"The ledger's rows make the batch {state.value}, and it is {books.batch.state.value}."
    written = receipt_of(runtime.zone, books.batch)
    if written is None:
        yield "There is no receipt in the drop zone."
    elif written != compose(books):
        yield "The receipt in the drop zone is not what the ledger says."


def _items(runtime: Runtime, batch: Batch, names: Iterable[str], by: str | None) -> Mapping[str, Mapping[int, str]]:
    """Return each integration's items by row, as they were to be sent."""
    group = _pinned(runtime, batch)
    planners = {name: planner(group, name) for name in names}
    mapped = {name for one in planners.values() for name in one.mapping.names}
    items: dict[str, dict[int, str]] = {name: {} for name in planners}
    with Spool() as spool:
        try:
            _fetch(runtime, batch, spool.drop)
            examined = examine(spool.drop, batch.file, group, mapped, spool, limits=runtime.deployment.limits)
        except BatchError as error:
            raise AuditError(f"{batch.file} cannot be read: {error}") from None
        except DropChanged:
            raise AuditError(f"{batch.file} is not there any more as it was processed") from None
        for frame in spool.frames():
            good = frame.filter(~np.isin(frame[ROW].to_numpy(), examined.invalid))
            for name, one in planners.items():
                parcel = one.plan(good).parcel
                decoded = (key(msgspec.json.decode(item), by) for item in parcel.items)
                # rows of one person are one item, which is told by the last of them
                last = dict(zip(map(int, parcel.by_row), map(int, parcel.rows), strict=True))
                items[name] |= {last[place]: item for place, item in enumerate(decoded)}
    return items


def _pinned(runtime: Runtime, batch: Batch) -> Group:
    document = runtime.ledger.config(batch.config) if batch.config else None
    if document is None:
        raise AuditError("The batch has not begun: there is nothing to audit yet.")
    group = Group.from_document(document)
    return group.of_records() if is_records(batch.file) else group


def _fetch(runtime: Runtime, batch: Batch, to: Path) -> None:
    if is_records(batch.file):
        pour(runtime.zone, runtime.ledger.packets.of(batch.id), to)
        return
    drop = runtime.zone.stat(batch.file)
    if drop is None or runtime.zone.fetch(drop, to) != batch.sha256:
        raise DropChanged
