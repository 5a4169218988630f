"""The schedule: runs each group when its cron line says so, one run at a time, and makes up once for what it missed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from threading import BoundedSemaphore, Event, Lock
from typing import Protocol

import structlog
import tenacity
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from config.cron import previous, trigger

AT_ONCE = 2
"""Groups that run at the same time: each run has blocks of a file in memory."""

_JUMP = 30.0  # seconds by which the clock may be mended without a word

_log = structlog.get_logger()


class Fires(Protocol):
    """The ledger's memory of the nominal times at which groups ran."""

    def last_fire(self, group_key: str, now: datetime) -> datetime | None:
        """Return the last nominal time up to now that was taken."""

    def fired(self, group_key: str, at: datetime) -> bool:
        """Take a nominal time; False when it was taken before."""


class Schedule:
    """Runs groups by their cron lines in the background.

    What is due is asked of the ledger, and not of the scheduler: a nominal time is taken there before its run, so
    that two processes do not both run it, and one that passed while the group was running or the program was down
    is made up for by one run.
    """

    def __init__(
        self,
        groups: Mapping[str, tuple[str, str]],
        run: Callable[[str, datetime], None],
        ledger: Fires,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Make a schedule that does nothing yet.

        Args:
            groups: Each group's cron line and time zone.
            run: Called with a group key and the nominal time; what it raises is logged by name only.
            ledger: Remembers the nominal times.
            now: The clock.

        Raises:
            ValueError: when a cron line or time zone is wrong.
        """
        self._triggers = {key: trigger(cron, timezone) for key, (cron, timezone) in groups.items()}
        self._run = run
        self._ledger = ledger
        self._now = now
        self._turns = {key: Lock() for key in groups}
        self._places = BoundedSemaphore(AT_ONCE)
        self._ahead = now().timestamp() - time.monotonic()
        self._stopping = Event()
        self._asking = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Exception),
            wait=tenacity.wait_exponential(max=60),
            stop=tenacity.stop_when_event_set(self._stopping),
            sleep=tenacity.sleep_using_event(self._stopping),
            retry_error_callback=lambda _state: None,
            before_sleep=lambda state: _log.warning("schedule.ledger_unavailable", attempt=state.attempt_number),
        )
        # A thread that waits for its turn costs nothing; without one for each, a time could be passed over.
        threads = ThreadPoolExecutor(max_workers=2 * len(groups) or 1)
        self._scheduler = BackgroundScheduler(timezone=UTC, executors={"default": threads})

    def start(self) -> None:
        """Start, and catch up on what was due while the program was down; the first start ever owes nothing."""
        for key, found in self._triggers.items():
            now = self._now()
            if self._ledger.last_fire(key, now) is None and (at := previous(found, now)):
                self._ledger.fired(key, at)
            self._scheduler.add_job(
                self.catch_up,
                found,
                args=[key],
                id=key,
                next_run_time=datetime.now(UTC),
                coalesce=True,
                replace_existing=True,  # a start that found no ledger may be made again
                max_instances=2,  # one runs, and one may wait for it to end
                misfire_grace_time=None,
            )
        self._scheduler.start()

    def tend(self) -> None:
        """Look whether the clock was set, or the machine slept: then what is due is found out at once.

        The scheduler by itself sleeps until the next time for as long as it was away by the clock of then.
        """
        ahead = self._now().timestamp() - time.monotonic()
        if abs(ahead - self._ahead) > _JUMP and self._scheduler.running:
            self._ahead = ahead
            for key in self._triggers:
                self._scheduler.modify_job(key, next_run_time=datetime.now(UTC))

    def stop(self) -> None:
        """Start no more runs, and wait until those under way have ended."""
        self._stopping.set()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)

    def catch_up(self, group_key: str) -> None:
        """Run the group if it is due, until it is not."""
        with self._turns[group_key], self._places:
            while at := self._due(group_key):
                _log.info("schedule.run", group_key=group_key, due=at.isoformat())
                self._attempt(group_key, at)

    def _attempt(self, group_key: str, at: datetime) -> None:
        try:
            self._run(group_key, at)
        except Exception as error:  # noqa: BLE001 - one group's trouble is not the others'
            _log.error("schedule.run_failed", group_key=group_key, error=type(error).__name__)

    def _due(self, group_key: str) -> datetime | None:
        """Take the group's last nominal time and return it, or None when nobody needs to run."""
        if self._stopping.is_set():
            return None
        due: datetime | None = self._asking(self._take, group_key)
        return due

    def _take(self, group_key: str) -> datetime | None:
        now = self._now()
        at = previous(self._triggers[group_key], now)
        # one that was taken by a clock that ran ahead counts when its time has come, and stops nothing before it
        last = self._ledger.last_fire(group_key, now)
        if at is None or (last is not None and at <= last):
            return None
        return at if self._ledger.fired(group_key, at) else None
