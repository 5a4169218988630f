"""Connections: heads of requests that do not end, and those that merely take a while."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.installation import made, to
from support.served import Served, served

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(made(tmp_path_factory.mktemp("protocol"), hook=to("http://127.0.0.1:9"))) as server:
        yield server


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.protocol._PATIENCE", 0.3)


@contextmanager
def connected(server: Served) -> Iterator[socket.socket]:
    parts = urlsplit(server.base)
    with socket.create_connection((str(parts.hostname), parts.port or 80), timeout=30) as connection:
        yield connection


def sent(connection: socket.socket, pieces: Iterable[bytes], pause: float = 0) -> None:
    for piece in pieces:
        connection.sendall(piece)
        time.sleep(pause)


def rest(connection: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    said = b""
    while piece := connection.recv(1 << 16):
        said += piece
    return said


def test_a_head_may_be_large_but_not_endless(server: Served) -> None:
    with connected(server) as connection:
        connection.sendall(GET + b"A: " + b"a" * 30_000 + b"\r\nConnection: close\r\n\r\n")
        assert rest(connection).startswith(b"HTTP/1.1 200 ")
    for endless in (b"a" * 1000, b"a: a\r\n" * 100):
        with connected(server) as connection:
            connection.sendall(GET + b"A: a\r\n")
            with pytest.raises(ConnectionError):
                sent(connection, [endless] * 100_000)
        with connected(server) as connection:
            sent(connection, [GET + endless * 70, endless * 70], 0.1)
            assert b" 400 " in rest(connection)


def test_a_body_is_not_counted_as_head(server: Served) -> None:
    with connected(server) as connection:
        for _ in range(2):
            connection.sendall(
                b"POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n" + b" " * 500_000
            )
            assert connection.recv(1 << 16).startswith(b"HTTP/1.1 403 ")
        connection.sendall(GET + b"Connection: close\r\n\r\n")
        assert rest(connection).startswith(b"HTTP/1.1 200 ")


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("begun", [b"", b"G", b"GET /healthz HTTP/1.1\r\n", GET + b"A: a"])
def test_a_head_that_does_not_come_is_given_up(server: Served, begun: bytes) -> None:
    with connected(server) as connection:
        connection.sendall(begun)
        assert rest(connection) == b""


@pytest.mark.usefixtures("hasty")
def test_a_head_that_drips_is_given_up_on_any_request(server: Served) -> None:
    with connected(server) as connection:
        connection.sendall(GET + b"\r\n")
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        with pytest.raises(ConnectionError):
            sent(connection, (bytes([byte]) for byte in GET * 100), 0.02)


@pytest.mark.usefixtures("hasty")
def test_between_requests_and_before_an_answer_there_is_time(server: Served) -> None:
    client = server.client("abc")
    connection = HTTPConnection(urlsplit(server.base).netloc, timeout=30)
    for _ in range(2):
        wire = client.record({"email": "a@example.com"}, headers={"Prefer": "wait=1"})
        connection.request(wire.method, wire.target, wire.body, dict(wire.headers))
        response = connection.getresponse()
        assert (response.status, b"accepted" in response.read()) == (202, True)
        time.sleep(0.5)
    connection.close()


def test_an_installation_stops_although_somebody_is_connected(tmp_path: Path) -> None:
    with served(made(tmp_path, hook=to("http://127.0.0.1:9"))) as server, connected(server) as connection:
        connection.sendall(b"GET")
        assert server.client("abc").get("/v1/batches").status == 200
