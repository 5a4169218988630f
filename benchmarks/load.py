"""A load of requests from many clients at once, each on a connection of its own that sends when it was answered."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import uvloop

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Result:
    """What came of a load: requests a second, and seconds until each answer, shortest first."""

    rate: float
    waits: Sequence[float]

    def wait(self, share: float) -> float:
        """Return the seconds within which this share of the requests was answered."""
        return self.waits[min(len(self.waits) - 1, int(len(self.waits) * share))]


class _Client(asyncio.Protocol):
    def __init__(self, requests: Iterator[bytes], waits: list[float]) -> None:
        self._requests, self._waits, self._answer = requests, waits, b""
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._out = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, found, body = self._answer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not found or length is None or len(body) < int(length[1]):
            return
        if not head.startswith(b"HTTP/1.1 202"):
            self.done.set_exception(SystemExit(f"not taken: {self._answer.decode()}"))
            return
        self._waits.append(time.perf_counter() - self._began)
        self._answer = b""
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(SystemExit(f"the connection was closed: {error}"))

    def _send(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self.done.set_result(None)
            self._out.close()
            return
        self._began = time.perf_counter()
        self._out.write(request)


def run(port: int, requests: Sequence[bytes], clients: int) -> Result:
    """Send every request once, and stop at the first that is not taken."""
    return uvloop.run(_run(port, requests, clients))


async def _run(port: int, requests: Sequence[bytes], clients: int) -> Result:
    loop, waits, rest = asyncio.get_running_loop(), list[float](), iter(requests)
    began = time.perf_counter()
    opened = [await loop.create_connection(lambda: _Client(rest, waits), "127.0.0.1", port) for _ in range(clients)]
    await asyncio.gather(*(client.done for _, client in opened))
    return Result(len(waits) / (time.perf_counter() - began), sorted(waits))
