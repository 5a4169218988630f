"""Logs: structured lines on stderr, without record values and without secrets."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog


def configure(*, verbose: bool) -> None:
    """Send the program's log to stderr: warnings, and everything with `verbose` or FLATDROP_DEBUG.

    A log line names batches, rows, columns and codes, never what a record holds. A traceback could quote values, so
    only its place is logged, and the whole of it with FLATDROP_DEBUG.
    """
    debug = bool(os.environ.get("FLATDROP_DEBUG"))
    level = logging.DEBUG if debug else logging.INFO if verbose else logging.WARNING
    terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info if debug else _place_only,
            structlog.dev.ConsoleRenderer(colors=terminal) if terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.getLogger("apscheduler").setLevel(logging.ERROR)


def _place_only(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if line.pop("exc_info", None):
        kind, _error, trace = sys.exc_info()
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        if kind is not None and trace is not None:
            line["error"] = kind.__name__
            line["place"] = f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}"
    return line
