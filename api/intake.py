"""The intake: records that come at the same time are committed together (group commit)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self

from api.errors import ApiError
from batch.careful import Failed
from batch.taking import Offer, Result

_MOST = 10_000  # records that may wait; more come than can be written
_MOST_BYTES = 256 << 20  # that they may have together
_AT_ONCE = 2  # commits: one is written, and the next one is there when that is done

Results = Sequence[Result | Failed]
Take = Callable[[Sequence[Offer]], Awaitable[Results]]
"""Begins to take records in the moment it is called; what is called first is taken first."""


class Intake:
    """Gathers records into commits, of which the next gathers while one is written.

    A commit begins when half of the records that are on their way wait for it, and at the latest `window` seconds after
    the first of them came: one caller alone does not wait, and many share two commits, heard and written in turn.

    Used as `async with Intake(take, window) as intake:`; the block is left when all that was offered is decided.
    """

    def __init__(self, take: Take, window: float, taken: Callable[[], object] = lambda: None) -> None:
        """Commit by `take`; `taken` is called after each commit."""
        self._take, self._window, self._taken = take, window, taken
        self._waiting: list[tuple[Offer, asyncio.Future[Result]]] = []
        self._size, self._enough, self._overdue = 0, 1, False
        self._under_way: deque[int] = deque()
        self._commits: set[asyncio.Task[None]] = set()
        self._due: asyncio.TimerHandle | None = None

    async def offer(self, offer: Offer) -> Result:
        """Return what became of a record once it is durable, or is refused.

        Raises:
            ApiError: 503, when more records wait than can be written.
            LedgerError, DropZoneError: when these cannot be used; the record was not taken.
        """
        if len(self._waiting) >= _MOST or self._size >= _MOST_BYTES:
            raise ApiError(503, "overloaded", "More records come than can be written; try again.", retry_after=1)
        loop = asyncio.get_running_loop()
        decided: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((offer, decided))
        self._size += len(offer.line)
        if self._due is None:
            self._due = loop.call_later(self._window, self._hurry)
        self._begin()  # now: a task would begin when the loop has heard everybody who speaks at the moment
        return await decided

    def _hurry(self) -> None:
        """Let no record wait for others any longer."""
        self._enough, self._overdue = 1, True
        self._begin()

    def _begin(self) -> None:
        """Begin the next commit, if it is time for it."""
        if not self._waiting or len(self._waiting) < self._enough or len(self._under_way) >= _AT_ONCE:
            return
        these, self._waiting, self._size, self._overdue = self._waiting, [], 0, False
        if self._due is not None:
            self._due.cancel()
            self._due = None
        results = self._take([offer for offer, _ in these])
        self._under_way.append(len(these))
        decided = self._decide([decided for _, decided in these], results)
        self._commits.add(commit := asyncio.create_task(decided))
        commit.add_done_callback(self._commits.discard)

    async def _decide(self, these: Sequence[asyncio.Future[Result]], results: Awaitable[Results]) -> None:
        told = await results
        on_their_way = sum(self._under_way) + len(self._waiting)
        self._under_way.popleft()  # what is begun first ends first
        self._enough = 1 if self._overdue else -(-on_their_way // 2)
        self._begin()
        for decided, result in zip(these, told, strict=True):
            if decided.done():
                continue  # its caller went away
            if isinstance(result, Failed):
                decided.set_exception(result.error)
            else:
                decided.set_result(result)
        self._taken()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._waiting or self._commits:
            self._hurry()
            await asyncio.wait(self._commits)
