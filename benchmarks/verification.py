"""What it costs to verify a signed request: python -m benchmarks.verification prints the median in microseconds."""

from __future__ import annotations

import statistics
import time
from datetime import UTC, datetime

from api import signing
from api.credential import Credential
from api.received import fields
from api.signature import Received, Verifier

_REQUESTS = 500  # each one different, as in life; a second's worth at that rate
_ROUNDS = 20
_KEY = Credential("FD0BENCHMARK0BENCHMARK", "not-a-secret", frozenset({"abc"}))
_AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
_SIGNED = (b"content-type", b"host", b"x-amz-date")


def _request(number: int) -> Received:
    """Return a small record, with the headers that curl sends."""
    body = b'{"data":{"email":"person%d@example.com","first_name":"Anna","amount":12.5},"group_key":"abc"}' % number
    stamp = _AT.strftime("%Y%m%dT%H%M%SZ").encode()
    scope = signing.scope_of(stamp, b"eu-north-1", b"execute-api")
    headers = [
        (b"host", b"127.0.0.1:8080"),
        (b"x-amz-date", stamp),
        (b"user-agent", b"curl/7.88.1"),
        (b"accept", b"*/*"),
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    signed = [(name, fields(headers)[name]) for name in _SIGNED]
    request = signing.canonical_request(b"POST", b"/v1/records", b"", signed, signing.payload_hash(body))
    text = signing.string_to_sign(stamp, scope, request)
    signature = signing.signature(signing.signing_key(_KEY.secret, scope), text).hex()
    credential = f"{_KEY.id}/{scope.decode()}"
    claim = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={b';'.join(_SIGNED).decode()}, "
    headers.append((b"authorization", f"{claim}Signature={signature}".encode()))
    return Received("POST", b"/v1/records", b"", headers, body)


def microseconds() -> float:
    """Return the median time of one verification, over rounds of requests."""
    verifier = Verifier("eu-north-1", "execute-api", {_KEY.id: _KEY}.get, now=lambda: _AT)
    requests = [_request(number) for number in range(_REQUESTS)]
    rounds = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        for request in requests:
            verifier.verify(request)
        rounds.append((time.perf_counter() - start) / _REQUESTS * 1e6)
    return statistics.median(rounds)


if __name__ == "__main__":
    print(f"{microseconds():.1f} µs a request")
