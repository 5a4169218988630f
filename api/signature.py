"""The signature of a request: who sent it, proved. Whatever is not proved is refused.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

from api import signing
from api.claim import Claim, claim_of_header
from api.credential import Credential
from api.presigning import UNSIGNED, is_about_signature, presigned
from api.received import Received, fields, plain_path, plain_query
from api.refused import Refused

__all__ = ["Received", "Refused", "Signed", "Verifier"]

_KEYS = 1024  # derived keys that are kept: one a credential and day
_WRONG = (
    "The signature is not that of this request: check the access key id, its secret, and that nothing on the way "
    "changes the request. Some clients sign a query rightly only when its names are in order."
)


@dataclass(frozen=True, slots=True)
class Signed:
    """Who signed a request and when. The signature, 32 bytes, is the same whenever that request comes again."""

    credential: Credential
    signature: bytes = field(repr=False)
    at: datetime


class Verifier:
    """Proves who signed requests to one service in one region; `find` returns the credential with an id."""

    def __init__(
        self,
        region: str,
        service: str,
        find: Callable[[str], Credential | None],
        skew: int = 300,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._region, self._service = region.encode(), service.encode()
        self._find, self._skew, self._now = find, skew, now
        self._key = lru_cache(_KEYS)(signing.signing_key)
        self._nobody = Credential("", secrets.token_hex(32), frozenset())

    def verify(self, request: Received) -> Signed:
        """Return who signed a request, body and all, in its Authorization header.

        Raises:
            Refused: when that is not proved, or the request has a form that clients sign differently.
        """
        headers = fields(request.headers)
        claim = claim_of_header(headers)
        if abs(self._age(claim)) > self._skew:
            raise self._off()
        if b"x-amz-security-token" in headers:
            raise Refused("signature.token", "There are no session tokens here: send no x-amz-security-token.")
        meant = {name for name in headers if name == b"content-type" or is_about_signature(name)}
        text = signing.canonical_request(
            request.method.encode(),
            plain_path(request.path),
            _query(request),
            _signed(claim, headers, {b"host", b"x-amz-date", *meant}),
            _payload(headers, request.body),
        )
        return self._proved(claim, text)

    def verify_query(self, method: str, path: bytes, query: bytes, headers: Sequence[tuple[bytes, bytes]]) -> Signed:
        """Return who presigned the URL of a request. Its body is not signed: this is for the one route that says so.

        Raises:
            Refused: when that is not proved, or the URL does not hold now.
        """
        sent = fields(headers)
        given = presigned(query)
        if b"authorization" in sent or any(map(is_about_signature, sent)):
            raise Refused("signature.both", "A presigned URL takes no Authorization header, and none of X-Amz-.")
        age = self._age(given.claim)
        if age < -self._skew:
            raise self._off()
        if age > given.seconds:
            raise Refused("signature.expired", "The presigned URL has expired: ask for a new one.")
        signed = _signed(given.claim, sent, {b"host"})
        text = signing.canonical_request(method.encode(), plain_path(path), given.query, signed, UNSIGNED)
        return self._proved(given.claim, text)

    def _age(self, claim: Claim) -> float:
        return (self._now() - claim.at).total_seconds()

    def _off(self) -> Refused:
        message = f"X-Amz-Date is more than {self._skew} seconds off: it is {self._now():%Y%m%dT%H%M%SZ} here."
        return Refused("signature.clock", message)

    def _proved(self, claim: Claim, request: bytes) -> Signed:
        scope = signing.scope_of(claim.stamp, self._region, self._service)
        if claim.scope != scope:
            message = f"The credential must be the access key id and /{scope.decode()}, with the date of X-Amz-Date."
            raise Refused("signature.scope", message)
        found = self._find(claim.key)
        # Whose key is unknown is computed too, and takes as long, so that ids cannot be found by asking.
        credential = found if found is not None and found.id == claim.key else self._nobody
        key = self._key(credential.secret, scope)
        right = signing.signature(key, signing.string_to_sign(claim.stamp, scope, request))
        if not hmac.compare_digest(right, claim.signature) or credential is self._nobody:
            raise Refused("signature.mismatch", _WRONG)
        return Signed(credential, claim.signature, claim.at)


def _signed(claim: Claim, headers: Mapping[bytes, bytes], needed: set[bytes]) -> list[tuple[bytes, bytes]]:
    """Return the headers that are signed.

    Raises:
        Refused: when one that must be signed is not, or one that is did not come.
    """
    for name in sorted(needed.difference(claim.signed)):
        raise Refused("signature.headers", f"The header {_shown(name)} must be signed; set it before signing.")
    for name in claim.signed:
        if name not in headers:
            raise Refused("signature.headers", f"The header {_shown(name)} is signed, but did not come.")
    return [(name, headers[name]) for name in claim.signed]


def _shown(name: bytes) -> str:
    return name[:64].decode("ascii", "backslashreplace")


def _query(request: Received) -> bytes:
    parameters = plain_query(request.query)
    if any(map(is_about_signature, parameters)):
        raise Refused("signature.both", "Sign in the Authorization header or in the query, not in both.")
    if parameters and request.method != "GET":
        raise Refused("request.query", f"{request.method} takes no query here.")
    return signing.canonical_query(parameters.items())


def _payload(headers: Mapping[bytes, bytes], body: bytes) -> bytes:
    payload = signing.payload_hash(body)
    if headers.get(b"x-amz-content-sha256", payload) != payload:
        message = "x-amz-content-sha256 must be the SHA-256 of the body; unsigned and streamed payloads are not taken."
        raise Refused("signature.payload", message)
    return payload
