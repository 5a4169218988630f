"""Serving: the API, and the schedule, at work until the program is told to stop."""

from __future__ import annotations

import sys
import threading

import structlog

from api.app import Installation, application
from api.keyring import Keyring
from api.server import serving
from api.vault import Vault
from batch.dropzone import DropZoneError
from batch.errors import LedgerError
from batch.runtime import Runtime
from config.errors import ConfigError
from jobs import screen
from jobs.courier import Courier
from jobs.run import Report, resume, run
from jobs.schedule import Schedule

_CHORES = 1.0  # seconds between two rounds of small work: keys as they are now, answers whose time is over

log = structlog.get_logger()


def serve(runtime: Runtime) -> None:
    """Take records, deliver them, and run every group that has a schedule by it, until `runtime.stopping` is set.

    Raises:
        ConfigError: when the API's secret key is missing or wrong, or its port is taken.
        LedgerError: when the ledger cannot be used at the start.
    """
    keyring = Keyring(runtime.ledger.keys, Vault.of(runtime.deployment))
    keyring.refresh()
    api, courier = runtime.deployment.api, Courier(runtime, _tell)
    app = application(
        Installation(api, runtime.groups, runtime.ledger, runtime.zone, keyring, courier.wake, sys.stderr.write)
    )
    schedule = _schedule(runtime)
    with courier, serving(app, api.host, api.port) as address:
        screen.warn(f"listening on {address}; {screen.counted(len(runtime.groups), 'group')}; SIGTERM or Ctrl-C stops")
        beginning = threading.Thread(target=_begin, args=(runtime, schedule), name="begin")
        beginning.start()
        try:
            while not runtime.stopping.wait(_CHORES):
                _do_chores(runtime, keyring)
        finally:
            screen.warn("stopping: what is in flight is seen through")
            beginning.join()
            schedule.stop()
    _do_chores(runtime, keyring)


def _schedule(runtime: Runtime) -> Schedule:
    timed = {key: at for key, group in runtime.groups.items() if (at := runtime.deployment.schedule_of(group))}
    for key in sorted(runtime.groups.keys() - timed):
        screen.warn(f"{key} has no schedule: only `flatdrop run` takes its drops up")
    return Schedule(timed, lambda key, _at: _run(runtime, key), runtime.ledger)


def _begin(runtime: Runtime, schedule: Schedule) -> None:
    """Go on with what was left, which may take long, and start the schedule."""
    _tell(resume(runtime, runtime.groups))
    schedule.start()


def _do_chores(runtime: Runtime, keyring: Keyring) -> None:
    try:
        keyring.refresh()
        keyring.flush()
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
