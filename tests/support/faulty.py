"""A service like S3 that goes wrong as it is told: a proxy before the stand-in, with real HTTP on both sides."""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import inf
from typing import Literal
from urllib.parse import urlsplit

Operation = Literal["LIST", "HEAD", "GET", "PUT", "DELETE"]
Says = Literal["all", "length", "range"]


@dataclass(frozen=True)
class Reply:
    """What is written to the one who asks; a body that is shorter than it says ends the connection."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def wire(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} Said", *(f"{name}: {value}" for name, value in self.headers.items())]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


class Exchange(BaseHTTPRequestHandler):
    """One request, and what can be done with it."""

    server: _Server
    protocol_version = "HTTP/1.1"

    def ask(self) -> Reply:
        """Return what the service behind says."""
        with closing(HTTPConnection(self.server.behind, timeout=30)) as behind:
            behind.request(self.command, self.paged(), self.content, dict(self.headers.items()))
            answer = behind.getresponse()
            body = answer.read()
            headers = {name.lower(): value for name, value in answer.getheaders()}
        headers.pop("transfer-encoding", None)
        headers.setdefault("content-length", str(len(body)))
        return Reply(answer.status, {**headers, "connection": "keep-alive"}, body)

    def paged(self) -> str:
        """Return the path, with which a listing has as few keys a page as it is told."""
        few = self.server.faulty.page
        return f"{self.path}&max-keys={few}" if few and self.operation == "LIST" else self.path

    def write(self, reply: Reply) -> None:
        self.wfile.write(reply.wire)

    def hang(self) -> None:
        """Say nothing more until the other side gives up."""
        with suppress(OSError):
            self.connection.settimeout(30)
            self.connection.recv(1)
        self.close_connection = True

    def reset(self) -> None:
        """Break the connection off as a process that dies does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.server.close_request(self.connection)
        self.close_connection = True

    @property
    def operation(self) -> Operation:
        return "LIST" if "list-type=2" in self.path else self.command  # type: ignore[return-value]

    def serve(self) -> None:
        self.content = self.rfile.read(int(self.headers.get("content-length", 0)))
        with suppress(ConnectionError):
            self.server.faulty.turn(self.operation)(self)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = serve  # noqa: N815 - so http.server calls them

    def finish(self) -> None:
        with suppress(OSError):  # it was reset
            super().finish()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


Spoil = Callable[[Exchange], None]


def well(it: Exchange) -> None:
    """Let an exchange go as it should."""
    it.write(it.ask())


def answering(status: int, code: str) -> Spoil:
    """Return what answers with an error as S3 does."""
    document = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{SAID}</Message></Error>".encode()

    def spoil(it: Exchange) -> None:
        body = b"" if it.command == "HEAD" else document
        it.write(Reply(status, {"content-type": "application/xml", "content-length": str(len(body))}, body))

    return spoil


SAID = "what-the-service-says-itself"
"""Stands in every error's message, which may hold anything and is not repeated to people."""


def garbage(it: Exchange) -> None:
    """Answer like a proxy that wants somebody to log in."""
    page = b"" if it.command == "HEAD" else b"<!doctype html><title>Log in</title><p>Welcome"
    it.write(Reply(200, {"content-type": "text/html", "content-length": str(len(page))}, page))


def stalling(it: Exchange) -> None:
    """Never answer."""
    it.hang()


def stalling_after(it: Exchange) -> None:
    """Do what is asked, and never say so."""
    it.ask()
    it.hang()


def resetting(it: Exchange) -> None:
    """Break off without a word."""
    it.reset()


def resetting_after(it: Exchange) -> None:
    """Do what is asked, and break off."""
    it.ask()
    it.reset()


def cut(share: float, says: Says = "all", *, meanwhile: Callable[[], None] = int) -> Spoil:
    """Return what cuts bodies after a share of them, and then breaks off.

    The head says that `all` is there, or the right `length` with the range that was asked for, or that the cut
    `range` is the whole object. What is to happen `meanwhile` happens before the other side knows.
    """

    def spoil(it: Exchange) -> None:
        whole = it.ask()
        body, headers = whole.body[: int(len(whole.body) * share)], dict(whole.headers)
        if says != "all":
            headers["content-length"] = str(len(body))
        if says == "range":
            headers = {name: _shortened(value, len(body)) for name, value in headers.items()}
        meanwhile()
        it.write(replace(whole, headers=headers, body=body))
        if says == "all":
            it.connection.shutdown(socket.SHUT_RDWR)
            it.close_connection = True

    return spoil


def _shortened(value: str, size: int) -> str:
    return re.sub(r"^bytes (\d+)-\d+/\d+$", rf"bytes \1-{size - 1}/{size}", value)


def stalling_in(share: float) -> Spoil:
    """Return what stops in the middle of bodies, and stays."""

    def spoil(it: Exchange) -> None:
        whole = it.ask()
        it.write(replace(whole, body=whole.body[: int(len(whole.body) * share)]))
        it.hang()

    return spoil


def before(what: Callable[[], None]) -> Spoil:
    """Return what lets something happen before the service is asked."""

    def spoil(it: Exchange) -> None:
        what()
        well(it)

    return spoil


def after(what: Callable[[], None]) -> Spoil:
    """Return what lets something happen once the service has answered, and before anyone knows."""

    def spoil(it: Exchange) -> None:
        reply = it.ask()
        what()
        it.write(reply)

    return spoil


@dataclass(frozen=True)
class Order:
    """What is done to calls of an operation, from which one on, and how often."""

    spoil: Spoil
    first: int
    times: float


@dataclass
class Faulty:
    """The proxy's other side: its address, and what goes wrong."""

    base: str = ""
    page: int = 0
    struck: int = 0
    _orders: dict[Operation, Order] = field(default_factory=dict)
    _calls: Counter[Operation] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def spoil(self, operation: Operation, spoil: Spoil, first: int = 1, times: float = inf) -> None:
        """Spoil calls of an operation; they are counted from now on."""
        with self._lock:
            self._orders[operation] = Order(spoil, first, times)
            self._calls[operation] = 0

    def heal(self) -> None:
        """Let everything go well from now on."""
        with self._lock:
            self._orders.clear()

    def turn(self, operation: Operation) -> Spoil:
        """Count a call, and return what is done to it."""
        with self._lock:
            self._calls[operation] += 1
            order = self._orders.get(operation)
            if order is None or not order.first <= self._calls[operation] < order.first + order.times:
                return well
            self.struck += 1
            return order.spoil


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, behind: str, faulty: Faulty) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.behind, self.faulty = urlsplit(behind).netloc, faulty

    def handle_error(self, *_: object) -> None:
        """Say nothing of sides that went away."""


@contextmanager
def faulty(behind: str) -> Iterator[Faulty]:
    """Run a proxy before the service at an address while the context lasts."""
    there = Faulty()
    with _Server(behind, there) as server:
        there.base = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="faulty", daemon=True)
        thread.start()
        try:
            yield there
        finally:
            server.shutdown()
            thread.join()
