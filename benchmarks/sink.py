"""A raw loopback sink: answers every request with an empty 200, and counts. The least that a destination can do."""

from __future__ import annotations

import asyncio
import sys

_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
_LENGTH = b"content-length:"


class Sink(asyncio.Protocol):
    """One connection: reads heads and skips bodies."""

    requests = 0
    bytes = 0

    def __init__(self) -> None:
        self._head, self._left = b"", 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._out = transport

    def data_received(self, data: bytes) -> None:
        while data:
            if self._left:
                taken = min(self._left, len(data))
                self._left -= taken
                data = data[taken:]
                if not self._left:
                    self._answer()
                continue
            self._head += data
            head, found, data = self._head.partition(b"\r\n\r\n")
            if not found:
                return
            self._head = b""
            self._left = next(
                (int(line[len(_LENGTH) :]) for line in head.lower().split(b"\r\n") if line.startswith(_LENGTH)), 0
            )
            Sink.bytes += self._left
            if not self._left:
                self._answer()

    def _answer(self) -> None:
        Sink.requests += 1
        self._out.write(_ANSWER)


async def main() -> None:
    """Print the port; then, at each line on stdin, what came since the last one: requests and bytes of bodies."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Sink, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(Sink.requests, Sink.bytes, flush=True)
        Sink.requests = Sink.bytes = 0


if __name__ == "__main__":
    asyncio.run(main())
