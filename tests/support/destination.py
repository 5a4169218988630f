"""A scripted destination: a real HTTP server that answers as it is told, and remembers what came."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

Then = Literal["keep", "close", "hang", "drip", "flood", "reset", "garble"]

_MUCH = b" " * (1 << 16)
_FLOOD = 1 << 30
_GARBLED = b"\x17\x03\x03\x00\x20" + bytes(32)  # what looks like a TLS record


@dataclass(frozen=True)
class Call:
    """One request as it came, and when (by the monotonic clock)."""

    at: float
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @cached_property
    def records(self) -> list[Any]:
        """The items of the request, whatever envelope they came in."""
        items: list[Any] = next(value for value in json.loads(self.body).values() if isinstance(value, list))
        return items

    @property
    def key(self) -> str:
        return self.headers["webhook-id"]


@dataclass(frozen=True)
class Answer:
    """What to write, after how many seconds, and what to do then; status 0 writes the body alone."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    after: float = 0
    then: Then = "keep"

    @classmethod
    def json(cls, document: Any, status: int = 200, **headers: str) -> Answer:
        return cls(status, json.dumps(document).encode(), headers)

    @property
    def wire(self) -> bytes:
        if self.status == 0:
            return self.body
        length = {} if self.then in ("drip", "flood", "close") else {"content-length": str(len(self.body))}
        heads = {"content-type": "application/json", **length, **self.headers}
        lines = [f"HTTP/1.1 {self.status} Scripted", *(f"{name}: {value}" for name, value in heads.items())]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


OK = Answer()
HANG = Answer(0, b"", then="hang")
RESET = Answer(0, b"", then="reset")

Step = Answer | Callable[[Call], Answer]

Door = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""What a connection meets before its first request is read."""


async def opened(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Let everybody in."""


def secured(tls: ssl.SSLContext) -> Door:
    """Let in who finishes a TLS handshake."""
    return lambda _reader, writer: writer.start_tls(tls)


@dataclass
class Destination:
    """The server's other side: its address, what came, and the most requests that were there at once.

    `door` is for the connections to come; `poured` are the bytes of answers without an end.
    """

    base: str = ""
    port: int = 0
    door: Door = opened
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    calls: list[Call] = field(default_factory=list)
    most_at_once: int = 0
    poured: int = 0
    _listener: asyncio.Server | None = None
    _steps: list[Step] = field(default_factory=list)
    _always: Step = OK
    _here: int = 0
    _tasks: set[object] = field(default_factory=set)  # asyncio itself holds them but weakly
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def script(self, *steps: Step, then: Step = OK) -> None:
        """Answer the next requests so, one each, and all later ones as `then` says."""
        with self._lock:
            self._steps, self._always = list(steps), then

    def rows(self, name: str = "id") -> list[Any]:
        """Return one field of every record that came, in order."""
        return [record[name] for call in self.calls for record in call.records]

    def wait_for(self, calls: int, seconds: float = 15) -> None:
        """Wait until so many requests have come."""
        ends = time.monotonic() + seconds
        while len(self.calls) < calls:
            assert time.monotonic() < ends, f"only {len(self.calls)} of {calls} requests came"
            time.sleep(0.01)

    async def listen(self) -> None:
        """Take connections, on one port for good."""
        self._listener = await asyncio.start_server(self.serve, "127.0.0.1", self.port, limit=1 << 24)
        self.port = self._listener.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Have the connections to come refused; to be called in the loop, as steps are."""
        assert self._listener
        self._listener.close()

    def perform(self, do: Callable[[], None]) -> None:
        """Do something in the loop, from without, and return when it is done."""

        async def done() -> None:
            do()

        asyncio.run_coroutine_threadsafe(done(), self.loop).result()

    def recover(self) -> None:
        """Take connections again."""
        asyncio.run_coroutine_threadsafe(self.listen(), self.loop).result()

    def _next(self, call: Call) -> Answer:
        if call.method == "GET":  # it was asked beforehand what it knows, and has no word on that
            return Answer(404)
        with self._lock:
            self.calls.append(call)
            step = self._steps.pop(0) if self._steps else self._always
        return step(call) if callable(step) else step

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.current_task())
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self.door(reader, writer)
            while await self._answer(await _read(reader), reader, writer):
                pass
        writer.close()

    async def _answer(self, call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        self._here += 1
        self.most_at_once = max(self.most_at_once, self._here)
        try:
            answer = self._next(call)
            await asyncio.sleep(answer.after)
            writer.write(answer.wire)
            await writer.drain()
            await self._end(answer.then, reader, writer)
        finally:
            self._here -= 1
        return answer.then == "keep"

    async def _end(self, then: Then, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if then == "hang":
            await reader.read()  # until the other side gives up
        if then == "reset":
            writer.transport.abort()
        if then == "garble":
            os.write(writer.get_extra_info("socket").fileno(), _GARBLED)
        while then == "drip":
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)
        while then == "flood" and self.poured < _FLOOD:
            writer.write(_MUCH)
            await writer.drain()
            self.poured += len(_MUCH)


async def _read(reader: asyncio.StreamReader) -> Call:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Call(time.monotonic(), method, path, headers, body)


@contextmanager
def destination(*steps: Step, then: Step = OK, tls: ssl.SSLContext | None = None) -> Iterator[Destination]:
    """Run a scripted destination in a thread of its own while the context lasts."""
    there = Destination(door=secured(tls) if tls else opened)
    there.script(*steps, then=then)
    there.loop.run_until_complete(there.listen())
    there.base = f"{'https' if tls else 'http'}://127.0.0.1:{there.port}"
    thread = threading.Thread(target=there.loop.run_forever, name="destination", daemon=True)
    thread.start()
    try:
        yield there
    finally:
        there.loop.call_soon_threadsafe(there.loop.stop)
        thread.join()
        there.loop.run_until_complete(_closed(there))
        there.loop.close()


async def _closed(there: Destination) -> None:
    there.refuse()
    rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    await asyncio.sleep(0)


def rows_of(calls: Iterable[Call], name: str = "id") -> list[Any]:
    """Return one field of every record of the given requests."""
    return [record[name] for call in calls for record in call.records]
