"""Signed requests: as botocore signs them, and by hand, where every part may be wrong but the signature is right."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from api.credential import Credential
from api.signature import Received, Refused, Verifier

REGION, SERVICE = "eu-north-1", "execute-api"
ANNA = Credential("FD0ANNA0EXAMPLE0KEY1", "wJalrXUtnFEMIxK7MDENG0bPxRfiCYEXAMPLEKEY", frozenset({"abc"}))
BERT = Credential("FD0BERT0EXAMPLE0KEY2", "je7MtGbClwBF2Zp9Utk2h3yCo8nvbEXAMPLEKEY0", frozenset({"xyz"}))
NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
BODY = json.dumps({"data": {"email": "anna@example.com"}, "group_key": "abc"}).encode()

Headers = list[tuple[bytes, bytes]]


def verifier(*credentials: Credential, at: datetime = NOW, **more: Any) -> Verifier:
    """A verifier that knows these credentials, Anna and Bert if none is given, and believes that it is `at`."""
    known = {credential.id: credential for credential in credentials or (ANNA, BERT)}
    return Verifier(**{"region": REGION, "service": SERVICE, "find": known.get, "now": lambda: at, **more})


def code(request: Received, by: Verifier | None = None) -> str:
    """The code that a request is refused with; empty when it is taken."""
    try:
        (by or verifier()).verify(request)
    except Refused as refused:
        return refused.code
    return ""


def stamp_of(at: datetime) -> str:
    return at.strftime("%Y%m%dT%H%M%SZ")


def botocore_signed(
    method: str,
    url: str,
    body: bytes,
    credential: Credential,
    *,
    headers: Mapping[str, str] | None = None,
    at: datetime | None = None,
    region: str = REGION,
    service: str = SERVICE,
) -> list[tuple[str, str]]:
    """Every header that botocore's request has once it is signed at `at`, which is now if not given; Host too."""
    request = AWSRequest(method, url, headers=dict(headers or {}), data=body)
    auth = SigV4Auth(Credentials(credential.id, credential.secret), service, region)
    with mock.patch("botocore.auth.get_current_datetime", return_value=at or datetime.now(UTC)):
        auth.add_auth(request)
    return [("Host", urlsplit(url).netloc), *request.headers.items()]


def botocore_presigned(
    method: str,
    url: str,
    credential: Credential,
    *,
    seconds: int = 3600,
    at: datetime = NOW,
    headers: Mapping[str, str] | None = None,
) -> str:
    """A URL that botocore presigned without a hash of the body, as its S3 clients do."""
    request = AWSRequest(method, url, headers=dict(headers or {}))
    request.context["payload_signing_enabled"] = False
    auth = SigV4QueryAuth(Credentials(credential.id, credential.secret), SERVICE, REGION, expires=seconds)
    with mock.patch("botocore.auth.get_current_datetime", return_value=at):
        auth.add_auth(request)
    return str(request.url)


def raw(headers: Iterable[tuple[str, str]]) -> Headers:
    """Headers as a server has them."""
    return [(name.lower().encode(), value.encode()) for name, value in headers]


def received(method: str, url: str, body: bytes, headers: Iterable[tuple[str, str]]) -> Received:
    """A request as a server has it."""
    parts = urlsplit(url)
    return Received(method, parts.path.encode(), parts.query.encode(), raw(headers), body)


@dataclass(frozen=True, slots=True)
class Draft:
    """A request to be signed by hand, for what no client can be made to send; it does not share the code it tests."""

    method: str = "POST"
    path: bytes = b"/v1/records"
    query: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = (
        (b"host", b"api.example.com"),
        (b"content-type", b"application/json"),
        (b"x-amz-date", b"20261123T120000Z"),
    )
    body: bytes = BODY
    signed: bytes | None = None
    scope: bytes = b"20261123/eu-north-1/execute-api/aws4_request"
    stamp: bytes = b"20261123T120000Z"
    algorithm: bytes = b"AWS4-HMAC-SHA256"
    key: bytes = ANNA.id.encode()
    secret: bytes = ANNA.secret.encode()
    payload: bytes | None = None
    canonical_path: bytes | None = None
    canonical_query: bytes | None = None

    def but(self, **changes: Any) -> Draft:
        return replace(self, **changes)

    def plus(self, *headers: tuple[bytes, bytes], **changes: Any) -> Draft:
        """The same with more headers, which are signed unless `signed` says otherwise."""
        return replace(self, headers=(*self.headers, *headers), **changes)

    def dated(self, stamp: bytes) -> Draft:
        """The same, signed at another time."""
        headers = tuple((name, stamp if name == b"x-amz-date" else value) for name, value in self.headers)
        return replace(self, headers=headers, stamp=stamp, scope=stamp[:8] + self.scope[8:])

    @property
    def names(self) -> bytes:
        return b";".join(sorted({name for name, _ in self.headers})) if self.signed is None else self.signed

    def signature(self) -> bytes:
        lines = [
            self.method.encode(),
            self.path if self.canonical_path is None else self.canonical_path,
            b"&".join(sorted(self.query.split(b"&"))) if self.canonical_query is None else self.canonical_query,
            *(name + b":" + self._value(name) for name in self.names.split(b";")),
            b"",
            self.names,
            hashlib.sha256(self.body).hexdigest().encode() if self.payload is None else self.payload,
        ]
        digest = hashlib.sha256(b"\n".join(lines)).hexdigest().encode()
        key = b"AWS4" + self.secret
        for part in self.scope.split(b"/"):
            key = hmac.new(key, part, "sha256").digest()
        text = b"\n".join([self.algorithm, self.stamp, self.scope, digest])
        return hmac.new(key, text, "sha256").hexdigest().encode()

    def _value(self, name: bytes) -> bytes:
        return b",".join(b" ".join(value.split()) for given, value in self.headers if given == name)

    def authorization(self) -> bytes:
        parts = (self.algorithm, self.key, self.scope, self.names, self.signature())
        return b"%b Credential=%b/%b, SignedHeaders=%b, Signature=%b" % parts

    def with_authorization(self, authorization: bytes) -> Received:
        headers = [*self.headers, (b"authorization", authorization)]
        return Received(self.method, self.path, self.query, headers, self.body)

    def request(self) -> Received:
        return self.with_authorization(self.authorization())
