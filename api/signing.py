"""The arithmetic of AWS Signature Version 4, as for every service but S3: it computes, and believes nothing.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from functools import lru_cache, reduce
from urllib.parse import quote_from_bytes, unquote_to_bytes

ALGORITHM = b"AWS4-HMAC-SHA256"
TERMINATOR = b"aws4_request"


@lru_cache(maxsize=64)  # most requests go to the same few
def canonical_path(path: bytes) -> bytes:
    """Return a path of the wire without empty and dot segments, escaped once more."""
    return escaped(normalised(path), b"/")


def normalised(path: bytes) -> bytes:
    """Return a path without empty and dot segments; a slash at its end stays."""
    if path.startswith(b"/") and b"//" not in path and b"/." not in path:
        return path
    kept: list[bytes] = []
    for segment in path.split(b"/"):
        if segment == b"..":
            del kept[-1:]
        elif segment not in {b"", b"."}:
            kept.append(segment)
    end = b"/" if kept and path.endswith(b"/") else b""
    return b"/" + b"/".join(kept) + end


def canonical_query(parameters: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return escaped parameters in the order in which they are signed."""
    return joined(sorted(parameters))


def joined(parameters: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return escaped parameters as a query."""
    return b"&".join(name + b"=" + value for name, value in parameters)


def parameters(query: bytes) -> list[tuple[bytes, bytes]]:
    """Return the names and values of a query, escaped anew."""
    pairs = (part.partition(b"=") for part in query.split(b"&") if part)
    return [(escaped(unquote_to_bytes(name)), escaped(unquote_to_bytes(value))) for name, _, value in pairs]


def escaped(text: bytes, safe: bytes = b"") -> bytes:
    """Return text in which all but unreserved characters (RFC 3986, 2.3) is %XX, in capitals."""
    return quote_from_bytes(text, safe).encode()


def canonical_value(value: bytes) -> bytes:
    """Return a header's value trimmed, and every run of white space in it made one space."""
    return b" ".join(value.split())


def payload_hash(body: bytes) -> bytes:
    """Return what stands for a body."""
    return hashlib.sha256(body).hexdigest().encode()


def canonical_request(
    method: bytes, path: bytes, query: bytes, headers: Sequence[tuple[bytes, bytes]], payload: bytes
) -> bytes:
    """Return the text that stands for a request, from its parts, which are canonical; the headers are those signed."""
    lines = (name + b":" + value for name, value in headers)
    return b"\n".join((method, path, query, *lines, b"", b";".join(name for name, _ in headers), payload))


def string_to_sign(stamp: bytes, scope: bytes, request: bytes) -> bytes:
    """Return the text that is signed for a canonical request."""
    return b"\n".join((ALGORITHM, stamp, scope, hashlib.sha256(request).hexdigest().encode()))


def scope_of(stamp: bytes, region: bytes, service: bytes) -> bytes:
    """Return what a signing key is good for: one day, one region, one service."""
    return b"/".join((stamp[:8], region, service, TERMINATOR))


def signing_key(secret: str, scope: bytes) -> bytes:
    """Return the key that a secret has in a scope."""
    return reduce(signature, scope.split(b"/"), b"AWS4" + secret.encode())


def signature(key: bytes, text: bytes) -> bytes:
    """Return the signature of a text, 32 bytes."""
    return hmac.digest(key, text, "sha256")
