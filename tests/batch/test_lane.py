"""A lane keeps to its destination's limits, and stops when nothing can pass; by a clock that jumps."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clock import Clock

from batch.lane import Lane
from integrations.catalog import CATALOG
from integrations.integration import Limits, Resend

HAIR = 1e-3


def a_lane(per_second: float = 10, in_flight: int = 4, resend: Resend = Resend.KEY) -> Lane:
    integration = replace(CATALOG["webhook"], resend=resend)
    return Lane("webhook", integration, integration.sample, Limits(10, 1000, per_second, in_flight))


def departures(
    lane: Lane,
    arrivals: list[float],
    pauses: Sequence[tuple[float, float]] = (),
    stopping: Event | None = None,
) -> list[float]:
    """Return when requests leave that arrive at these times, while the destination asks for pauses at others."""
    clock, left = Clock(), []

    async def request(at: float) -> None:
        await asyncio.sleep(at)
        await lane.turn(stopping or Event())
        left.append(clock.now - 1000)

    async def pause(at: float, seconds: float) -> None:
        await asyncio.sleep(at)
        lane.pause(seconds)

    async def all_of_them() -> None:
        await asyncio.gather(*(pause(*one) for one in pauses), *(request(at) for at in arrivals))

    clock.run(all_of_them())
    return left


SECONDS = st.floats(0, 5)


@given(st.integers(1, 20), st.lists(SECONDS, max_size=60), st.lists(st.tuples(SECONDS, SECONDS), max_size=3))
def test_never_more_than_so_many_in_any_second(
    per_second: int, arrivals: list[float], pauses: list[tuple[float, float]]
) -> None:
    left = sorted(departures(a_lane(per_second), arrivals, pauses))
    assert len(left) == len(arrivals)
    for index, at in enumerate(left):
        assert sum(at <= other < at + 1 - HAIR for other in left[index:]) <= per_second


@given(st.lists(SECONDS, max_size=30), st.lists(st.tuples(SECONDS, SECONDS), max_size=3))
def test_nothing_leaves_during_a_pause(arrivals: list[float], pauses: list[tuple[float, float]]) -> None:
    for left in departures(a_lane(3), arrivals, pauses):
        assert not any(at + HAIR < left < at + seconds - HAIR for at, seconds in pauses)


def test_those_that_wait_for_their_place_heed_a_pause() -> None:
    left = departures(a_lane(1), [0, 0, 0], [(0.5, 10)])
    assert left[0] == pytest.approx(0, abs=HAIR)
    assert left[1] >= 10.5 - HAIR
    assert left[2] - left[1] >= 1 - HAIR


def test_no_time_is_wasted() -> None:
    assert departures(a_lane(10), [0] * 11)[-1] == pytest.approx(1, abs=HAIR)
    assert departures(a_lane(0.5), [0, 0]) == pytest.approx([0, 2], abs=HAIR)


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    assert departures(a_lane(), [2], [(0, 10), (1, 1)]) == pytest.approx([10], abs=0.3)


def test_stopping_ends_a_pause() -> None:
    stopping = Event()
    stopping.set()
    assert departures(a_lane(), [1], [(0, 300)], stopping) == pytest.approx([1], abs=HAIR)


def test_in_flight_are_so_many() -> None:
    lane, clock = a_lane(1000, in_flight=3), Clock()
    now, most = 0, 0

    async def request() -> None:
        nonlocal now, most
        async with lane.places:
            now += 1
            most = max(most, now)
            await asyncio.sleep(1)
            now -= 1

    async def many() -> None:
        await asyncio.gather(*(request() for _ in range(20)))

    clock.run(many())
    assert most == 3


def test_a_bare_destination_has_no_chunk_open_that_is_not_being_sent() -> None:
    assert a_lane(in_flight=4, resend=Resend.BARE).desks._value == 4
    assert a_lane(in_flight=4).desks._value > 4


def test_three_strikes_in_a_row_stop_it() -> None:
    lane = a_lane()
    for code in ("one", "two"):
        lane.gave_up(code, "down")
    lane.succeeded()
    for code in ("three", "four"):
        lane.gave_up(code, "down")
        assert lane.stopped is None
    lane.gave_up("unreachable", "still down")
    assert lane.stopped is not None
    assert (lane.stopped.code, lane.stopped.message) == ("unreachable", "still down")


def test_the_first_reason_to_stop_stands() -> None:
    lane = a_lane()
    lane.stop("auth.refused", "401")
    lane.stop("address.refused", "404")
    for _ in range(3):
        lane.gave_up("unavailable", "503")
    assert lane.stopped is not None
    assert lane.stopped.code == "auth.refused"
