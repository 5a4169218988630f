"""Trying again: how often, after how long, and when it is given up; by a clock that jumps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clock import Clock

from batch.retry import Policy, retrying
from integrations.errors import Refused, Retryable

DOWN = Retryable("unavailable", "down")
SLOW = Retryable("slow_down", "slow", slow_down=True)


def after(seconds: float, *, slow_down: bool = True) -> Retryable:
    return Retryable("slow_down", "wait", retry_after=seconds, slow_down=slow_down)


class Trial:
    """Requests that fail as the list says, the last answer for ever; None is a success."""

    def __init__(self, *answers: Exception | None, policy: Policy | None = None, each: float = 0.0) -> None:
        self.tries: list[float] = []
        self.waits: list[float] = []
        self._answers, self._each, self._policy = list(answers), each, policy or Policy()
        self._clock = Clock()
        self._begin = self._clock.now
        self.on_try: Callable[[int], None] = lambda _number: None

    def run(self) -> float:
        """Run to the end, and return the seconds that it took."""
        self._clock.run(self._attempts())
        return self._clock.now - self._begin

    async def _attempts(self) -> None:
        async for attempt in retrying(self._policy, lambda _error, seconds: self.waits.append(seconds)):
            with attempt:
                self.tries.append(self._clock.now - self._begin)
                self.on_try(len(self.tries))
                await asyncio.sleep(self._each)
                answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
                if answer is not None:
                    raise answer


def given_up(trial: Trial) -> Retryable:
    with pytest.raises(Retryable) as error:
        trial.run()
    return error.value


def test_a_success_is_not_repeated() -> None:
    trial = Trial(None)
    trial.run()
    assert (len(trial.tries), trial.waits) == (1, [])


@pytest.mark.parametrize("tries", [1, 2, 5])
def test_a_failing_destination_is_tried_so_often(tries: int) -> None:
    trial = Trial(DOWN, policy=Policy(tries=tries))
    assert given_up(trial) is DOWN
    assert len(trial.tries) == tries
    assert len(trial.waits) == tries - 1


def test_waits_grow() -> None:
    trial = Trial(DOWN, policy=Policy(tries=12))
    given_up(trial)
    for number, wait in enumerate(trial.waits):
        assert min(0.5 * 2**number, 30) <= wait <= min(0.5 * 2**number + 0.5, 30)


def test_the_last_error_is_the_one_that_is_told() -> None:
    assert given_up(Trial(SLOW, DOWN, after(1), DOWN, policy=Policy(tries=2))) is DOWN


def test_at_once_is_not_asked_again_and_again() -> None:
    trial = Trial(*[after(0, slow_down=True)] * 5, None, policy=Policy(patience=300))
    assert trial.run() > 3


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=6), st.booleans())
def test_a_wait_that_was_asked_for_is_kept_as_asked(seconds: list[float], slow_down: bool) -> None:
    answers = [after(one, slow_down=slow_down) for one in seconds]
    trial = Trial(*answers, None, policy=Policy(tries=20, patience=1000))
    took = trial.run()
    assert trial.waits == seconds
    for (one, other), asked in zip(zip(trial.tries, trial.tries[1:], strict=False), seconds, strict=True):
        assert other - one >= asked - 1e-3
    assert took == pytest.approx(sum(seconds), abs=1e-2)


@pytest.mark.parametrize("slow_down", [True, False])
def test_a_longer_wait_than_there_is_patience_for_is_not_begun(slow_down: bool) -> None:
    trial = Trial(after(301, slow_down=slow_down), policy=Policy(patience=300))
    given_up(trial)
    assert len(trial.tries) == 1


def test_slow_down_costs_patience_and_no_tries() -> None:
    trial = Trial(after(10), policy=Policy(tries=2, patience=95))
    given_up(trial)
    assert trial.tries == pytest.approx([10.0 * number for number in range(10)], abs=1e-2)
    mixed = Trial(*[after(1)] * 8, DOWN, after(1), None, policy=Policy(tries=2))
    mixed.run()
    assert len(mixed.tries) == 11


def test_patience_counts_the_time_of_the_requests_too() -> None:
    trial = Trial(after(10), policy=Policy(patience=95), each=20)
    given_up(trial)
    assert trial.tries == pytest.approx([0, 30, 60, 90], abs=1e-2)


def test_slow_down_without_a_time_waits_longer_and_longer() -> None:
    trial = Trial(SLOW, policy=Policy(tries=1, patience=300))
    given_up(trial)
    assert 10 < len(trial.tries) < 20
    assert 270 < trial.tries[-1] <= 300


def test_what_is_not_retryable_is_raised_at_once() -> None:
    trial = Trial(Refused("refused", "no"))
    with pytest.raises(Refused):
        trial.run()
    assert len(trial.tries) == 1


@pytest.mark.parametrize("answer", [DOWN, SLOW, after(10)])
def test_when_stopping_nothing_is_tried_again(answer: Retryable) -> None:
    stopping = Event()
    stopping.set()
    trial = Trial(answer, policy=Policy(stopping=stopping))
    given_up(trial)
    assert len(trial.tries) == 1


def test_stopping_ends_a_wait() -> None:
    stopping = Event()
    trial = Trial(after(200), policy=Policy(stopping=stopping))
    clock = trial._clock

    async def stop() -> None:
        await asyncio.sleep(50)
        stopping.set()

    async def both() -> None:
        stopper = asyncio.create_task(stop())
        try:
            await trial._attempts()
        finally:
            await stopper

    with pytest.raises(Retryable):
        clock.run(both())
    assert clock.now - 1000 < 51
    assert len(trial.tries) <= 2


def test_each_request_has_tries_of_its_own() -> None:
    policy = Policy(tries=3)
    for _ in range(3):
        trial = Trial(DOWN, DOWN, None, policy=policy)
        trial.run()
        assert len(trial.tries) == 3
