"""The intake: commits that many share, and a fault that stays with the record that brings it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from support.clock import Clock
from support.served import InThread

from api import intake
from api.errors import ApiError
from api.intake import Intake
from batch.dropzone import DropZoneError
from batch.errors import LedgerError
from batch.taking import Invalid, Offer, Result, Reused

WINDOW = 0.01


def an_offer(line: str = "{}") -> Offer:
    return Offer("abc", line.encode(), {}, b"")


class Taken:
    """What stands in for a taker: it says the record's own text, or what a test wants."""

    def __init__(self) -> None:
        self.commits: list[list[str]] = []
        self.before: Callable[[list[str]], None] = lambda _lines: None
        self.at_once = self.most_at_once = 0

    def __call__(self, offers: Sequence[Offer]) -> list[Result]:
        lines = [offer.line.decode() for offer in offers]
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            self.before(lines)
        finally:
            self.at_once -= 1
        self.commits.append(lines)
        return [Reused() if line == "reused" else Invalid([]) if line == "invalid" else line for line in lines]


async def offered(to: Intake, *lines: str) -> list[Any]:
    return await asyncio.gather(*(to.offer(an_offer(line)) for line in lines), return_exceptions=True)


def run(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(asyncio.wait_for(work(), 60))


def test_what_comes_together_is_committed_together_and_each_is_told_its_own() -> None:
    taken = Taken()

    async def work() -> None:
        async with Intake(InThread(taken).take, WINDOW) as to:
            to._enough = 52
            told = await offered(to, *map(str, range(50)), "reused", "invalid")
            assert told[:50] == list(map(str, range(50)))
            assert [type(one) for one in told[50:]] == [Reused, Invalid]

    run(work)
    assert len(taken.commits) == 1


def test_half_of_those_who_wait_for_answers_are_written_while_the_others_are_heard() -> None:
    taken = Taken()

    async def caller(to: Intake) -> None:
        for _ in range(20):
            await to.offer(an_offer("x"))

    async def work() -> None:
        async with Intake(InThread(taken).take, 0.5) as to:
            await asyncio.gather(*(caller(to) for _ in range(40)))

    taken.before = lambda _lines: time.sleep(0.01)
    run(work)
    sizes = Counter(len(commit) for commit in taken.commits)
    assert sizes[20] > sum(sizes.values()) * 0.8, sizes


def test_one_caller_alone_does_not_wait_for_others() -> None:
    taken = Taken()

    async def work() -> None:
        async with Intake(InThread(taken).take, 3600) as to:
            for line in "abc":
                assert await to.offer(an_offer(line)) == line

    run(work)
    assert taken.commits == [["a"], ["b"], ["c"]]


def test_a_commit_waits_for_as_many_as_the_last_but_not_for_ever() -> None:
    taken, clock = Taken(), Clock()

    async def work() -> None:
        async with Intake(InThread(taken).take, 3600) as to:
            to._enough = 3
            began = clock.now
            early = [asyncio.create_task(to.offer(an_offer(line))) for line in "ab"]
            await asyncio.sleep(60)
            assert not any(task.done() for task in early)
            assert await to.offer(an_offer("c")) == "c"
            assert clock.now - began < 3600
            assert await to.offer(an_offer("d")) == "d"  # alone now, and nobody else comes
            assert clock.now - began > 3600

    clock.run(work())
    assert taken.commits == [["a", "b", "c"], ["d"]]


def test_what_comes_while_one_commit_is_written_goes_into_the_next_and_no_two_are_written_at_once() -> None:
    taken, go_on = Taken(), threading.Event()
    taken.before = lambda _lines: bool(go_on.wait(30)) and None

    async def work() -> None:
        async with Intake(InThread(taken).take, WINDOW) as to:
            first = asyncio.create_task(to.offer(an_offer("first")))
            await asyncio.sleep(WINDOW * 2)
            rest = [asyncio.create_task(to.offer(an_offer(str(n)))) for n in range(100)]
            await asyncio.sleep(WINDOW * 2)
            go_on.set()
            assert await first == "first"
            assert await asyncio.gather(*rest) == list(map(str, range(100)))

    run(work)
    assert taken.commits == [
        ["first"],
        ["0"],
        list(map(str, range(1, 100))),
    ]  # the second is there when the first is done
    assert taken.most_at_once == 1


@pytest.mark.parametrize("error", [LedgerError("gone"), DropZoneError("gone"), OSError("disk full")])
def test_when_nothing_can_be_written_all_are_told_and_the_next_are_taken(error: Exception) -> None:
    taken = Taken()

    def broken(_lines: list[str]) -> None:
        raise error

    async def work() -> None:
        async with Intake(InThread(taken).take, WINDOW) as to:
            taken.before = broken
            assert await offered(to, "a", "b", "c") == [error] * 3
            taken.before = lambda _lines: None
            assert await offered(to, "a", "b") == ["a", "b"]

    run(work)


@given(lines=st.lists(st.sampled_from(["good", "reused", "invalid", "fault", "gone"]), min_size=1, max_size=8))
@settings(deadline=None, max_examples=50)
def test_a_fault_in_one_record_fails_that_record_only(lines: list[str]) -> None:
    taken = Taken()

    def faulty(these: list[str]) -> None:
        if "fault" in these:
            raise ZeroDivisionError
        if "gone" in these:
            raise LedgerError("gone")

    async def work() -> list[Any]:
        async with Intake(InThread(taken).take, WINDOW) as to:
            to._enough = len(lines)
            return await offered(to, *lines)

    taken.before = faulty
    with capture_logs() as logged:
        told = run(work)
    kinds = {"good": str, "reused": Reused, "invalid": Invalid, "fault": RuntimeError, "gone": LedgerError}
    wanted = [kinds[line] for line in lines]
    if "gone" in lines and "fault" not in lines:
        wanted = [LedgerError] * len(lines)  # they were one commit
    assert [type(one) for one in told] == wanted
    assert bool(logged) == ("fault" in lines)
    assert {line["event"] for line in logged} <= {"intake.fault"}


def test_the_one_who_is_to_know_is_told_after_each_commit() -> None:
    taken, told = Taken(), []

    async def work() -> None:
        async with Intake(InThread(taken).take, WINDOW, lambda: told.append(len(taken.commits))) as to:
            await to.offer(an_offer("a"))
            await to.offer(an_offer("b"))

    run(work)
    assert told == [1, 2]


def test_a_caller_that_leaves_takes_nobody_along() -> None:
    taken, go_on = Taken(), threading.Event()
    taken.before = lambda _lines: bool(go_on.wait(30)) and None

    async def work() -> None:
        async with Intake(InThread(taken).take, WINDOW) as to:
            leaving, staying = (asyncio.create_task(to.offer(an_offer(line))) for line in ("leaving", "staying"))
            await asyncio.sleep(WINDOW * 3)
            leaving.cancel()
            go_on.set()
            assert await staying == "staying"
            assert await to.offer(an_offer("next")) == "next"

    run(work)
    assert sorted(line for commit in taken.commits for line in commit) == ["leaving", "next", "staying"]


@pytest.mark.parametrize(("most", "largest", "line"), [(3, 1 << 20, "x"), (1000, 30, "x" * 10)])
def test_when_more_come_than_can_be_written_the_last_are_told_to_come_again(
    monkeypatch: pytest.MonkeyPatch, most: int, largest: int, line: str
) -> None:
    monkeypatch.setattr(intake, "_MOST", most)
    monkeypatch.setattr(intake, "_MOST_BYTES", largest)
    taken, go_on = Taken(), threading.Event()
    taken.before = lambda _lines: bool(go_on.wait(30)) and None

    async def work() -> None:
        async with Intake(InThread(taken).take, WINDOW) as to:
            first, second = (asyncio.create_task(to.offer(an_offer(line))) for line in ("first", "second"))
            await asyncio.sleep(WINDOW * 3)
            waiting = [asyncio.create_task(to.offer(an_offer(line))) for _ in range(3)]
            await asyncio.sleep(0)
            with pytest.raises(ApiError) as refused:
                await to.offer(an_offer(line))
            assert (refused.value.status, refused.value.code) == (503, "overloaded")
            assert (refused.value.retry_after or 0) > 0
            go_on.set()
            assert await asyncio.gather(first, second, *waiting) == ["first", "second", line, line, line]
            assert await to.offer(an_offer(line)) == line

    run(work)


def test_the_block_is_left_when_all_is_decided() -> None:
    taken, go_on = Taken(), threading.Event()
    taken.before = lambda _lines: bool(go_on.wait(30)) and None

    async def work() -> list[Any]:
        async with Intake(InThread(taken).take, WINDOW) as to:
            tasks = [asyncio.create_task(to.offer(an_offer("a")))]
            await asyncio.sleep(WINDOW * 3)
            tasks += [asyncio.create_task(to.offer(an_offer(line))) for line in "bc"]
            await asyncio.sleep(0)
            asyncio.get_running_loop().call_later(WINDOW, go_on.set)
        assert all(task.done() for task in tasks)
        return await asyncio.gather(*tasks)

    assert run(work) == ["a", "b", "c"]


def test_an_intake_that_nobody_used_is_left_at_once() -> None:
    async def work() -> None:
        async with Intake(InThread(Taken()).take, 3600):
            pass

    run(work)


def test_a_record_whose_time_came_while_nothing_could_begin_is_committed_next() -> None:
    """It is less than half of what is on its way, so that nobody would begin a commit for its sake but the window."""
    held: list[asyncio.Future[list[Result]]] = []

    def take(offers: Sequence[Offer]) -> asyncio.Future[list[Result]]:
        held.append(asyncio.get_running_loop().create_future())
        sizes.append(len(offers))
        return held[-1]

    def end(commit: int) -> None:
        held[commit].set_result(["done"] * sizes[commit])

    async def work() -> None:
        async with Intake(take, WINDOW) as it:
            offers = [asyncio.create_task(it.offer(an_offer())) for _ in range(5)]
            await asyncio.sleep(0)
            assert sizes == [1, 1]  # and three wait
            end(0)
            await asyncio.sleep(WINDOW)
            assert sizes == [1, 1, 3]
            late = asyncio.create_task(it.offer(an_offer()))
            await asyncio.sleep(3 * WINDOW)
            end(1)
            end(2)
            await asyncio.sleep(3 * WINDOW)
            assert sizes == [1, 1, 3, 1]
            end(3)
            assert await asyncio.gather(late, *offers) == ["done"] * 6

    sizes: list[int] = []
    run(work)
