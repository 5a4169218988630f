"""A client of the API: botocore signs its requests, and every byte of them goes over a real connection."""

from __future__ import annotations

import itertools
import json
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import urlencode, urlsplit

from support.signed import botocore_signed

from api.credential import Credential

_PATIENCE = 60
_NUMBERS = itertools.count()


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(compare=False)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of an error; empty when it is none."""
        return str(self.json["error"]["code"]) if "error" in self.json else ""

    @property
    def details(self) -> set[tuple[str | None, str]]:
        return {(one["attribute"], one["code"]) for one in self.json["error"]["details"]}

    @property
    def record(self) -> str:
        assert self.status in (200, 202), self.body
        return str(self.json["record_id"])


@dataclass(frozen=True)
class Wire:
    """A whole request, which can be sent any number of times, to any server."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def to(self, base: str) -> Answer:
        """Send it."""
        connection = HTTPConnection(urlsplit(base).netloc, timeout=_PATIENCE)
        try:
            connection.putrequest(self.method, self.target, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers:
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(self.body)))
            connection.endheaders(self.body)
            return _answer(connection.getresponse())
        finally:
            connection.close()

    def sent_and_left(self, base: str, once: threading.Event) -> None:
        """Send it, and hang up without an answer once something has happened."""
        with socket.create_connection((str(urlsplit(base).hostname), urlsplit(base).port or 80)) as connection:
            connection.sendall(self.bytes)
            assert once.wait(_PATIENCE)

    @property
    def bytes(self) -> bytes:
        """What goes over the wire."""
        headers = (*self.headers, ("Content-Length", str(len(self.body))))
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body

    def but(self, *without: str, **changes: str) -> Wire:
        """Return it without some headers, and with others, which nobody signed."""
        kept = [(name, value) for name, value in self.headers if name not in without]
        return Wire(self.method, self.target, (*kept, *changes.items()), self.body)


@dataclass(frozen=True)
class Client:
    """Who calls, and where."""

    base: str
    credential: Credential

    def signed(self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Wire:
        """Sign a request; two that are else the same have different signatures."""
        own = {"X-Number": str(next(_NUMBERS)), **(headers or {})}
        return Wire(
            method, target, tuple(botocore_signed(method, self.base + target, body, self.credential, headers=own)), body
        )

    def send(self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        return self.signed(method, target, body, headers).to(self.base)

    def get(self, path: str, **query: object) -> Answer:
        return self.send("GET", f"{path}?{urlencode(query)}" if query else path)

    def record(
        self, data: Mapping[str, Any] | bytes, group: str = "abc", headers: Mapping[str, str] | None = None
    ) -> Wire:
        """Sign a record's request; `data` may be bytes, to be wrong JSON."""
        text = data if isinstance(data, bytes) else json.dumps(data).encode()
        body = b'{"data":%b,"group_key":%b}' % (text, json.dumps(group).encode())
        return self.signed("POST", "/v1/records", body, {"Content-Type": "application/json", **(headers or {})})

    def post(
        self, data: Mapping[str, Any] | bytes, group: str = "abc", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a record."""
        return self.record(data, group, headers).to(self.base)


def at_once(wires: Iterable[Wire], *bases: str) -> list[Answer]:
    """Send requests at the same time, each to the next of the servers."""
    with ThreadPoolExecutor(32) as pool:
        return list(pool.map(lambda pair: pair[0].to(pair[1]), zip(wires, itertools.cycle(bases), strict=False)))


def raw(base: str, *pieces: bytes, then: Callable[[], object] = lambda: None) -> Answer:
    """Write bytes to the server, do something, and return its first answer."""
    parts = urlsplit(base)
    with socket.create_connection((str(parts.hostname), parts.port or 80), timeout=_PATIENCE) as connection:
        for piece in pieces:
            connection.sendall(piece)
        then()
        response = HTTPResponse(connection)
        response.begin()
        return _answer(response)


def _answer(response: HTTPResponse) -> Answer:
    headers: dict[str, str] = {}
    for name, value in response.getheaders():
        assert name.lower() not in headers, f"{name} came twice"
        headers[name.lower()] = value
    return Answer(response.status, response.read(), headers)
