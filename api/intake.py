"""The intake: records that come at the same time are committed together (group commit)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Self

import structlog

from api.errors import ApiError
from batch.dropzone import DropZoneError
from batch.errors import LedgerError
from batch.taking import Offer, Result

_MOST = 10_000  # records that may wait; more come than can be written
_MOST_BYTES = 256 << 20  # that they may have together

log = structlog.get_logger()

Take = Callable[[Sequence[Offer]], list[Result]]


class Intake:
    """One commit at a time, in a thread of its own; what comes meanwhile goes into the next one, together.

    A commit begins when as many records wait as went into the last one, and at the latest `window` seconds after the
    first of them came: one caller alone does not wait, and many share.

    Used as `async with Intake(take, window) as intake:`; the block is left when all that was offered is decided.
    """

    def __init__(self, take: Take, window: float, taken: Callable[[], object] = lambda: None) -> None:
        """Commit by `take`; `taken` is called after each commit."""
        self._take, self._window, self._taken = take, window, taken
        self._waiting: list[tuple[Offer, asyncio.Future[Result]]] = []
        self._size, self._enough = 0, 1
        self._some = asyncio.Event()
        self._full = asyncio.Event()
        self._closing = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="intake")

    async def offer(self, offer: Offer) -> Result:
        """Return what became of a record once it is durable, or is refused.

        Raises:
            ApiError: 503, when more records wait than can be written.
            LedgerError, DropZoneError: when these cannot be used; the record was not taken.
        """
        if len(self._waiting) >= _MOST or self._size >= _MOST_BYTES:
            raise ApiError(503, "overloaded", "More records come than can be written; try again.", retry_after=1)
        decided: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((offer, decided))
        self._size += len(offer.line)
        self._some.set()
        if len(self._waiting) >= self._enough:
            self._full.set()
        return await decided

    async def _run(self) -> None:
        while not self._closing or self._waiting:
            await self._some.wait()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._full.wait(), self._window)
            these, self._waiting = self._waiting, []
            self._size, self._enough = 0, len(these)
            self._some.clear()
            self._full.clear()
            if these:
                await self._commit(these)

    async def _commit(self, these: Sequence[tuple[Offer, asyncio.Future[Result]]]) -> None:
        offers = [offer for offer, _ in these]
        results = await asyncio.get_running_loop().run_in_executor(self._thread, self._each, offers)
        for (_, decided), result in zip(these, results, strict=True):
            if decided.done():
                continue  # its caller went away
            if isinstance(result, _Failed):
                decided.set_exception(result.error)
            else:
                decided.set_result(result)
        self._taken()

    def _each(self, offers: Sequence[Offer]) -> Sequence[Result | _Failed]:
        """Take records together; when a fault of the program comes up, each alone, so that only one of them fails."""
        try:
            return self._take(offers)
        except (LedgerError, DropZoneError, OSError) as error:
            return [_Failed(error)] * len(offers)
        except Exception as error:
            log.exception("intake.fault", records=len(offers))
            if len(offers) == 1:
                return [_Failed(error)]
            return [result for offer in offers for result in self._each([offer])]

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        self._some.set()
        self._full.set()
        await self._task
        self._thread.shutdown()


class _Failed:
    """A record that was not taken because of what is no fault of it."""

    def __init__(self, error: Exception) -> None:
        self.error = error
