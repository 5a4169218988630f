"""When a request is tried again, and how long to wait before: the one place for it, over tenacity."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import Protocol

import tenacity
from tenacity.wait import wait_exponential_jitter

from integrations.errors import Retryable

_BACKOFF = wait_exponential_jitter(multiplier=0.5, max=30, jitter=0.5)
_GLANCE = 0.2


class Signal(Protocol):
    """Says that nothing more is to be sent; a thread may set it at any time."""

    def is_set(self) -> bool:
        """Say whether it is so."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How stubborn a delivery is: tries when a destination fails, seconds of patience when it says "slow down".

    When `stopping` is set, waits end and nothing is tried again.
    """

    tries: int = 5
    patience: float = 300
    stopping: Signal = field(default_factory=Event)


def retrying(policy: Policy, before_wait: Callable[[Retryable, float], None]) -> tenacity.AsyncRetrying:
    """Return a retrier that repeats on `Retryable` and raises the last one when it gives up.

    A wait that the destination asked for is kept as asked; `before_wait` is told of each wait and its seconds.
    """
    return tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception_type(Retryable),
        wait=_wait,
        stop=_Limit(policy),
        before_sleep=lambda state: before_wait(_error(state), state.upcoming_sleep),
        sleep=lambda seconds: sleep(seconds, policy.stopping),
        reraise=True,
    )


async def sleep(seconds: float, stopping: Signal) -> None:
    """Wait so many seconds, or until the program is to stop."""
    ends = time.monotonic() + seconds
    while not stopping.is_set() and (left := ends - time.monotonic()) > 0:  # noqa: ASYNC110
        await asyncio.sleep(min(left, _GLANCE))  # a thread sets the event, which no coroutine can wait for


def _wait(state: tenacity.RetryCallState) -> float:
    asked = _error(state).retry_after
    return asked or _BACKOFF(state)  # "at once" would be asked again and again


@dataclass(slots=True)
class _Limit:
    """Says after each try of one request whether it was the last; "slow down" costs patience and no try."""

    policy: Policy
    failures: int = 0

    def __call__(self, state: tenacity.RetryCallState) -> bool:
        error = _error(state)
        if self.policy.stopping.is_set() or state.upcoming_sleep > self.policy.patience:
            return True
        if error.slow_down:
            return (state.seconds_since_start or 0) + state.upcoming_sleep > self.policy.patience
        self.failures += 1
        return self.failures >= self.policy.tries


def _error(state: tenacity.RetryCallState) -> Retryable:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, Retryable):
        raise TypeError("only Retryable is tried again")
    return error
