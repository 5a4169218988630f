"""Failpoints: places by name where a test lets this program die, stand still or fail, to see what comes of it.

They do nothing unless FLATDROP_TESTING is `1` and FLATDROP_FAILPOINTS holds orders, `NAME=ACTION` or
`NAME=ACTION:NTH`, with commas between; an order is obeyed at the NTH time that its place is reached, the first if not
told. Actions are `kill`, `stop` (until SIGCONT comes), and `fail` (as if the disk were full).
"""

from __future__ import annotations

import errno
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

COMMITS = (
    "add",
    "add_key",
    "amend",
    "claim",
    "close",
    "describe",
    "drop_duplicate",
    "fire",
    "forget",
    "forget_answers",
    "gather",
    "note_keys",
    "progress",
    "put_chunks",
    "release",
    "renew",
    "reopen",
    "report",
    "revoke_key",
    "save_config",
    "take",
)
"""The ledger's transactions that write."""

CALLS = ("discard", "fetch", "groups", "listing", "put", "read", "stat", "write")
"""What the drop zone is asked, on S3 over the network."""

NAMES = (
    *(f"ledger.{name}.{when}" for name in COMMITS for when in ("before", "after")),
    *(f"zone.{name}.{when}" for name in CALLS for when in ("before", "after")),
    "send.before",
    "send.answered",  # the answer's head is there, and its body is not read
    "send.after",
)
"""Every failpoint."""


def reached(name: str) -> None:
    """Say that a place is reached.

    Raises:
        OSError: when a test ordered it.
    """
    if _ORDERS:
        _obey(name)


@contextmanager
def around(name: str) -> Iterator[None]:
    """Say that what the block does is about to be done, and that it is done."""
    reached(f"{name}.before")
    yield
    reached(f"{name}.after")


def _orders() -> dict[str, tuple[str, int]]:
    if os.environ.get("FLATDROP_TESTING") != "1":
        return {}
    found = {}
    for order in filter(None, os.environ.get("FLATDROP_FAILPOINTS", "").split(",")):
        name, _, what = order.partition("=")
        action, _, nth = what.partition(":")
        if name not in NAMES or action not in _ACTIONS or not (nth or "1").isdigit():
            raise SystemExit(f"FLATDROP_FAILPOINTS: {order!r} is no order; `flatdrop failpoints` lists the names")
        found[name] = action, int(nth or 1)
    return found


def _obey(name: str) -> None:
    action, nth = _ORDERS.get(name, ("", 0))
    if not action:
        return
    _COUNTS[name] += 1
    if _COUNTS[name] == nth:
        _ACTIONS[action]()


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _fail() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


_ACTIONS = {"kill": _kill, "stop": _stop, "fail": _fail}
_COUNTS: Counter[str] = Counter()
_ORDERS = _orders()
