"""A lane: one integration of one batch while it is delivered, with its limits and its reasons to stop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import structlog
from aiolimiter import AsyncLimiter

from batch.retry import Signal
from integrations.exchange import Connection
from integrations.integration import Integration, Limits, Resend

_STRIKES = 3
"""So many requests in a row that used up their tries, or got no answer, and the destination counts as down."""

_GLANCE = 0.2

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a lane stopped: the code of the failure and a sentence."""

    code: str
    message: str


@dataclass(eq=False)
class Lane:
    """Holds the requests of one integration to its limits, and stops them all when one shows that none can pass."""

    name: str
    integration: Integration
    connection: Connection
    limits: Limits
    stopped: Stop | None = None
    _strikes: int = 0
    _not_before: float = 0.0
    places: asyncio.Semaphore = field(init=False)
    """The right to have a request in flight, held through its retries."""
    desks: asyncio.Semaphore = field(init=False)
    """The right to have a chunk open; a few more than requests, so that commits of some go on while others travel."""
    _paces: list[AsyncLimiter] = field(init=False)

    def __post_init__(self) -> None:
        self.places = asyncio.Semaphore(self.limits.in_flight)
        # an open chunk that was not sent yet would count as doubtful after a kill, which a bare destination dislikes
        spare = 0 if self.integration.resend is Resend.BARE else 2 * self.limits.in_flight
        self.desks = asyncio.Semaphore(self.limits.in_flight + spare)
        # one a slot instead of many a second: a burst would put twice the allowed number into the first second
        longer = {60: self.limits.per_minute, 3600: self.limits.per_hour, 86_400: self.limits.per_day}
        within = [AsyncLimiter(most, seconds) for seconds, most in longer.items() if most]
        self._paces = [*within, AsyncLimiter(1, 1 / self.limits.per_second)]

    async def turn(self, stopping: Signal) -> None:
        """Wait until the next request may leave, or the program is to stop."""
        clock = asyncio.get_running_loop()
        while not stopping.is_set():
            if (wait := self._not_before - clock.time()) > 0:
                await asyncio.sleep(min(wait, _GLANCE))  # another request may have moved the time meanwhile
                continue
            for pace in self._paces:
                await pace.acquire()
            if clock.time() >= self._not_before:  # a pause may have come while this one waited for its place
                return

    def pause(self, seconds: float) -> None:
        """Hold every request of the lane back: the destination asked for it."""
        self._not_before = max(self._not_before, asyncio.get_running_loop().time() + seconds)

    def stop(self, code: str, message: str) -> None:
        """Send nothing more; the first reason stands, and is told once."""
        if self.stopped is None:
            log.warning("integration stopped", integration=self.name, code=code)
            self.stopped = Stop(code, message)

    def succeeded(self) -> None:
        """Note that the destination works."""
        self._strikes = 0

    def gave_up(self, code: str, message: str) -> None:
        """Note a request that used up its tries, or that nothing answered; several in a row stop the lane."""
        self._strikes += 1
        if self._strikes >= _STRIKES:
            self.stop(code, message)
