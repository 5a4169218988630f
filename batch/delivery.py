"""Delivery: sends parcels to one integration and commits, for every record, what became of it.

The order is the promise: a chunk is committed as open before its first byte leaves, and closed with its rows'
outcomes after the answer. Whatever happens in between, the ledger knows that it may have happened.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import aiohttp
import numpy as np
import structlog

from batch.chunk import Chunk, ChunkState
from batch.commits import Commits
from batch.http import Bounds, exchange
from batch.lane import Lane, Stop
from batch.outcome import Finding, Outcome
from batch.parcel import Parcel
from batch.retry import Policy, retrying
from integrations import reply as replies
from integrations import request as requests
from integrations.errors import Ambiguous, DeliveryError, Refused, Retryable, Unauthorized
from integrations.integration import Resend, Sent, Verdict

_SPLITS = 64
"""Requests that may be spent on finding the culprits of one refused chunk (one bad of 500 costs 18)."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Tally:
    """What sending one chunk has cost so far."""

    requests: int = 0
    maybe_taken: bool = False


@dataclass(slots=True)
class _Fuse:
    """How many more requests may be spent on splitting."""

    left: int = _SPLITS


class Delivery:
    """The sending half of one lane."""

    def __init__(self, lane: Lane, client: aiohttp.ClientSession, commits: Commits, policy: Policy, bounds: Bounds):
        """Send over `client`, take answers within `bounds`, and commit through `commits`."""
        self._lane = lane
        self._client = client
        self._commits = commits
        self._policy = policy
        self._bounds = bounds

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
        chunk, tally = self._open(parcel, former), _Tally(maybe_taken=maybe_taken)
        if stop := self._lane.stopped:
            await self._commits.put(self._unsettled(chunk, tally, stop.code, _not_sent(stop)))
            return
        await self._commits.put(chunk)
        try:
            async with self._lane.places:
                verdicts = await self._exchange(parcel, chunk.key or chunk.id, tally)
        except Refused as refusal:
            await self._after_refusal(parcel, chunk, tally, refusal, fuse)
        except DeliveryError as error:
            await self._commits.put(self._failed(chunk, tally, error))
        else:
            self._lane.succeeded()
            await self._commits.put(_closed(chunk, tally, Outcome.DELIVERED, _findings(chunk, verdicts)))

    async def _exchange(self, parcel: Parcel, key: str, tally: _Tally) -> Sequence[Verdict]:
        sent = Sent(len(parcel), () if parcel.identities is None else parcel.identities.to_list())
        async for attempt in retrying(self._policy, self._before_wait):
            with attempt:
                await self._turn()
                tally.requests += 1
                request = requests.build(
                    self._lane.integration, self._lane.connection, parcel.text, key, int(time.time())
                )
                try:
                    answer = await exchange(self._client, request, self._bounds)
                    return replies.judge(self._lane.integration, answer, sent)
                except Retryable as error:
                    self._note(error, tally)
                    raise
        raise AssertionError("a retrier returns or raises")

    async def _turn(self) -> None:
        """Wait until a request may leave; much may have happened meanwhile."""
        await self._lane.turn(self._policy.stopping)
        if self._policy.stopping.is_set():
            raise Retryable("stopped", "the program was asked to stop")
        if self._lane.stopped:
            raise Unauthorized(self._lane.stopped.code, _not_sent(self._lane.stopped))

    def _note(self, error: Retryable, tally: _Tally) -> None:
        if not error.maybe_taken:
            return
        if self._lane.integration.resend is Resend.BARE:
            raise Ambiguous("no_answer", error.message)
        tally.maybe_taken = True

    def _before_wait(self, error: Retryable, seconds: float) -> None:
        log.info("waiting", integration=self._lane.name, code=error.code, seconds=round(seconds, 1))
        if error.slow_down or error.retry_after is not None:
            self._lane.pause(seconds)

    async def _after_refusal(self, parcel: Parcel, chunk: Chunk, tally: _Tally, refusal: Refused, fuse: _Fuse) -> None:
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

    def _failed(self, chunk: Chunk, tally: _Tally, error: DeliveryError) -> Chunk:
        if isinstance(error, Ambiguous):
            if error.code == "no_answer":  # one that hangs would cost a timeout for every chunk
                self._lane.gave_up("unavailable", error.message)
            return _whole(chunk, tally, Outcome.UNKNOWN, error.code, error.message)
        if isinstance(error, Retryable) and self._policy.stopping.is_set():
            # owed again: what may have been taken stays in doubt, to be sent under the same key
            state = ChunkState.OPEN if tally.maybe_taken else ChunkState.SPLIT
            return replace(chunk, state=state, requests=tally.requests)
        if isinstance(error, Retryable) and (error.retry_after or 0) <= self._policy.patience:
            self._lane.gave_up(error.code, error.message)
            self._lane.pause(error.retry_after or 0)  # what it asked for holds for the requests after this one
        else:
            self._lane.stop(error.code, error.message)
        log.info("not delivered", integration=self._lane.name, code=error.code, records=len(chunk.rows))
        return self._unsettled(chunk, tally, error.code, error.message)

    def _unsettled(self, chunk: Chunk, tally: _Tally, code: str, message: str) -> Chunk:
        """Close a chunk as failed; or as still unknown, where sending it once more could double its rows."""
        doubled = tally.maybe_taken and self._lane.integration.resend is Resend.BARE
        return _whole(chunk, tally, Outcome.UNKNOWN if doubled else Outcome.FAILED, code, message)

    def _open(self, parcel: Parcel, former: Chunk | None) -> Chunk:
        name, payload = uuid.uuid4().hex, parcel.payload
        key = former.key if former and former.payload == payload else name
        return Chunk(name, self._lane.name, parcel.rows, ChunkState.OPEN, key=key, payload=payload)


def _not_sent(stop: Stop) -> str:
    return f"not sent, because the integration was stopped: {stop.message}"


def _closed(chunk: Chunk, tally: _Tally, outcome: Outcome, findings: Iterable[Finding] = ()) -> Chunk:
    return replace(
        chunk,
        state=ChunkState.CLOSED,
        outcome=outcome,
        findings=tuple(findings),
        requests=tally.requests,
        # sent more than once, and an earlier time may have had its effect
        possible_duplicates=len(chunk.rows) if tally.maybe_taken else 0,
    )


def _whole(chunk: Chunk, tally: _Tally, outcome: Outcome, code: str, message: str) -> Chunk:
    return _closed(chunk, tally, outcome, [Finding(outcome, code, None, message, chunk.rows)])


def _findings(chunk: Chunk, verdicts: Sequence[Verdict]) -> Iterable[Finding]:
    """Group the verdicts by what they say, each with its rows."""
    alike: dict[tuple[Outcome, str, str], list[int]] = {}
    for verdict in verdicts:
        rejected = verdict.outcome == "rejected"
        code = f"rejected.{verdict.code or 'other'}" if rejected else "bad_answer"
        outcome = Outcome.REJECTED if rejected else Outcome.UNKNOWN
        alike.setdefault((outcome, code, verdict.message), []).append(verdict.index)
    for (outcome, code, message), indices in alike.items():
        yield Finding(outcome, code, None, message, chunk.rows[np.sort(indices)])
