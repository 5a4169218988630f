"""The courier: records that the API took are on their way a moment later, group by group, as batches."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import structlog

from batch.batch import Batch
from batch.errors import LedgerError
from batch.runtime import Runtime, silent
from batch.turns import Line, Turn
from jobs.opening import owner
from jobs.run import LEASE, Report, attempt, stranded

APART = 0.5
"""Seconds between two batches of one group: what comes meanwhile goes into the next one, together."""

_GLANCE = 0.5  # another process may have taken records, and died
_HEED = 0.05  # seconds between two looks, however often it is woken
_ABANDONED = 5.0  # seconds between two looks for batches whose process died, and before a batch is tried again
_AT_ONCE = 32  # batches, most of which wait for destinations
_AT_ONCE_EACH = 8  # of one group, whose destinations do not all answer

log = structlog.get_logger()


@dataclass(slots=True)
class _Way:
    """How far the deliveries of one group are: whether `more` batches may wait, or `trouble` is not to be hurried."""

    line: Line
    looked: float = 0.0
    more: bool = False
    trouble: bool = False

    @property
    def free_from(self) -> float:
        """When to look for the next batch; the more are under way, the longer the next one is gathered."""
        return self.looked + (_ABANDONED if self.trouble else APART * 2 ** max(0, len(self.line) - 2))


class Courier:
    """Delivers what waits in the background, in the order in which it came, to each destination as fast as that one is.

    A batch begins when one of the group's destinations is free. It keeps its turn at the others, so that each person's
    records keep their order everywhere, and none of them is sent while what came before them is in another's hands.

    Used as `with Courier(runtime, tell) as courier:`; the block is left when what is in flight is seen through.
    """

    def __init__(self, runtime: Runtime, tell: Callable[[Report], None]) -> None:
        self._runtime, self._tell = runtime, tell
        self._woken = threading.Event()
        self._ways = {key: _Way(Line(self._woken.set)) for key in runtime.groups}
        self._running: set[str] = set()
        self._told: set[str] = set()
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
            self._closing.wait(_HEED)
            self._woken.clear()
            try:
                pause = self._go_round()
            except LedgerError as error:
                log.warning("courier.ledger_unavailable", reason=str(error))
                pause = _GLANCE
            except Exception:  # the last resort: what was taken must be delivered
                log.exception("courier.fault")
                pause = _ABANDONED

    def _go_round(self) -> float:
        """Begin what may begin, and return the seconds until something more may."""
        now = time.monotonic()
        waiting = set(self._runtime.ledger.packets.waiting())
        soon = [_GLANCE]
        for key in self._worth_a_look(waiting, now):
            way = self._ways[key]
            if way.free_from > now:
                soon.append(way.free_from - now)
            elif self._has_room(key) and not self._runtime.stopping.is_set():
                way.looked = now
                self._begin(key, way)
        if waiting - self._ways.keys() - self._told:
            self._tell_of_stranded(waiting)
        return min(soon)

    def _worth_a_look(self, waiting: set[str], now: float) -> Iterable[str]:
        if now < self._looked + _ABANDONED:
            return [key for key, way in self._ways.items() if key in waiting or way.more]
        self._looked = now
        return self._ways

    def _has_room(self, key: str) -> bool:
        """Say whether one more batch of the group may begin; half of all places are kept for those that have none."""
        line = self._ways[key].line
        most = _AT_ONCE // 2 if len(line) else _AT_ONCE
        names = self._runtime.groups[key].integrations
        return len(line) < _AT_ONCE_EACH and len(self._running) < most and line.has_room(names)

    def _tell_of_stranded(self, waiting: set[str]) -> None:
        self._told |= waiting
        self._tell(Report(notices=stranded(self._runtime)))

    def _begin(self, key: str, way: _Way) -> None:
        batch = self._runtime.ledger.packets.due(key, self._running)
        way.more = batch is not None
        if batch is not None:
            self._running.add(batch.id)
            self._threads.submit(self._deliver, way, batch, way.line.draw())

    def _deliver(self, way: _Way, batch: Batch, turn: Turn) -> None:
        report, closed = Report(), False
        try:
            if claim := self._runtime.ledger.claim(batch.id, owner(), LEASE):
                receipt = attempt(replace(self._runtime, turn=turn), claim, silent, report)
                closed = receipt is not None
                way.trouble = not closed
                report.receipts += [receipt] if receipt else []
        except LedgerError as error:
            report.problems.append(f"{batch.file}: {error}")
        except Exception as error:
            log.exception("courier.fault", batch=batch.id, error=type(error).__name__)
        finally:
            self._running.discard(batch.id)  # before its turn ends: what it still owes is not to be overtaken
            turn.end(closed=closed)
            self._woken.set()
        self._tell(report)
