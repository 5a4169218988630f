"""Presigned URLs: the signature stands in the query, so that one request needs no secret. Its body is not signed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

from api import signing
from api.claim import Claim, claim
from api.credential import Credential
from api.received import plain_path, plain_query
from api.refused import Refused

UNSIGNED = b"UNSIGNED-PAYLOAD"
LONGEST = 7 * 24 * 60 * 60  # seconds

_PORTS = {"http": 80, "https": 443}
_EXPIRES = b"X-Amz-Expires"
_SIGNATURE = b"X-Amz-Signature"
_CLAIMED = (b"X-Amz-Algorithm", b"X-Amz-Credential", b"X-Amz-Date", b"X-Amz-SignedHeaders", _SIGNATURE)
_PARAMETERS = {*_CLAIMED, _EXPIRES}


@dataclass(frozen=True, slots=True)
class Presigned:
    """The claim in a query, the seconds that it is to hold, and the canonical query without the signature."""

    claim: Claim
    seconds: int
    query: bytes


def presigned(query: bytes) -> Presigned:
    """Return the claim that stands in a query.

    Raises:
        Refused: when there is none, or one that has not the form that it must have.
    """
    parameters = plain_query(query)
    told = {name: unquote_to_bytes(value) for name, value in parameters.items() if is_about_signature(name)}
    if told.keys() != _PARAMETERS:
        names = ", ".join(sorted(name.decode() for name in _PARAMETERS))
        raise Refused("signature.query", f"A presigned URL has {names}, and nothing else that begins with X-Amz-.")
    del parameters[_SIGNATURE]
    return Presigned(
        claim(*(told[name] for name in _CLAIMED)),
        _seconds(told[_EXPIRES]),
        signing.canonical_query(parameters.items()),
    )


@lru_cache(maxsize=256)  # most requests have the same headers
def is_about_signature(name: bytes) -> bool:
    """Return whether a parameter or a header is one of the signature's, in whatever case it is written."""
    return name.lower().startswith(b"x-amz-")


def _seconds(given: bytes) -> int:
    if given.isdigit() and not given.startswith(b"0") and len(given) <= 6 and int(given) <= LONGEST:
        return int(given)
    raise Refused("signature.query", f"X-Amz-Expires must be a number of seconds from 1 to {LONGEST}.")


def presign(
    credential: Credential, region: str, service: str, *, method: str, url: str, seconds: int, at: datetime
) -> str:
    """Return a URL that anyone may send with this method and any body, until `seconds` after `at`.

    Raises:
        ValueError: when it would be refused: its path has escapes, its query is not escaped as RFC 3986, ...
    """
    parts = urlsplit(url)
    host = _host(parts)
    if not 1 <= seconds <= LONGEST:
        raise ValueError(f"a presigned URL holds for 1 to {LONGEST} seconds")
    try:
        path, given = plain_path(parts.path.encode()), plain_query(parts.query.encode())
    except Refused as refused:
        raise ValueError(refused.message) from None
    if any(map(is_about_signature, given)):
        raise ValueError("the URL has a parameter that begins with X-Amz-: presigned URLs are not presigned again")
    stamp = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ").encode()
    scope = signing.scope_of(stamp, region.encode(), service.encode())
    own = {
        b"X-Amz-Algorithm": signing.ALGORITHM,
        b"X-Amz-Credential": credential.id.encode() + b"/" + scope,
        b"X-Amz-Date": stamp,
        _EXPIRES: str(seconds).encode(),
        b"X-Amz-SignedHeaders": b"host",
    }
    query = signing.canonical_query([*given.items(), *((name, signing.escaped(value)) for name, value in own.items())])
    request = signing.canonical_request(method.encode(), path, query, [(b"host", host)], UNSIGNED)
    text = signing.string_to_sign(stamp, scope, request)
    signature = signing.signature(signing.signing_key(credential.secret, scope), text)
    address = b"%b://%b%b?%b" % (parts.scheme.encode(), host, path, query)
    return f"{address.decode()}&X-Amz-Signature={signature.hex()}"


def _host(parts: SplitResult) -> bytes:
    """Return the Host header that clients send for a URL: in lower case, without a port that its scheme implies."""
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None or parts.fragment:
        raise ValueError("a URL to presign has http or https, a host, a path and perhaps a query, and nothing else")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = "" if parts.port in {None, _PORTS[parts.scheme]} else f":{parts.port}"
    return f"{host}{port}".encode()
