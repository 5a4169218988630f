"""Serving: the API, and the schedule, at work until the program is told to stop."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import structlog

from api.vault import Vault
from batch.dropzone import DropZoneError
from batch.errors import LedgerError
from batch.runtime import Runtime
from config.errors import ConfigError
from jobs import screen
from jobs.courier import Courier
from jobs.front import Front
from jobs.run import Report, resume, run
from jobs.schedule import Schedule

_CHORES = 1.0  # seconds between two rounds of small work: keys as they are now, answers whose time is over
_AGAIN = 5.0  # seconds after which a beginning without a ledger is tried again

log = structlog.get_logger()


def serve(runtime: Runtime) -> None:
    """Take records, deliver them, and run every group that has a schedule by it, until `runtime.stopping` is set.

    Raises:
        ConfigError: when the API's secret key is missing or wrong, or its port is taken.
        LedgerError: when the ledger cannot be used at the start.
    """
    vault = Vault.of(runtime.deployment)
    vault.prove(runtime.ledger.keys.every())
    courier = Courier(runtime, _tell)
    schedule = _schedule(runtime)
    # What works in the background begins when the port is ours, and ends when the last caller has been answered.
    with ExitStack() as background, Front(runtime, courier.wake) as front:
        screen.warn(
            f"listening on {front.address}; {screen.counted(len(runtime.groups), 'group')}; SIGTERM or Ctrl-C stops"
        )
        background.enter_context(courier)
        background.enter_context(_kept(schedule, runtime))
        while not runtime.stopping.wait(_CHORES):
            _do_chores(runtime)
            front.tend()
            schedule.tend()
        screen.warn("stopping: what is in flight is seen through")
    _do_chores(runtime)


def _schedule(runtime: Runtime) -> Schedule:
    timed = {key: at for key, group in runtime.groups.items() if (at := runtime.deployment.schedule_of(group))}
    for key in sorted(runtime.groups.keys() - timed):
        screen.warn(f"{key} has no schedule: only `flatdrop run` takes its drops up")
    return Schedule(timed, lambda key, _at: _run(runtime, key), runtime.ledger)


@contextmanager
def _kept(schedule: Schedule, runtime: Runtime) -> Iterator[None]:
    """Keep a schedule while the block lasts."""
    beginning = threading.Thread(target=_begin, args=(runtime, schedule), name="begin")
    beginning.start()
    try:
        yield
    finally:
        beginning.join()
        schedule.stop()


def _begin(runtime: Runtime, schedule: Schedule) -> None:
    """Go on with what was left, which may take long, and start the schedule."""
    while not runtime.stopping.is_set():
        try:
            _tell(resume(runtime, runtime.groups))
            schedule.start()
        except LedgerError as error:
            log.warning("ledger_unavailable", reason=str(error))
            runtime.stopping.wait(_AGAIN)
        else:
            return


def _do_chores(runtime: Runtime) -> None:
    try:
        runtime.ledger.packets.forget_answers()
    except LedgerError as error:  # the next round tries again
        log.warning("ledger_unavailable", reason=str(error))


def _run(runtime: Runtime, key: str) -> None:
    try:
        report = run(runtime, [key])
    except (ConfigError, DropZoneError, LedgerError) as error:  # the next time of the schedule tries again
        report = Report(problems=[f"{key}: {error}"])
    _tell(report)


def _tell(report: Report) -> None:
    for notice in report.notices:
        log.info("notice", text=notice)
    for problem in report.problems:
        log.error("problem", text=problem)
    for receipt in report.receipts:
        log.info("receipt", batch=receipt["batch"], file=receipt["file"], state=receipt["state"], **receipt["rows"])
