"""Turns: who may send to which destination, while others are under way."""

from __future__ import annotations

import asyncio
from threading import Event

import pytest

from batch.turns import Line, Turn

NAMES = ("fast", "slow")
GO = Event()


async def comes(turn: Turn, name: str, halted: Event = GO, seconds: float = 0.2) -> bool | None:
    """Send to a destination in turn; None when the turn does not come for so long."""

    async def send() -> bool:
        async with turn.at(name, halted) as free:
            return free

    try:
        return await asyncio.wait_for(send(), seconds)
    except TimeoutError:
        return None


def came(turn: Turn, name: str, halted: Event = GO) -> bool | None:
    return asyncio.run(comes(turn, name, halted))


def test_a_turn_of_its_own_waits_for_nobody() -> None:
    one = Turn()
    assert [came(one, name) for name in (*NAMES, *NAMES)] == [True] * 4
    assert not one.barred


def test_each_destination_is_free_when_the_one_before_has_passed_it() -> None:
    line = Line(lambda: None)
    first, second, third = line.draw(), line.draw(), line.draw()
    assert came(second, "fast") is None
    assert came(first, "fast")
    assert came(third, "fast") is None
    assert came(second, "fast")
    assert came(third, "fast")
    assert came(second, "slow") is None


def test_one_who_waits_goes_on_when_the_one_before_is_through() -> None:
    line = Line(lambda: None)
    first, second = line.draw(), line.draw()

    async def both() -> list[str]:
        order: list[str] = []

        async def send(turn: Turn, name: str) -> None:
            async with turn.at("fast", GO):
                await asyncio.sleep(0.1)
                order.append(name)

        await asyncio.gather(send(second, "second"), send(first, "first"))
        return order

    assert asyncio.run(both()) == ["first", "second"]


def test_a_closed_batch_is_in_nobodys_way() -> None:
    line = Line(lambda: None)
    first, second = line.draw(), line.draw()
    first.end(closed=True)
    assert [came(second, name) for name in NAMES] == [True, True]


def test_a_batch_holds_up_only_where_it_goes() -> None:
    line = Line(lambda: None)
    first, second = line.draw(), line.draw()
    first.goes_to({"slow"})
    assert (came(second, "fast"), came(second, "slow")) == (True, None)


def test_nothing_overtakes_a_batch_that_ended_without_being_closed() -> None:
    line = Line(lambda: None)
    first, second, third = line.draw(), line.draw(), line.draw()
    assert came(first, "fast")
    first.end(closed=False)
    assert (second.barred, third.barred) == (True, True)
    assert (came(second, "fast"), came(second, "slow")) == (True, False)  # what it had passed it had passed
    second.end(closed=False)
    assert came(third, "slow") is False


def test_what_was_not_sent_was_not_passed() -> None:
    line = Line(lambda: None)
    first, second = line.draw(), line.draw()
    halted = Event()
    halted.set()
    assert came(first, "fast", halted) is True  # it was free, but the sender was told to stop
    assert came(second, "fast") is None

    async def fails() -> None:
        async with first.at("fast", GO):
            raise OSError

    with pytest.raises(OSError):  # noqa: PT011
        asyncio.run(fails())
    assert came(second, "fast") is None


def test_who_is_told_to_stop_waits_no_longer() -> None:
    line = Line(lambda: None)
    _, second = line.draw(), line.draw()
    halted = Event()

    async def stopped() -> bool | None:
        asyncio.get_running_loop().call_later(0.1, halted.set)
        return await comes(second, "fast", halted, seconds=10)

    assert asyncio.run(stopped()) is False


def test_a_line_has_room_when_a_destination_is_free() -> None:
    told = Event()
    line = Line(told.set)
    assert line.has_room(NAMES)
    first = line.draw()
    assert not line.has_room(NAMES)
    assert came(first, "fast")
    assert told.is_set()
    assert line.has_room(NAMES)
    second = line.draw()
    assert not line.has_room(NAMES)
    assert len(line) == 2
    first.end(closed=True)
    second.end(closed=True)
    assert line.has_room(NAMES)
    assert len(line) == 0


def test_a_line_is_cleared_before_it_begins_anew_after_a_failure() -> None:
    line = Line(lambda: None)
    first, second = line.draw(), line.draw()
    assert came(first, "fast")
    assert came(second, "fast")
    first.end(closed=False)
    assert not line.has_room(NAMES)
    second.end(closed=False)
    assert line.has_room(NAMES)
    assert came(line.draw(), "slow")


def test_a_line_forgets_those_that_are_done() -> None:
    line = Line(lambda: None)
    last = line.draw()
    for _ in range(100):
        one = line.draw()
        last.end(closed=True)
        last = one
    assert len(line._turns) < 4
    assert len(last._before) == 1
