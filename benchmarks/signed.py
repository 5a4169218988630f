"""Signed requests for benchmarks, made before the clock starts."""

from __future__ import annotations

import json
from datetime import datetime

from api import signing
from api.credential import Credential
from api.received import fields
from api.signature import Received

_SIGNED = (b"content-type", b"host", b"x-amz-date")


def record(number: int) -> bytes:
    """Return the body of a request with one record, each number another."""
    data = {
        "customer_id": f"{number:08}",
        "email": f"Customer.{number}@Example.com",
        "first_name": "Åsa",
        "last_name": "Lind",
        "postcode": "11122",
        "city": "Stockholm",
        "birth_date": "1980-02-03",
        "amount": number / 100,
        "consent": True,
        "tags": ["VIP", "NEWS"],
        "source": "web",
    }
    return json.dumps({"data": data, "group_key": "bench"}, ensure_ascii=False).encode()


def request(credential: Credential, host: str, body: bytes, at: datetime) -> Received:
    """Return a signed request with the headers that curl sends."""
    stamp = at.strftime("%Y%m%dT%H%M%SZ").encode()
    scope = signing.scope_of(stamp, b"eu-north-1", b"execute-api")
    headers = [
        (b"host", host.encode()),
        (b"x-amz-date", stamp),
        (b"user-agent", b"curl/7.88.1"),
        (b"accept", b"*/*"),
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    signed = [(name, fields(headers)[name]) for name in _SIGNED]
    canonical = signing.canonical_request(b"POST", b"/v1/records", b"", signed, signing.payload_hash(body))
    text = signing.string_to_sign(stamp, scope, canonical)
    signature = signing.signature(signing.signing_key(credential.secret, scope), text).hex()
    names, own = b";".join(_SIGNED).decode(), f"{credential.id}/{scope.decode()}"
    claim = f"AWS4-HMAC-SHA256 Credential={own}, SignedHeaders={names}, Signature={signature}"
    return Received("POST", b"/v1/records", b"", [*headers, (b"authorization", claim.encode())], body)


def wire(request: Received) -> bytes:
    """Return a request as it goes over the wire."""
    lines = [f"{request.method} {request.path.decode()} HTTP/1.1".encode()]
    lines += [name + b": " + value for name, value in request.headers]
    return b"\r\n".join([*lines, b"", request.body])
