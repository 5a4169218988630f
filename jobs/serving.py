"""Serving: the schedule at work until the program is told to stop."""

from __future__ import annotations

import structlog

from batch.dropzone import DropZoneError
from batch.errors import LedgerError
from batch.runtime import Runtime
from config.errors import ConfigError
from jobs import screen
from jobs.run import Report, resume, run
from jobs.schedule import Schedule

log = structlog.get_logger()


def serve(runtime: Runtime) -> None:
    """Run every group that has a schedule, by it, until `runtime.stopping` is set."""
    timed = {key: at for key, group in runtime.groups.items() if (at := runtime.deployment.schedule_of(group))}
    for key in sorted(runtime.groups.keys() - timed):
        screen.warn(f"{key} has no schedule: only `flatdrop run` takes its drops up")
    _tell(resume(runtime, runtime.groups))
    schedule = Schedule(timed, lambda key, _at: _run(runtime, key), runtime.ledger)
    schedule.start()
    screen.warn(f"serving {len(timed)} scheduled groups; SIGTERM or Ctrl-C stops")
    try:
        runtime.stopping.wait()
    finally:
        screen.warn("stopping: what is in flight is seen through")
        schedule.stop()


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
