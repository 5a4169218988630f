"""A run: every drop that waits is taken up, now, and taken all the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog

from batch.batch import CLOSED, Batch, State
from batch.claim import Claim
from batch.dropzone import DropZoneError
from batch.errors import LeaseLost, LedgerError, Stopped
from batch.layout import is_drop, is_records
from batch.pipeline import process
from batch.runtime import Progress, Runtime, silent
from batch.spool import trouble
from config.connecting import connections
from config.errors import ConfigError, Problem
from jobs.opening import owner

LEASE = 15.0
"""Seconds after which a batch whose process died may be gone on with."""

_AT_ONCE = 2  # groups; each has blocks of a file in memory
_GLANCE = 0.5
_LOOKS = 3  # at a group whose drops are overwritten while they are listed

log = structlog.get_logger()

Watch = Callable[[Batch], Progress]
"""Called when a batch is begun; returns who is told of its rows."""


@dataclass(slots=True)
class Report:
    """What a run did: the receipts of the batches that it closed, and what people should know besides."""

    receipts: list[dict[str, Any]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def needs_operator(self) -> bool:
        """Whether a file failed, or rows are `failed` or `unknown`, or a batch could not be closed."""
        return bool(self.problems) or any(map(needs_operator, self.receipts))

    def add(self, other: Report) -> None:
        """Take in what another report says."""
        self.receipts += other.receipts
        self.notices += other.notices
        self.problems += other.problems


def needs_operator(receipt: dict[str, Any]) -> bool:
    """Say whether an operator must act on a batch: its file failed, or rows of it are `failed` or `unknown`."""
    rows: int = sum(counts["failed"] + counts["unknown"] for counts in receipt["integrations"].values())
    return receipt["state"] == State.FAILED or rows > 0


def run(
    runtime: Runtime, keys: Iterable[str], *, file: str | None = None, watch: Watch = lambda _batch: silent
) -> Report:
    """Process what waits for the groups of the given keys; their files in order, the groups side by side.

    Args:
        runtime: the installation.
        keys: group keys.
        file: the key of one drop; the others are left alone.
        watch: is told of batches as they begin.

    Raises:
        ConfigError: when a credential of one of the groups is missing; then nothing is sent.
        DropZoneError, LedgerError: when these cannot be used at all; one group's trouble is in the report.
    """
    keys = list(keys)
    _expect_credentials(runtime, keys)
    report = Report(notices=[] if file else _unknown_groups(runtime) + stranded(runtime))
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="group") as executor:
        for done in _each(executor, lambda key: _Round(runtime, key, file, watch).go(), keys):
            report.add(done)
    return report


def _each(executor: Executor, do: Callable[[str], Report], keys: list[str]) -> Iterator[Report]:
    yield from executor.map(do, keys)


def _expect_credentials(runtime: Runtime, keys: list[str]) -> None:
    problems: list[Problem] = []
    for key in keys:
        try:
            connections(runtime.deployment, runtime.groups[key])
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)


def _unknown_groups(runtime: Runtime) -> list[str]:
    unknown = [key for key in runtime.zone.groups() if key not in runtime.groups]
    return [
        f"{key}/ is not the key of any group: what lies there is left alone"
        for key in unknown
        if runtime.ledger.report_once(key, "")
    ]


def stranded(runtime: Runtime) -> list[str]:
    """Return a sentence for each group that is not configured any more and has records to be delivered."""
    gone = [key for key in runtime.ledger.packets.waiting() if key not in runtime.groups]
    return [f"{key}: records that the API took wait until there is a group of this key again" for key in gone]


def resume(runtime: Runtime, keys: Iterable[str]) -> Report:
    """Go on with batches that a process before this one began or queued; new drops wait for their time.

    Records that the API took are the courier's.
    """
    report = Report()
    for key in keys:
        report.add(_Round(runtime, key, None, lambda _batch: silent).go_on())
    return report


class _Round:
    """One group's share of a run."""

    def __init__(self, runtime: Runtime, key: str, file: str | None, watch: Watch) -> None:
        self._runtime, self._key, self._file, self._watch = runtime, key, file, watch
        self._report = Report()

    def go(self) -> Report:
        """Take up what lies there; what was overwritten meanwhile is taken up again, as what it is now."""
        try:
            for _ in range(_LOOKS):
                self._take_up()
                before = len(self._report.receipts)
                self.go_on()
                if not any(map(_changed, self._report.receipts[before:])):
                    break
            if not self._file:
                self._deliver_records()
        except DropZoneError as error:  # of this group's folder, perhaps, and not the others' trouble
            self._report.problems.append(str(error))
        return self._report

    def go_on(self) -> Report:
        before = self._held()  # a lease may run out while other batches are processed
        for batch in self._waiting():
            self._process(batch)
        known = {batch.id for batch in before}
        since = {batch: lease for batch, lease in self._held().items() if batch.id not in known}  # taken over from us
        for batch in self._abandoned(before | since):
            self._process(batch)
        return self._report

    def _take_up(self) -> None:
        listing, ledger = self._runtime.zone.listing(self._key), self._runtime.ledger
        for stray in listing.strays:
            if not self._file and ledger.report_once(self._key, stray):
                self._report.notices.append(f"{stray} is not a drop by its ending, and is left alone")
        seen = ledger.seen(self._key)
        drops = [drop for drop in listing.drops if self._file in (None, drop.key)]
        if self._file and not drops:
            reason = "there is no such file" if is_drop(self._file) else "it is not a drop by its name"
            self._report.problems.append(f"{self._file}: {reason}")
        for drop in drops:
            if (drop.key, drop.version) not in seen:
                ledger.add(drop, self._key)
            elif self._file:
                self._explain(drop.key)

    def _deliver_records(self) -> None:
        """Deliver what the API took, in its order; what another process has is left to it, unless that one is dead."""
        self._deliver_due()
        running = self._runtime.ledger.batches(self._key, State.RUNNING)
        for _ in self._abandoned(self._leases(filter(self._is_ordered, running))):
            self._deliver_due()

    def _deliver_due(self) -> None:
        while not self._runtime.stopping.is_set() and (batch := self._runtime.ledger.packets.due(self._key)):
            if not self._process(batch):
                return

    def _explain(self, file: str) -> None:
        former = next((b for b in self._runtime.ledger.batches(self._key) if b.file == file), None)
        if former is not None and former.state in CLOSED:
            self._report.notices.append(
                f"{file} was processed before, as batch {former.id}; `flatdrop rerun {former.id}` sends what is owed"
            )

    def _waiting(self) -> list[Batch]:
        return list(filter(self._is_meant, self._runtime.ledger.waiting(self._key)))

    def _held(self) -> dict[Batch, tuple[str, datetime]]:
        """Return the batches that somebody works on, or worked on a moment ago, each with that one's lease."""
        return self._leases(filter(self._is_meant, self._runtime.ledger.batches(self._key, State.RUNNING)))

    def _is_meant(self, batch: Batch) -> bool:
        return self._file in (None, batch.file) and not self._is_ordered(batch)

    def _is_ordered(self, batch: Batch) -> bool:
        """Say whether a batch is of records that come after others, and before others."""
        return is_records(batch.file) and batch.id in self._runtime.ledger.packets.unfinished(self._key)

    def _leases(self, batches: Iterable[Batch]) -> dict[Batch, tuple[str, datetime]]:
        return {batch: lease for batch in batches if (lease := self._runtime.ledger.in_progress(batch.id))}

    def _abandoned(self, leases: dict[Batch, tuple[str, datetime]]) -> Iterator[Batch]:
        """Yield batches whose process has died, as soon as its lease has run out; one that is renewed is alive."""
        while leases and not self._runtime.stopping.wait(_GLANCE):
            for batch, lease in list(leases.items()):
                now = self._runtime.ledger.in_progress(batch.id)
                if now == lease:
                    continue
                del leases[batch]
                if now is None:
                    yield batch
                else:
                    self._report.notices.append(f"{batch.file}: another process is at work on it")
        for batch in leases:
            self._report.notices.append(f"{batch.file}: begun by another process; the next run goes on with it")

    def _process(self, batch: Batch) -> bool:
        """Take a batch all the way; false when it was not closed here."""
        if self._runtime.stopping.is_set():
            return False
        claim = self._runtime.ledger.claim(batch.id, owner(), LEASE)
        if claim is None:
            return False  # another process was first
        receipt = attempt(self._runtime, claim, self._watch(batch), self._report)
        if receipt is not None:
            self._report.receipts.append(receipt)
        return receipt is not None


def _changed(receipt: dict[str, Any]) -> bool:
    return (receipt["reason"] or "").startswith("file.changed")


def attempt(runtime: Runtime, claim: Claim, progress: Progress, report: Report) -> dict[str, Any] | None:
    """Process a claimed batch; what goes wrong ends this batch's turn with a sentence, and not the others'."""
    file = claim.batch.file
    started = time.monotonic()
    try:
        receipt = process(runtime, claim, progress)
    except LeaseLost:
        report.notices.append(f"{file}: another process has taken it over")
    except Stopped:
        _give_back(runtime, claim, crashed=False)
        report.notices.append(f"{file}: stopped before its end; the next run goes on with it")
    except (ConfigError, DropZoneError, LedgerError) as error:
        report.problems.append(f"{file}: {error}")
        _give_back(runtime, claim, crashed=False)
    except OSError as error:
        report.problems.append(f"{file}: {trouble(error)}")
        _give_back(runtime, claim, crashed=False)
    except Exception as error:
        # the last resort: one batch's fault is not the others', and its rows stay owed
        log.exception("batch.crashed", batch=claim.batch.id, seconds=round(time.monotonic() - started, 1))
        report.problems.append(
            f"{file}: a fault of the program ({type(error).__name__}); what was sent is in the ledger, the rest is owed"
        )
        _give_back(runtime, claim, crashed=True)
    else:
        if receipt is None:
            report.notices.append(f"{file}: the same bytes were dropped under this name before; not processed again")
        return receipt
    return None


def _give_back(runtime: Runtime, claim: Claim, *, crashed: bool) -> None:
    try:
        runtime.ledger.release(claim, crashed=crashed)
    except (LeaseLost, LedgerError):
        log.warning("batch.not_released", batch=claim.batch.id)  # its lease runs out by itself
