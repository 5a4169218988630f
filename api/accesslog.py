"""The access log: a line of JSON for each request, without bodies, queries or anything that a record holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

_EVERY = 0.25  # seconds; a system call for each of some thousand requests a second would cost more than the rest


class AccessLog:
    """Gathers lines and writes them a few times a second; used on one event loop."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._lines: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None

    def note(self, method: str, route: str, status: int, seconds: float, **more: str) -> None:
        """Note a request; `route` is the path's pattern, since a path can hold anything."""
        line = {
            "event": "request",
            "level": "info" if status < 500 else "error",
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1e3, 1),
            **more,
        }
        self._lines.append(msgspec.json.encode(line))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_EVERY, self.flush)

    def flush(self) -> None:
        """Write what was noted."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines, self._lines = self._lines, []
        if lines:
            self._write(b"\n".join([*lines, b""]).decode())
