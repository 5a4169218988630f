"""Settling: those who wait are told together, and when their time is over in any case."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection
from typing import Any

import pytest
from support.clock import Clock

from api.settling import Settling
from batch.errors import LedgerError


class Packets:
    """What stands in for the ledger's packets, with a count of looks."""

    def __init__(self) -> None:
        self.done: set[str] = set()
        self.asked: list[list[str]] = []
        self.before: Callable[[], None] = lambda: None

    def closed(self, ids: Collection[str]) -> set[str]:
        self.asked.append(sorted(ids))
        found = self.done.intersection(ids)
        self.before()
        return found


@pytest.fixture
def packets() -> Packets:
    return Packets()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that jumps; it would jump over whatever goes on in another thread."""

    async def here(function: Callable[..., object], *given: object) -> object:
        return function(*given)

    monkeypatch.setattr(asyncio, "to_thread", here)
    return Clock()


@pytest.fixture
def stopping() -> threading.Event:
    return threading.Event()


@pytest.fixture
def settling(packets: Packets, stopping: threading.Event) -> Settling:
    ledger: Any = packets
    return Settling(ledger, stopping)


def test_all_who_wait_are_told_when_theirs_is_closed(clock: Clock, settling: Settling, packets: Packets) -> None:
    async def work() -> None:
        early = [asyncio.create_task(settling.wait(f"one-{n}", 600)) for n in range(50)]
        late = asyncio.create_task(settling.wait("2026-other-1", 600))
        await asyncio.sleep(10)
        assert not any(task.done() for task in (*early, late))
        packets.done.add("one")
        await asyncio.gather(*early)
        assert not late.done()
        packets.done.add("2026-other")
        await late

    began = clock.now
    clock.run(work())
    assert clock.now - began < 20
    assert packets.asked[0] == ["2026-other", "one"]
    assert packets.asked[-1] == ["2026-other"]


def test_time_is_over_for_each_by_itself(clock: Clock, settling: Settling, packets: Packets) -> None:
    async def work() -> None:
        began = clock.now
        await asyncio.gather(settling.wait("one-1", 3), settling.wait("two-1", 7))
        assert 7 <= clock.now - began < 8

    clock.run(work())
    assert packets.asked[-1] == ["two"]


def test_nobody_looks_when_nobody_waits(clock: Clock, settling: Settling, packets: Packets) -> None:
    async def work() -> None:
        await settling.wait("one-1", 1)
        await asyncio.sleep(1)
        looks = len(packets.asked)
        await asyncio.sleep(100)
        assert len(packets.asked) == looks
        packets.done.add("two")
        await settling.wait("two-1", 600)  # looks again

    began = clock.now
    clock.run(work())
    assert clock.now - began < 110


def test_what_was_closed_and_reopened_is_waited_for_again(clock: Clock, settling: Settling, packets: Packets) -> None:
    """An answer of a former look says nothing of now."""

    async def work() -> None:
        packets.done.add("one")
        await settling.wait("one-1", 60)
        packets.done.clear()
        await asyncio.sleep(1)
        began = clock.now
        await settling.wait("one-1", 5)
        assert clock.now - began >= 5

    clock.run(work())


def test_who_leaves_while_the_ledger_is_read_leaves_nothing_behind(settling: Settling, packets: Packets) -> None:
    read, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        read.set()
        go_on.wait(30)

    packets.before = slow
    packets.done.add("one")

    async def work() -> None:
        leaving = asyncio.create_task(settling.wait("one-1", 60))
        await asyncio.to_thread(read.wait, 30)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        go_on.set()
        packets.done = {"two"}
        await settling.wait("two-1", 60)
        await asyncio.sleep(0.2)

    asyncio.run(work())
    assert not settling._waiting
    assert "one" not in settling._closed


def test_a_ledger_that_is_gone_for_a_while_costs_no_answer(clock: Clock, settling: Settling, packets: Packets) -> None:
    failures = iter(range(5))

    def gone() -> None:
        if next(failures, None) is not None:
            raise LedgerError("gone")

    packets.before = gone
    packets.done.add("one")

    async def work() -> None:
        began = clock.now
        await settling.wait("one-1", 600)
        assert clock.now - began < 10

    clock.run(work())
    assert len(packets.asked) == 6


def test_nobody_waits_any_more_once_the_program_is_to_stop(
    clock: Clock, settling: Settling, stopping: threading.Event
) -> None:
    async def work() -> None:
        waiting = [asyncio.create_task(settling.wait("one-1", 600)) for _ in range(3)]
        await asyncio.sleep(1)
        stopping.set()
        await asyncio.gather(*waiting)
        await settling.wait("two-1", 600)

    began = clock.now
    clock.run(work())
    assert clock.now - began < 10
