from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest
from support.made import a_chunk

from batch.chunk import Chunk
from batch.commits import Commits
from batch.errors import LeaseLost


class Slow:
    """A ledger whose commits take until they are let go, or fail."""

    def __init__(self) -> None:
        self.committed: list[list[str]] = []
        self.go = threading.Event()
        self.began = threading.Event()
        self.fails: Exception | None = None
        self._alone = threading.Lock()

    def put(self, chunks: Sequence[Chunk]) -> None:
        assert self._alone.acquire(blocking=False), "two transactions at once"
        with_ids = [chunk.id for chunk in chunks]
        self.began.set()
        assert self.go.wait(10)
        self._alone.release()
        if self.fails:
            raise self.fails
        self.committed.append(with_ids)


async def _began(slow: Slow) -> None:
    assert await asyncio.to_thread(slow.began.wait, 10)


def test_what_comes_during_a_commit_shares_the_next_one() -> None:
    async def main() -> None:
        slow = Slow()
        async with Commits(slow.put) as commits:
            first = asyncio.create_task(commits.put(a_chunk("a", 1), a_chunk("b", 2)))
            await _began(slow)
            others = [asyncio.create_task(commits.put(a_chunk(str(number), 3))) for number in range(100)]
            await asyncio.sleep(0)
            assert not first.done()
            slow.go.set()
            await asyncio.gather(first, *others)
        assert slow.committed == [["a", "b"], [str(number) for number in range(100)]]

    asyncio.run(main())


def test_one_after_another_each_is_durable_when_put_returns() -> None:
    async def main() -> None:
        slow = Slow()
        slow.go.set()
        async with Commits(slow.put) as commits:
            for number in range(3):
                await commits.put(a_chunk(str(number), 1))
                assert slow.committed[-1] == [str(number)]

    asyncio.run(main())


def test_a_failure_reaches_all_who_shared_in_it_and_nobody_else() -> None:
    async def main() -> None:
        slow = Slow()
        slow.fails = LeaseLost("taken over")
        async with Commits(slow.put) as commits:
            first = asyncio.create_task(commits.put(a_chunk("a", 1)))
            await _began(slow)
            others = [asyncio.create_task(commits.put(a_chunk("b", 1))) for _ in range(3)]
            await asyncio.sleep(0)
            slow.go.set()
            results = await asyncio.gather(first, *others, return_exceptions=True)
            assert [type(result) for result in results] == [LeaseLost] * 4
            slow.fails = None
            await commits.put(a_chunk("c", 1))
        assert slow.committed == [["c"]]

    asyncio.run(main())


def test_one_who_is_cancelled_does_not_stop_the_others() -> None:
    async def main() -> None:
        slow = Slow()
        async with Commits(slow.put) as commits:
            first, second = (asyncio.create_task(commits.put(a_chunk(name, 1))) for name in "ab")
            await _began(slow)
            first.cancel()
            slow.go.set()
            await second
            with pytest.raises(asyncio.CancelledError):
                await first
        assert slow.committed == [["a", "b"]]

    asyncio.run(main())


def test_what_was_given_is_committed_before_the_block_is_left() -> None:
    async def main() -> None:
        slow = Slow()
        async with Commits(slow.put) as commits:
            given = [asyncio.create_task(commits.put(a_chunk("a", 1)))]
            await _began(slow)
            given.append(asyncio.create_task(commits.put(a_chunk("b", 1))))
            await asyncio.sleep(0)
            for task in given:
                task.cancel()
            asyncio.get_running_loop().call_later(0.05, slow.go.set)
        assert slow.committed == [["a"], ["b"]]

    asyncio.run(main())
