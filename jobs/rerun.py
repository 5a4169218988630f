"""A rerun: rows of a closed batch that are still owed are sent again, and only those."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any

from batch import rowset
from batch.account import Account
from batch.batch import CLOSED, Batch, State
from batch.chunk import CHECK, Chunk, ChunkState
from batch.outcome import Outcome, Rows
from batch.planning import planner
from batch.receipt import Books
from batch.runtime import Runtime
from config.group import Group
from integrations.integration import Resend
from jobs.opening import owner
from jobs.run import LEASE, Report, Watch, attempt

RERUNNABLE = (Outcome.FAILED, Outcome.UNKNOWN, Outcome.REJECTED, Outcome.INVALID)


class RerunError(Exception):
    """The rerun that was asked for is not possible; the text says why."""


class RerunUnfinishedError(Exception):
    """The rerun was begun and not brought to its end: what is owed stays owed; the text says why."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a rerun would send to one integration: rows, requests, and rows that the destination may get twice."""

    rows: int
    requests: int
    possible_duplicates: int
    resend: str


@dataclass(frozen=True, slots=True, eq=False)
class Rerun:
    """What a rerun would do of a batch as it was when this was planned.

    `whole_file` says that the file as a whole could not be used and is to be read again; `unchecked` counts rows
    that the group's own check refused and that are to be checked again.
    """

    batch: Batch
    group: Group
    shares: dict[str, Share]
    unchecked: int
    whole_file: bool
    chunks: list[Chunk]

    @property
    def nothing(self) -> bool:
        """Whether nothing is owed."""
        return not self.whole_file and not self.unchecked and not self.shares


def plan(
    runtime: Runtime,
    batch_id: str,
    *,
    integration: str | None = None,
    outcomes: Collection[Outcome] = (Outcome.FAILED,),
    current: bool = False,
) -> Rerun:
    """Find what is owed of a batch.

    Args:
        runtime: the installation.
        batch_id: the batch.
        integration: only this one, all that are owed rows when not given.
        outcomes: which rows are to be sent again.
        current: by the group's configuration of today, and not by the one of the batch.

    Raises:
        RerunError: when there is no such batch or integration, or the batch is being processed.
    """
    books = _books(runtime, batch_id)
    group = _group(runtime, books, current=current)
    names = _names(books, group, integration)
    shares, chunks = {}, []
    for name in names:
        account = books.accounts[name]
        rows = rowset.both(account.rows(*outcomes), books.valid)
        if len(rows):
            again = list(_reopened(name, account, rows))
            shares[name] = _share(group, name, again)
            chunks += again
    refused = books.check.rows(Outcome.INVALID) if Outcome.INVALID in outcomes and not integration else rowset.EMPTY
    if len(refused):
        chunks.append(Chunk(uuid.uuid4().hex, CHECK, refused, ChunkState.REOPENED))
    whole = books.batch.state is State.FAILED and Outcome.FAILED in outcomes
    return Rerun(books.batch, group, shares, len(refused), whole, chunks)


def reopen(runtime: Runtime, rerun: Rerun) -> None:
    """Queue the batch with what it owes.

    Raises:
        RerunError: when another process has taken it since it was planned.
    """
    group, ledger = rerun.group, runtime.ledger
    ledger.save_config(group.fingerprint, group.document)
    if not ledger.reopen(rerun.batch, rerun.chunks, config=group.fingerprint):
        raise RerunError(f"{rerun.batch.id} is being processed, or was just now: ask again for what it still owes")


def _books(runtime: Runtime, batch_id: str) -> Books:
    batch = runtime.ledger.batch(batch_id)
    if batch is None:
        raise RerunError(f"there is no batch {batch_id}; `flatdrop batches` lists them")
    if batch.state not in CLOSED:
        work = runtime.ledger.in_progress(batch_id)
        if work:
            raise RerunError(f"{batch_id} is being processed by {work[0]}")
        raise RerunError(f"{batch_id} is not closed yet; `flatdrop run` goes on with it")
    return Books.read(runtime.ledger, batch)


def _group(runtime: Runtime, books: Books, *, current: bool) -> Group:
    batch = books.batch
    document = None if current or batch.config is None else runtime.ledger.config(batch.config)
    if document is not None:
        return Group.from_document(document)
    if batch.group_key not in runtime.groups:
        raise RerunError(f"the group {batch.group_key} is not configured any more")
    return runtime.groups[batch.group_key]


def _names(books: Books, group: Group, integration: str | None) -> list[str]:
    known = [name for name in books.accounts if integration in (None, name)]
    if integration is not None and not known:
        raise RerunError(f"{books.batch.id} has no integration {integration}; it has {', '.join(books.accounts)}")
    gone = [name for name in known if name not in group.integrations]
    if gone:
        raise RerunError(f"{', '.join(gone)} is not in the group's present configuration; use --config original")
    return known


def _reopened(name: str, account: Account, rows: Rows) -> Iterator[Chunk]:
    """Yield chunks that owe the rows: those without an answer as they were sent, under their key, the rest afresh."""
    failed = rowset.both(account.rows(Outcome.FAILED), rows)
    # a destination that answered 500 until we gave up may have taken them all the same
    perhaps = [own for chunk, own in account.speaking(failed) if chunk.possible_duplicates]
    doubtful = rowset.union([rowset.both(account.rows(Outcome.UNKNOWN), rows), *perhaps])
    for chunk, own in account.speaking(doubtful):
        new, again = uuid.uuid4().hex, ChunkState.REOPENED
        yield Chunk(new, name, own, again, key=chunk.key, payload=chunk.payload, job=_unlearnt(chunk))
    if len(fresh := rowset.minus(rows, doubtful)):
        yield Chunk(uuid.uuid4().hex, name, fresh, ChunkState.REOPENED)


def _unlearnt(chunk: Chunk) -> str | None:
    """Return the job whose end nobody has learnt yet; one that has ended would only say the same again."""
    return chunk.job if chunk.outcome in (Outcome.UNKNOWN, Outcome.FAILED) else None


def _share(group: Group, name: str, chunks: list[Chunk]) -> Share:
    way = planner(group, name)
    again = [chunk for chunk in chunks if chunk.key is not None]
    fresh = sum(len(chunk.rows) for chunk in chunks if chunk.key is None)
    doubtful = sum(len(chunk.rows) for chunk in again)
    requests = len(again) + ceil(fresh / way.limits.records)
    return Share(fresh + doubtful, requests, doubtful, way.integration.resend.value)


def risk(share: Share) -> str:
    """Return a sentence on what a second sending may do at the destination."""
    if not share.possible_duplicates:
        return "no duplicates: the destination does not have these rows"
    if share.resend == Resend.BARE:
        return f"{share.possible_duplicates} rows may be doubled: the destination cannot recognise a repetition"
    return f"{share.possible_duplicates} rows may reach it twice; it recognises them by {share.resend}"


def closed(runtime: Runtime, batch_id: str) -> Batch:
    """Return a batch that is known to be there."""
    return _books(runtime, batch_id).batch


def carry_out(runtime: Runtime, rerun: Rerun, watch: Watch) -> dict[str, Any]:
    """Queue what is owed, process it now, and return the batch's receipt.

    Raises:
        RerunError: when another process has taken it meanwhile.
        RerunUnfinishedError: when it could not be brought to its end.
    """
    reopen(runtime, rerun)
    claim = runtime.ledger.claim(rerun.batch.id, owner(), LEASE)
    if claim is None:
        raise RerunError(f"{rerun.batch.id} is being processed")
    report = Report()
    receipt = attempt(runtime, claim, watch(claim.batch), report)
    if receipt is None:
        raise RerunUnfinishedError("; ".join(report.problems + report.notices))
    return receipt
