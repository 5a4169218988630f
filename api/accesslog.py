"""The access log: a line of JSON for each request, without bodies, queries or anything that a record holds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

_EVERY = 0.25  # seconds; a system call for each of some thousand requests a second would cost more than the rest


_Noted = tuple[float, str, str, int, float, dict[str, str]]


class AccessLog:
    """Gathers lines and writes them a few times a second; used on one event loop."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._noted: list[_Noted] = []
        self._timer: asyncio.TimerHandle | None = None

    def note(self, method: str, route: str, status: int, seconds: float, **more: str) -> None:
        """Note a request; `route` is the path's pattern, since a path can hold anything."""
        self._noted.append((time.time(), method, route, status, seconds, more))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_EVERY, self.flush)

    def flush(self) -> None:
        """Write what was noted."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        noted, self._noted = self._noted, []
        if noted:
            self._write("".join(map(_line, noted)))


def _line(noted: _Noted) -> str:
    at, method, route, status, seconds, more = noted
    level, milliseconds = "info" if status < 500 else "error", int(at * 1e3)
    line = {
        "event": "request",
        "level": level,
        "timestamp": f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03}Z",
        "method": method,
        "route": route,
        "status": status,
        "ms": round(seconds * 1e3, 1),
        **more,
    }
    return _encode(line).decode() + "\n"


@lru_cache(maxsize=4)  # there may be thousands in one
def _second(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S}"


_encode = msgspec.json.Encoder().encode
