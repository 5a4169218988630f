"""Settling: those who wait until their record has an outcome everywhere."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from threading import Event

from batch.errors import LedgerError
from batch.packets import Packets

_GLANCE = 0.05


class Settling:
    """Looks into the ledger for all who wait, while any do: another process may be the one that delivers."""

    def __init__(self, packets: Packets, stopping: Event) -> None:
        """Let nobody wait any more once `stopping` is set."""
        self._packets, self._stopping = packets, stopping
        self._waiting: Counter[str] = Counter()
        self._closed: set[str] = set()
        self._looked = asyncio.Condition()
        self._looking: asyncio.Task[None] | None = None

    async def wait(self, record_id: str, seconds: float) -> None:
        """Return when the batch of the record is closed, the time is over, or the program is to stop."""
        packet = record_id.rpartition("-")[0]
        self._waiting[packet] += 1
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds), self._looked:
                    await self._looked.wait_for(lambda: packet in self._closed or self._stopping.is_set())
        finally:
            self._waiting[packet] -= 1
            if not self._waiting[packet]:
                del self._waiting[packet]
                self._closed.discard(packet)

    async def _look(self) -> None:
        while self._waiting:
            await asyncio.sleep(_GLANCE)
            with suppress(LedgerError):  # those who wait are told when their time is over
                self._closed = await asyncio.to_thread(self._packets.closed, list(self._waiting))
            async with self._looked:
                self._looked.notify_all()
