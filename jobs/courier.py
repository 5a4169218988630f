"""The courier: records that the API took are on their way a moment later, group by group, as batches."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog

from batch.batch import Batch
from batch.errors import LedgerError
from batch.layout import is_records
from batch.runtime import Runtime, silent
from jobs.opening import owner
from jobs.run import LEASE, Report, attempt

APART = 0.25
"""Seconds between two batches of one group: what comes meanwhile goes into the next one, together."""

_GLANCE = 0.5  # another process may have taken records, and died
_ABANDONED = 5.0  # seconds between two looks for batches whose process died
_AT_ONCE = 4

log = structlog.get_logger()


class Courier:
    """Delivers what waits in the background, one batch of a group at a time, so that a person's records keep order.

    Used as `with Courier(runtime, tell) as courier:`; the block is left when what is in flight is seen through.
    """

    def __init__(self, runtime: Runtime, tell: Callable[[Report], None]) -> None:
        self._runtime, self._tell = runtime, tell
        self._woken = threading.Event()
        self._free_from: dict[str, float] = {}  # when the next batch of a group may begin; never, while one runs
        self._looked = 0.0
        self._closing = threading.Event()
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="courier")
        self._round = threading.Thread(target=self._rounds, name="courier")

    def wake(self) -> None:
        """Say that records were taken."""
        self._woken.set()

    def __enter__(self) -> Courier:
        self._round.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._woken.set()
        self._round.join()
        self._threads.shutdown()

    def _rounds(self) -> None:
        pause = 0.0
        while not self._closing.is_set():
            self._woken.wait(pause)
            self._woken.clear()
            try:
                pause = self._go_round()
            except LedgerError as error:
                log.warning("courier.ledger_unavailable", reason=str(error))
                pause = _GLANCE

    def _go_round(self) -> float:
        """Begin what may begin, and return the seconds until something more may."""
        now = time.monotonic()
        waiting = [key for key in self._runtime.ledger.packets.waiting() if key in self._runtime.groups]
        if now >= self._looked + _ABANDONED:
            self._looked = now
            waiting = list(self._runtime.groups)
        soon = [free - now for key in waiting if (free := self._free_from.get(key, now)) > now]
        for key in waiting:
            if self._free_from.get(key, now) <= now:
                self._free_from[key] = float("inf")
                self._threads.submit(self._deliver, key, now)
        return max(0.0, min([_GLANCE, *soon]))

    def _deliver(self, key: str, began: float) -> None:
        report = Report()
        try:
            for batch in self._batches(key):
                self._process(batch, report)
        except LedgerError as error:
            report.problems.append(f"{key}: {error}")
        except Exception as error:
            log.exception("courier.fault", group=key, error=type(error).__name__)
        finally:
            self._free_from[key] = began + APART
            self._tell(report)
            self._woken.set()

    def _batches(self, key: str) -> list[Batch]:
        """Return the batches of records that may be delivered now: those that were left, then what waits."""
        ledger = self._runtime.ledger
        left = [batch for batch in ledger.waiting(key) if is_records(batch.file)]
        fresh = ledger.packets.gather(key)
        return [*left, fresh] if fresh else left

    def _process(self, batch: Batch, report: Report) -> None:
        if self._runtime.stopping.is_set():
            return
        claim = self._runtime.ledger.claim(batch.id, owner(), LEASE)
        receipt = claim and attempt(self._runtime, claim, silent, report)
        if receipt:
            report.receipts.append(receipt)
