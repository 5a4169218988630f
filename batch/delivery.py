"""Delivery: sends parcels to one integration and commits, for every record, what became of it.

The order is the promise: a chunk is committed as open before its first byte leaves, and closed with its rows'
outcomes after the answer. Whatever happens in between, the ledger knows that it may have happened.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
import structlog

from batch.caller import Caller, Tally, not_sent
from batch.chunk import Chunk, ChunkState
from batch.commits import Commits
from batch.lane import Lane
from batch.outcome import Finding, Outcome
from batch.parcel import Parcel
from batch.retry import Policy
from integrations import reply as replies
from integrations import request as requests
from integrations.errors import Ambiguous, DeliveryError, Gone, Refused, Retryable, Unauthorized
from integrations.exchange import Reply, Sent, Verdict
from integrations.integration import Answers, Resend
from integrations.job import Job

_SPLITS = 64
"""Requests that may be spent on finding the culprits of one refused chunk (one bad of 500 costs 18)."""

_GONE = (404, 410)

_TAKEN = {Answers.RECORDS: Outcome.DELIVERED, Answers.REQUESTS: Outcome.ACKNOWLEDGED}

_T = TypeVar("_T")

log = structlog.get_logger()


@dataclass(slots=True)
class _Fuse:
    """How many more requests may be spent on splitting."""

    left: int = _SPLITS


class Delivery:
    """The sending half of one lane."""

    def __init__(self, lane: Lane, caller: Caller, commits: Commits, policy: Policy) -> None:
        """Send through `caller`, and commit through `commits`."""
        self._lane = lane
        self._caller = caller
        self._commits = commits
        self._policy = policy

    async def send(self, parcel: Parcel, former: Chunk | None = None) -> bool:
        """Send records and commit their outcomes; false when the program is stopping and nothing was done.

        `former` is an unanswered chunk whose key is used again.
        """
        async with self._lane.desks:
            if self._policy.stopping.is_set():
                return False
            await self._send(parcel, _Fuse(), former, maybe_taken=former is not None)
            return True

    async def _send(self, parcel: Parcel, fuse: _Fuse, former: Chunk | None = None, *, maybe_taken: bool) -> None:
        chunk = self._open(parcel, former)
        tally = Tally(maybe_taken=maybe_taken, job=chunk.job)
        if stop := self._lane.stopped:
            await self._commits.put(self._unsettled(chunk, tally, stop.code, not_sent(stop)))
            return
        await self._commits.put(chunk)
        try:
            async with self._lane.places:
                verdicts = await self._exchange(parcel, chunk, tally)
        except Refused as refusal:
            await self._after_refusal(parcel, chunk, tally, refusal, fuse)
        except DeliveryError as error:
            await self._commits.put(self._failed(chunk, tally, error))
        else:
            self._lane.succeeded()
            taken = _TAKEN[self._lane.integration.answers]
            await self._commits.put(_closed(chunk, tally, taken, _findings(parcel, verdicts)))

    async def _exchange(self, parcel: Parcel, chunk: Chunk, tally: Tally) -> Sequence[Verdict]:
        integration = self._lane.integration
        sent = Sent(len(parcel), () if parcel.identities is None else parcel.identities.to_list())
        if integration.job is None:
            return await self._posted(parcel, chunk, tally, lambda reply: replies.judge(integration, reply, sent))
        if tally.job is not None:  # of a run before this one
            with suppress(Gone):
                return await self._follow(integration.job, sent, tally)
        await self._start(integration.job, parcel, chunk, tally)
        try:
            return await self._follow(integration.job, sent, tally)
        except Gone as error:
            raise Ambiguous("job.unfinished", f"the job is not there any more: {error.message}") from None

    async def _posted(self, parcel: Parcel, chunk: Chunk, tally: Tally, meaning: Callable[[Reply], _T]) -> _T:
        lane, key = self._lane, chunk.key or chunk.id

        def make() -> requests.Request:
            return requests.build(
                lane.integration, lane.connection, parcel.text, key, int(time.time()), shared=parcel.common
            )

        return await self._caller.send(make, meaning, tally)

    async def _start(self, job: Job, parcel: Parcel, chunk: Chunk, tally: Tally) -> None:
        """Start a job, and commit its id before anything else is asked."""
        started = partial(self._remember, chunk, tally)
        if job.submit is not None:
            await self._caller.play(job.submit(self._lane.connection, parcel.text), tally, started=started)
        else:
            await started(await self._posted(parcel, chunk, tally, self._job_of))

    def _job_of(self, reply: Reply) -> str:
        integration = self._lane.integration
        job = integration.job
        if job is None or job.started is None:
            raise TypeError(f"{integration.name} starts no jobs by one request")
        accepted, read = replies.accepted(integration, reply), job.started
        return replies.understood(integration, accepted, lambda: read(accepted))

    async def _remember(self, chunk: Chunk, tally: Tally, job: str) -> None:
        tally.job = job
        await self._commits.put(replace(chunk, job=job, requests=tally.requests))

    async def _follow(self, job: Job, sent: Sent, tally: Tally) -> Sequence[Verdict]:
        settings = self._lane.connection.settings
        pace = {
            "every": settings.get("poll_seconds", job.every),
            "patience": settings.get("job_patience", job.patience),
        }
        try:
            steps = job.follow(self._lane.connection, tally.job or "", sent)
            return replies.trusted(await self._caller.play(steps, tally, **pace), sent)
        except Gone:
            raise
        except DeliveryError as error:
            if self._policy.stopping.is_set():
                raise Retryable("stopped", error.message) from None
            if error.status in _GONE:
                raise Gone("job.unfinished", error.message) from None
            if isinstance(error, Unauthorized):
                self._lane.stop(error.code, error.message)
            message = f"handed over to a job, and how it ended is not known: {error.message}"
            raise Ambiguous("job.unfinished", message) from None

    async def _after_refusal(self, parcel: Parcel, chunk: Chunk, tally: Tally, refusal: Refused, fuse: _Fuse) -> None:
        self._lane.succeeded()
        if len(parcel) == 1:
            await self._commits.put(_whole(chunk, tally, Outcome.REJECTED, refusal.code, refusal.message))
            return
        if fuse.left < 2:
            message = f"refused together with {len(parcel) - 1} other records: {refusal.message}"
            await self._commits.put(_whole(chunk, tally, Outcome.FAILED, "refused.together", message))
            return
        fuse.left -= 2
        # nothing of a refused request was stored, so its halves are owed afresh, each under a key of its own;
        # what a try before it may have stored still counts
        await self._commits.put(replace(chunk, state=ChunkState.SPLIT, requests=tally.requests))
        for half in parcel.halves():
            await self._send(half, fuse, maybe_taken=tally.maybe_taken)

    def _failed(self, chunk: Chunk, tally: Tally, error: DeliveryError) -> Chunk:
        if isinstance(error, Ambiguous):
            if error.code == "no_answer":  # one that hangs would cost a timeout for every chunk
                self._lane.gave_up("unavailable", error.message)
            return _whole(chunk, tally, Outcome.UNKNOWN, error.code, error.message)
        if isinstance(error, Retryable) and self._policy.stopping.is_set():
            # owed again: what may have been taken stays in doubt, to be sent under the same key
            state = ChunkState.OPEN if tally.maybe_taken or tally.job else ChunkState.SPLIT
            return replace(chunk, state=state, requests=tally.requests, job=tally.job)
        if isinstance(error, Retryable) and (error.retry_after or 0) <= self._policy.patience:
            self._lane.gave_up(error.code, error.message)
            self._lane.pause(error.retry_after or 0)  # what it asked for holds for the requests after this one
        else:
            self._lane.stop(error.code, error.message)
        log.info("not delivered", integration=self._lane.name, code=error.code, records=len(chunk.rows))
        return self._unsettled(chunk, tally, error.code, error.message)

    def _unsettled(self, chunk: Chunk, tally: Tally, code: str, message: str) -> Chunk:
        """Close a chunk as failed; or as still unknown, where sending it once more could double its rows."""
        doubled = tally.maybe_taken and self._lane.integration.resend is Resend.BARE
        return _whole(chunk, tally, Outcome.UNKNOWN if doubled else Outcome.FAILED, code, message)

    def _open(self, parcel: Parcel, former: Chunk | None) -> Chunk:
        name, payload = uuid.uuid4().hex, parcel.payload
        same = former is not None and former.payload == payload
        key, job = (former.key, former.job) if former and same else (name, None)
        return Chunk(name, self._lane.name, parcel.rows, ChunkState.OPEN, key=key, payload=payload, job=job)


def _closed(chunk: Chunk, tally: Tally, outcome: Outcome, findings: Iterable[Finding] = ()) -> Chunk:
    return replace(
        chunk,
        state=ChunkState.CLOSED,
        outcome=outcome,
        findings=tuple(findings),
        requests=tally.requests,
        job=tally.job,
        # sent more than once, and an earlier time may have had its effect
        possible_duplicates=len(chunk.rows) if tally.maybe_taken else 0,
    )


def _whole(chunk: Chunk, tally: Tally, outcome: Outcome, code: str, message: str) -> Chunk:
    return _closed(chunk, tally, outcome, [Finding(outcome, code, None, message, chunk.rows)])


def _findings(parcel: Parcel, verdicts: Sequence[Verdict]) -> Iterable[Finding]:
    """Group the verdicts by what they say, each with its rows."""
    alike: dict[tuple[Outcome, str, str], list[int]] = {}
    for verdict in verdicts:
        alike.setdefault((Outcome(verdict.outcome), _code(verdict), verdict.message), []).append(verdict.index)
    for (outcome, code, message), indices in alike.items():
        yield Finding(outcome, code, None, message, parcel.rows[np.isin(parcel.by_row, indices)])


def _code(verdict: Verdict) -> str:
    match verdict.outcome:
        case "unknown":
            return "bad_answer"
        case "failed":
            return "unprocessed"
    return verdict.code if verdict.code.startswith("consent.") else f"rejected.{verdict.code or 'other'}"
