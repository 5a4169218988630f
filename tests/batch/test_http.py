"""One exchange with real servers that answer, break, or say nothing."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from support.destination import HANG, OK, RESET, Answer, destination

from batch import http
from config.limits import USUAL
from integrations.errors import Ambiguous, DeliveryError, Retryable, Unauthorized
from integrations.exchange import Reply
from integrations.request import Request

SECRET = "Bearer very-secret"


def exchange(url: str, seconds: float = 5, body: bytes = b'{"records":[]}') -> Reply:
    async def once() -> Reply:
        async with http.session(2) as client:
            request = Request("POST", url, {"authorization": SECRET, "content-type": "application/json"}, body)
            return await http.exchange(client, request, http.Bounds(seconds))

    return asyncio.run(once())


def failure(url: str, seconds: float = 5, body: bytes = b"{}") -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        exchange(url, seconds, body)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    return caught.value


@pytest.mark.parametrize("status", [200, 201, 204, 400, 404, 429, 500, 503])
def test_a_reply_is_returned_whatever_its_status(status: int) -> None:
    body = b"" if status == 204 else b'{"a": 1}'
    with destination(Answer(status, body, {"X-Odd": "Yes"})) as there:
        reply = exchange(there.base, body=b"hello")
    assert (reply.status, reply.body, reply.headers["x-odd"]) == (status, body, "Yes")
    (call,) = there.calls
    assert (call.method, call.body, call.headers["authorization"]) == ("POST", b"hello", SECRET)


def test_a_refused_connection_may_be_tried_again() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        error = failure(f"http://127.0.0.1:{closed.getsockname()[1]}")
    assert isinstance(error, Retryable)
    assert (error.code, error.maybe_taken, error.slow_down) == ("unreachable", False, False)


def test_a_name_that_does_not_resolve_may_be_tried_again() -> None:
    error = failure("http://no-such-host.invalid")
    assert isinstance(error, Retryable)
    assert error.code == "unreachable"


@contextmanager
def deaf() -> Iterator[str]:
    """An address that does not even answer a connection: its queue is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        for one in waiting:
            one.close()


def test_a_connection_that_is_never_made_is_told_from_an_answer_that_never_comes() -> None:
    with deaf() as address:
        started = time.monotonic()
        error = failure(address, 1)
    assert isinstance(error, Retryable)
    assert error.code == "unreachable"
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(HANG, id="silence"),
        pytest.param(RESET, id="reset"),
        pytest.param(Answer(0, b"", then="close"), id="closed"),
        pytest.param(Answer(0, b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{", then="close"), id="cut body"),
        pytest.param(Answer(0, b"HTTP/1.1 200 OK\r\ncontent-le", then="close"), id="cut head"),
        pytest.param(Answer(0, b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{", then="hang"), id="half a body"),
        pytest.param(Answer(0, b"SSH-2.0-OpenSSH_9.6\r\n", then="close"), id="another protocol"),
        pytest.param(Answer(0, b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000 + b"\r\n\r\n", then="close"), id="huge head"),
        pytest.param(Answer(0, b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n{}", then="close"), id="odd length"),
        pytest.param(
            Answer(0, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}", then="close"), id="odd chunks"
        ),
        pytest.param(Answer(then="drip"), id="never-ending"),
    ],
)
def test_what_was_sent_and_not_answered_whole_is_ambiguous(answer: Answer) -> None:
    with destination(answer, then=answer) as there:
        started = time.monotonic()
        error = failure(there.base, 0.6)
    assert isinstance(error, Ambiguous)
    assert error.code == "no_answer"
    assert time.monotonic() - started < 3
    assert len(there.calls) == 1


def test_a_huge_answer_is_not_read_to_its_end() -> None:
    with destination(Answer(200, b" " * (USUAL.reply + 1))) as there:
        error = failure(there.base)
    assert isinstance(error, Ambiguous)
    assert (error.code, error.message) == ("bad_answer", "the answer is larger than 16,777,216 bytes")


def test_an_answer_at_the_limit_is_read() -> None:
    with destination(Answer(200, b" " * USUAL.reply)) as there:
        assert len(exchange(there.base).body) == USUAL.reply


def test_nothing_is_unpacked() -> None:
    packed = gzip.compress(b"{}" * 1000)
    with destination(Answer(200, packed, {"content-encoding": "gzip"})) as there:
        assert exchange(there.base).body == packed
    assert there.calls[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_takes_no_credentials_along(status: int) -> None:
    with destination() as elsewhere, destination(Answer(status, b"", {"location": elsewhere.base})) as there:
        assert exchange(there.base).status == status
    assert elsewhere.calls == []


def test_cookies_are_not_kept() -> None:
    async def twice(base: str) -> None:
        async with http.session(1) as client:
            for _ in range(2):
                await http.exchange(client, Request("POST", base, {}, b"{}"), http.Bounds(5))

    with destination(Answer(headers={"set-cookie": "a=b"})) as there:
        asyncio.run(twice(there.base))
    assert "cookie" not in there.calls[1].headers


def test_connections_are_kept() -> None:
    async def many(base: str) -> None:
        async with http.session(1) as client:
            for _ in range(20):
                await http.exchange(client, Request("POST", base, {}, b"{}"), http.Bounds(5))

    with destination(then=OK) as there:
        asyncio.run(many(there.base))
    assert len(there.calls) == 20


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    today = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "tls.pem").write_bytes(secret + certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.pem")
    return context


def test_a_certificate_that_is_not_trusted_stops_the_integration(tmp_path: Path) -> None:
    with destination(tls=self_signed(tmp_path)) as there:
        error = failure(there.base)
    assert isinstance(error, Unauthorized)
    assert (error.code, error.message) == ("address.refused", "the destination's TLS certificate is not trusted")
    assert there.calls == []


def test_what_speaks_no_tls_stops_the_integration_too_and_is_not_said_to_have_a_bad_certificate() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        raise ConnectionAbortedError

    with destination() as there:
        there.door = plain
        error = failure(there.base.replace("http:", "https:"))
    assert isinstance(error, Unauthorized)
    assert (error.code, error.message) == ("address.refused", "the destination does not agree on a TLS connection")


@pytest.mark.parametrize("url", ["http://", "http://[::1", "nonsense"])
def test_what_is_no_address_stops_the_integration(url: str) -> None:
    assert isinstance(failure(url), Unauthorized)
