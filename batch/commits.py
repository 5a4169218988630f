"""Group commit: many small commits of one event loop share transactions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from batch.chunk import Chunk


class Commits:
    """One transaction at a time, in a thread of its own; what comes meanwhile goes into the next one, together.

    Used as `async with Commits(put) as commits:`; the block is left when all that was given is durable or failed.
    """

    def __init__(self, put: Callable[[Sequence[Chunk]], None]) -> None:
        self._put = put
        self._chunks: list[Chunk] = []  # for the next transaction
        self._next: asyncio.Task[None] | None = None  # the next transaction, until it begins
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="commits")

    async def put(self, *chunks: Chunk) -> None:
        """Return when the chunks are durable; what the commit raises reaches everyone who shared in it."""
        if not chunks:
            return
        self._chunks += chunks
        if self._next is None:
            self._next = asyncio.create_task(self._commit())
            self._next.add_done_callback(_heard)
        await asyncio.shield(self._next)  # one who stops waiting must not stop the others' commit

    async def _commit(self) -> None:
        async with self._turn:
            chunks, self._chunks, self._next = self._chunks, [], None
            await asyncio.get_running_loop().run_in_executor(self._thread, self._put, chunks)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._next is not None:
                await asyncio.wait([self._next])
            async with self._turn:
                pass
        finally:
            self._thread.shutdown(wait=False)


def _heard(commit: asyncio.Task[None]) -> None:
    """Take note of an error that nobody waits for any more, or asyncio would print it with its traceback."""
    if not commit.cancelled():
        commit.exception()
