"""The caller: asks one destination, at its pace and as stubbornly as the policy says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import aiohttp
import structlog

from batch.http import Bounds, exchange
from batch.lane import Lane, Stop
from batch.retry import Policy, retrying, sleep
from integrations import reply as replies
from integrations import request as requests
from integrations.errors import Ambiguous, Retryable, Unauthorized
from integrations.exchange import Reply
from integrations.integration import Resend
from integrations.request import Request
from integrations.steps import Call, Pause, Started, Steps

_SLOWEST = 60.0
"""Seconds between two questions after a job at most: they grow from one to the next."""

_PAGES = 1000
"""Calls that one step of a conversation may take: the pages of a list, and no more."""

_T = TypeVar("_T")

log = structlog.get_logger()


@dataclass(slots=True)
class Tally:
    """What sending one chunk has cost so far, and the job that it started."""

    requests: int = 0
    maybe_taken: bool = False
    job: str | None = None


@dataclass(frozen=True, slots=True)
class _Done(Generic[_T]):
    value: _T


async def _unexpected(_job: str) -> None:
    raise TypeError("nothing that only asks starts a job")


class Caller:
    """Makes the calls of one lane."""

    def __init__(self, lane: Lane, client: aiohttp.ClientSession, policy: Policy, bounds: Bounds) -> None:
        """Call over `client`, and take answers within `bounds`."""
        self._lane = lane
        self._client = client
        self._policy = policy
        self._bounds = bounds

    async def send(self, make: Callable[[], Request], meaning: Callable[[Reply], _T], tally: Tally) -> _T:
        """Send records, and return what the reply means.

        Args:
            make: makes the request anew for each try, for its signature may hold the time.
            meaning: from a reply to what it means.
            tally: what it costs.

        Raises:
            DeliveryError: when there is no answer that can be trusted.
        """
        return await self._ask(make, meaning, tally, self._note)

    async def play(
        self,
        steps: Steps[_T],
        tally: Tally,
        *,
        started: Callable[[str], Awaitable[None]] = _unexpected,
        every: float = 0,
        patience: float = 0,
    ) -> _T:
        """Carry out steps, and return what they come to.

        Args:
            steps: what is to be asked.
            tally: what it costs.
            started: is told the id of a job that was started, and returns when that is remembered.
            every: seconds between two questions after a job, at first.
            patience: seconds after which no more is asked.

        Raises:
            DeliveryError: when a step gets no answer that can be trusted, or the job does not end in time.
        """
        reply: Reply | None = None
        clock = asyncio.get_running_loop()
        ends, calls = clock.time() + patience, 0
        while True:
            step = replies.understood(self._lane.integration, reply or Reply(200), partial(_next, steps, reply))
            match step:
                case _Done(value):
                    return value
                case Started(job):
                    await started(job)
                case Pause():
                    if clock.time() + every > ends:
                        raise Ambiguous("job.unfinished", f"the job has not ended within {patience:g} s")
                    calls = 0
                    await sleep(every, self._policy.stopping)
                    every = min(every * 1.5, _SLOWEST)
                case Call():
                    calls += 1
                    if calls > _PAGES:  # a page that names itself as the next would be turned for ever
                        raise Ambiguous("bad_answer", f"the answers lead on after {_PAGES} calls")
                    reply = await self._call(step, tally)

    async def _call(self, call: Call, tally: Tally) -> Reply:
        lane = self._lane

        def make() -> Request:
            return requests.call(lane.integration, lane.connection, call, int(time.time()))

        def meaning(reply: Reply) -> Reply:
            return replies.accepted(lane.integration, reply)

        try:
            return await self._ask(make, meaning, tally, _asks if call.method == "GET" else self._note)
        except Unauthorized as error:
            if make().foreign:  # another host's no says nothing of our credentials
                raise Ambiguous("bad_answer", error.message) from None
            raise

    async def _ask(
        self,
        make: Callable[[], Request],
        meaning: Callable[[Reply], _T],
        tally: Tally,
        note: Callable[[Retryable | Ambiguous, Tally], None],
    ) -> _T:
        async for attempt in retrying(self._policy, self._before_wait):
            with attempt:
                await self._turn()
                tally.requests += 1
                try:
                    return meaning(await exchange(self._client, make(), self._bounds))
                except (Retryable, Ambiguous) as error:
                    note(error, tally)
                    raise
        raise AssertionError("a retrier returns or raises")

    async def _turn(self) -> None:
        """Wait until a request may leave; much may have happened meanwhile."""
        await self._lane.turn(self._policy.stopping)
        if self._policy.stopping.is_set():
            raise Retryable("stopped", "the program was asked to stop")
        if self._lane.stopped:
            raise Unauthorized(self._lane.stopped.code, not_sent(self._lane.stopped))

    def _note(self, error: Retryable | Ambiguous, tally: Tally) -> None:
        if isinstance(error, Ambiguous) or not error.maybe_taken:
            return
        if self._lane.integration.resend is Resend.BARE:
            raise Ambiguous("no_answer", error.message)
        tally.maybe_taken = True

    def _before_wait(self, error: Retryable, seconds: float) -> None:
        log.info("waiting", integration=self._lane.name, code=error.code, seconds=round(seconds, 1))
        if error.slow_down or error.retry_after is not None:
            self._lane.pause(seconds)


def _asks(error: Retryable | Ambiguous, _tally: Tally) -> None:
    if isinstance(error, Ambiguous):  # who only asks may ask again
        raise Retryable("unavailable", error.message) from None


def not_sent(stop: Stop) -> str:
    """Return why a record was not sent to an integration that was stopped."""
    return f"not sent, because the integration was stopped: {stop.message}"


def _next(steps: Steps[_T], reply: Reply | None) -> Call | Started | Pause | _Done[_T]:
    try:
        return next(steps) if reply is None else steps.send(reply)
    except StopIteration as end:
        return _Done(end.value)
