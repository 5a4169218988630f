"""The way of a batch: from a file in the drop zone to delivered records and a receipt.

    drop zone → spool → reading → checking → (each integration) mapping → parcels → delivery → ledger → receipt

A first run, the resumption of a killed one, and a rerun are one and the same: what the ledger has no outcome for is
owed, and is sent.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Event
from typing import Any

import numpy as np
import structlog

from batch import results, rowset
from batch.account import Account, struck_off
from batch.batch import CLOSED, Drop, State
from batch.chunk import CHECK, Chunk, ChunkState
from batch.claim import Claim
from batch.commits import Commits
from batch.dispatch import Errand, Manner, dispatch, enrolled
from batch.errors import BatchError, DropChanged, LeaseLost, Stopped
from batch.examination import Examined, among, examine, expect_size
from batch.forgotten import Forgotten
from batch.http import Bounds
from batch.layout import is_records
from batch.lease import holding
from batch.outcome import Finding, Outcome, Rows
from batch.planning import planner
from batch.pouring import pour
from batch.receipt import Books
from batch.retry import Policy
from batch.runtime import Progress, Runtime, silent
from batch.spool import Spool
from config.connecting import connections
from config.group import Group

_CRASHES = 3
"""After so many runs of a batch in a row that ended without a word and got no further, its file is set aside."""

_CRASHES_ON_RECORDS = 10
"""The same for records that the API took: they were read and checked before, and are rarely what a process dies of."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Halt:
    """Is set when the program is to stop or the claim is lost: either way nothing more is sent."""

    stopping: Event
    lost: Event

    def is_set(self) -> bool:
        """Say whether it is so."""
        return self.stopping.is_set() or self.lost.is_set()


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """One run of one batch: what every step of the way looks at."""

    runtime: Runtime
    claim: Claim
    group: Group
    spool: Spool
    progress: Progress
    lost: Event

    def books(self) -> Books:
        """Read the batch and its accounts from the ledger as they are now."""
        batch = self.runtime.ledger.batch(self.claim.batch.id)
        if batch is None:
            raise LeaseLost(self.claim.batch.id)
        return Books.read(self.runtime.ledger, batch)

    def put(self, *chunks: Chunk) -> None:
        """Commit chunks."""
        self.runtime.ledger.put(self.claim, chunks)

    def progress_noted(self) -> Callable[[Sequence[Chunk]], None]:
        """Return what commits chunks, and notes once that rows of this batch have come to their end in this run."""
        noted = self.claim.attempts == 1

        def put(chunks: Sequence[Chunk]) -> None:
            nonlocal noted
            self.put(*chunks)
            if not noted and any(chunk.state is ChunkState.CLOSED for chunk in chunks):
                self.runtime.ledger.progressed(self.claim)
                noted = True

        return put


def process(runtime: Runtime, claim: Claim, progress: Progress = silent) -> dict[str, Any] | None:
    """Take a claimed batch all the way and return its receipt; None when its bytes were processed before.

    Raises:
        LeaseLost: when another process has taken the batch over.
        Stopped: when the program was asked to stop; the batch is to be given back.
        ConfigError: when the configuration that the batch is pinned to cannot be used; the batch is given back.
        DropZoneError, LedgerError: when these cannot be used; what was committed stays, and the next run goes on.
    """
    here = structlog.contextvars.bound_contextvars(batch=claim.batch.id, group=claim.batch.group_key)
    with here, Spool() as spool, holding(runtime.ledger, claim, claim.seconds) as hold:
        work = _Work(runtime, claim, _pinned_group(runtime, claim), spool, progress, hold.lost)
        try:
            _expect_no_crash_loop(claim)
            if not _fetched(work):
                return None
            _deliver(work)
        except (BatchError, DropChanged) as error:
            return _close_failed(work, error)
        return _close(work)


def _pinned_group(runtime: Runtime, claim: Claim) -> Group:
    """Return the group as it was when the batch was first taken up, or as the operator of a rerun wished."""
    if claim.batch.config is not None and (document := runtime.ledger.config(claim.batch.config)):
        group = Group.from_document(document)
    else:
        group = runtime.groups[claim.batch.group_key]
        runtime.ledger.save_config(group.fingerprint, group.document)
        runtime.ledger.describe(claim, config=group.fingerprint)
    return group.of_records() if is_records(claim.batch.file) else group


def _expect_no_crash_loop(claim: Claim) -> None:
    most = _CRASHES_ON_RECORDS if is_records(claim.batch.file) else _CRASHES
    if claim.attempts > most:
        raise BatchError("file.crashed", f"the program stopped {most} times in a row while it processed this file")


def _fetched(work: _Work) -> bool:
    """Copy the drop's bytes here; false when a batch before this one had the very same."""
    batch, ledger = work.claim.batch, work.runtime.ledger
    sha256 = _poured(work) if is_records(batch.file) else _copied(work)
    if batch.sha256 not in (None, sha256):
        raise DropChanged("its bytes are not those that were read before")
    ledger.describe(work.claim, sha256=sha256)
    original = ledger.duplicate_of(batch, sha256)
    if original is None or not ledger.drop_duplicate(work.claim, original):
        return True
    log.info("same bytes as a batch before: not processed again", original=original)
    return False


def _copied(work: _Work) -> str:
    batch = work.claim.batch
    expect_size(batch.bytes, work.runtime.deployment.limits)
    drop = Drop(batch.group_key, batch.file, batch.version, batch.bytes, batch.received_at)
    return work.runtime.zone.fetch(drop, work.spool.drop)


def _poured(work: _Work) -> str:
    return pour(work.runtime.zone, work.runtime.ledger.packets.of(work.claim.batch.id), work.spool.drop)


def _deliver(work: _Work) -> None:
    """Check the whole file, then send every integration what it is owed."""
    group, runtime = work.group, work.runtime
    planners = {name: planner(group, name) for name in group.integrations}
    reach = connections(runtime.deployment, group)
    forgotten = _forgotten(work)
    mapped = {name for one in planners.values() for name in one.mapping.names} | set(forgotten.digests)
    examined = examine(
        work.spool.drop,
        work.claim.batch.file,
        group,
        mapped,
        work.spool,
        limits=runtime.deployment.limits,
        progress=work.progress,
    )
    books = _entered(work, examined)
    if len(gone := forgotten.rows(work.spool.frames())):
        work.put(*struck_off(books.accounts, rowset.both(gone, books.valid)))
        books = work.books()
    owed = {name: account.pending(books.valid) for name, account in books.accounts.items()}
    errands = {
        name: Errand(planners[name], reach[name], books.accounts[name], rows)
        for name, rows in owed.items()
        if len(rows) and name in planners
    }
    runtime.turn.goes_to(errands)
    asyncio.run(_dispatched(work, errands, examined))
    if work.lost.is_set():
        raise LeaseLost(work.claim.batch.id)
    if (runtime.stopping.is_set() or runtime.turn.barred) and work.books().owes():
        raise Stopped(work.claim.batch.id)


def _forgotten(work: _Work) -> Forgotten:
    return work.runtime.ledger.erasures.of(work.group, work.claim.batch.received_at)


async def _dispatched(work: _Work, errands: Mapping[str, Errand], examined: Examined) -> None:
    said, limits = work.runtime.deployment.delivery, work.runtime.deployment.limits
    halt = _Halt(work.runtime.stopping, work.lost)
    policy, bounds = Policy(said.tries, said.patience, halt), Bounds(said.timeout, limits.reply)
    manner = Manner(policy, bounds, work.runtime.turn, work.runtime.known)
    try:
        async with Commits(work.progress_noted()) as commits:
            await dispatch(errands, examined, spool=work.spool, commits=commits, manner=manner, progress=work.progress)
    except ExceptionGroup as several:
        raise _first(several) from several


def _first(error: Exception) -> Exception:
    """Return what went wrong first: when the ledger or the disk fails one task, it fails the others too."""
    return _first(error.exceptions[0]) if isinstance(error, ExceptionGroup) else error


def _entered(work: _Work, examined: Examined) -> Books:
    """Commit the check's word on every row that has none, and which integrations take part."""
    batch, ledger = work.claim.batch, work.runtime.ledger
    if batch.rows_read is not None and batch.rows_read != examined.rows:
        raise BatchError(
            "file.records",
            f"by this configuration the file has {examined.rows} records, and it had {batch.rows_read} when it was "
            "first read, so that row numbers would not mean the same rows; rerun with --config original",
        )
    every = _rows(examined.rows)
    chunks = [] if batch.rows_read is None else list(ledger.chunks(batch.id, CHECK))
    unchecked = Account(examined.rows, chunks).pending(every)
    entries: list[Chunk] = []
    if len(unchecked) or not chunks:
        enrolments = [] if chunks else [enrolled(name) for name in work.group.integrations]
        entries = [_verdict(unchecked, among(examined.findings, unchecked)), *enrolments]
    # together, since an account cannot be folded without the count of its rows
    ledger.put(work.claim, entries, rows_read=examined.rows, reason=_incomplete(examined))
    return work.books()


def _rows(count: int) -> Rows:
    return np.arange(1, count + 1, dtype=np.int64)


def _verdict(rows: Rows, findings: list[Finding]) -> Chunk:
    return Chunk(uuid.uuid4().hex, CHECK, rows, ChunkState.CLOSED, None, tuple(findings))


def _incomplete(examined: Examined) -> str | None:
    if not examined.incomplete:
        return None
    return "file.incomplete: the last line is cut off, so the file was probably not uploaded whole"


def _close(work: _Work) -> dict[str, Any]:
    books = work.books()
    state, reason = books.state(), books.batch.reason
    return _finish(work, books, State.PARTIAL if reason else state, reason)


def _close_failed(work: _Work, error: BatchError | DropChanged) -> dict[str, Any]:
    """Close a batch whose file cannot be used; what is owed of an earlier run is then `failed`, never lost."""
    if isinstance(error, DropChanged):
        error = BatchError("file.changed", "the file was overwritten or deleted after it was listed")
    log.warning("file not used", code=error.code)
    books = work.books()
    if not books.accounts:
        return _finish(work, books, State.FAILED, str(error))
    work.put(*_owed_fails(books, error))
    return _finish(work, work.books(), State.PARTIAL, str(error))


def _owed_fails(books: Books, error: BatchError) -> Iterator[Chunk]:
    if len(unchecked := books.check.pending(_rows(books.batch.rows_read or 0))):
        yield _verdict(unchecked, [Finding(Outcome.INVALID, error.code, None, error.message, unchecked)])
    for name, account in books.accounts.items():
        doubtful = account.in_doubt()
        yield from (_still_unknown(chunk, error) for chunk in doubtful)
        owed = rowset.minus(account.pending(books.valid), rowset.union(chunk.rows for chunk in doubtful))
        if len(owed):
            finding = Finding(Outcome.FAILED, error.code, None, error.message, owed)
            yield Chunk(uuid.uuid4().hex, name, owed, ChunkState.CLOSED, Outcome.FAILED, (finding,))


def _still_unknown(chunk: Chunk, error: BatchError) -> Chunk:
    """Close what was sent, was never answered and cannot be sent again now; nobody may say that it failed."""
    message = f"it was sent before without an answer, and cannot be sent again now: {error.message}"
    finding = Finding(Outcome.UNKNOWN, "interrupted", None, message, chunk.rows)
    return replace(chunk, state=ChunkState.CLOSED, outcome=Outcome.UNKNOWN, findings=(finding,))


def _finish(work: _Work, books: Books, state: State, reason: str | None) -> dict[str, Any]:
    """Write the results, then close: a kill in between writes them again, and never leaves a batch without.

    Nothing keeps one who has slept from writing over the results of another, who had taken the batch over: the ledger
    says so afterwards, and they are put back.
    """
    now = datetime.now(UTC)
    closed = replace(books, batch=replace(books.batch, state=state, reason=reason, finished_at=now))
    receipt = results.write(work.runtime.zone, work.spool, closed, work.group.files, _forgotten(work))
    try:
        work.runtime.ledger.finish(work.claim, state, reason, now, rows_invalid=receipt["rows"]["invalid"])
    except LeaseLost:
        _put_back(work)
        raise
    log.info("closed", state=state.value, **receipt["rows"])
    return receipt


def _put_back(work: _Work) -> None:
    """Write the results as the ledger has them; one who is still at work on the batch will do so at its end."""
    books = work.books()
    if books.batch.state in CLOSED:
        results.write(work.runtime.zone, work.spool, books, work.group.files, _forgotten(work))
