"""A claim: what a request says of its own signature. It has the right form; nothing in it is believed yet."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from api.refused import Refused
from api.signing import ALGORITHM

_COMPONENTS = {b"Credential", b"SignedHeaders", b"Signature"}
_KEY = re.compile(rb"[A-Za-z0-9_]{16,128}")
_STAMP = re.compile(rb"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z")
_SIGNATURE = re.compile(rb"[0-9a-f]{64}")


class Claim(NamedTuple):
    """Who says to have signed, for which scope, when, which headers, and the signature's 32 bytes."""

    key: str
    scope: bytes
    stamp: bytes
    at: datetime
    signed: tuple[bytes, ...]
    signature: bytes


def claim_of_header(fields: Mapping[bytes, bytes]) -> Claim:
    """Return the claim that stands in the headers.

    Raises:
        Refused: when there is none, or one that has not the form that it must have.
    """
    if b"authorization" not in fields:
        raise Refused("signature.missing", "Sign the request with AWS Signature Version 4.")
    algorithm, _, rest = fields[b"authorization"].partition(b" ")
    parts = [part.removeprefix(b" ").partition(b"=") for part in rest.split(b",")]
    told = {name: value for name, _, value in parts}
    if len(parts) != len(_COMPONENTS) or told.keys() != _COMPONENTS:
        message = "Authorization must have Credential, SignedHeaders and Signature, each once, and nothing else."
        raise Refused("signature.malformed", message)
    stamp = fields.get(b"x-amz-date", b"")
    return claim(algorithm, told[b"Credential"], stamp, told[b"SignedHeaders"], told[b"Signature"])


def claim(algorithm: bytes, credential: bytes, stamp: bytes, signed: bytes, signature: bytes) -> Claim:
    """Return the claim that these parts make.

    Raises:
        Refused: when one of them has not the form that it must have.
    """
    if algorithm != ALGORITHM:
        raise Refused("signature.algorithm", f"The algorithm must be {ALGORITHM.decode()}.")
    key, _, scope = credential.partition(b"/")
    if not _KEY.fullmatch(key):
        raise Refused("signature.malformed", "The access key id must be 16 to 128 letters, digits and underscores.")
    if not _SIGNATURE.fullmatch(signature):
        raise Refused("signature.malformed", "The signature must be 64 hexadecimal digits in lower case.")
    return Claim(key.decode(), scope, stamp, _moment(stamp), _names(signed), bytes.fromhex(signature.decode()))


@lru_cache(maxsize=64)  # many requests have the same second
def _moment(stamp: bytes) -> datetime:
    if match := _STAMP.fullmatch(stamp):
        year, month, day, hour, minute, second = map(int, match.groups())
        try:
            return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        except ValueError:  # no such day, hour, minute or second
            pass
    raise Refused("signature.date", "X-Amz-Date must be a time in UTC, written YYYYMMDDTHHMMSSZ.")


@lru_cache(maxsize=64)  # most clients sign the same few
def _names(signed: bytes) -> tuple[bytes, ...]:
    names = signed.split(b";")
    if signed != signed.lower() or names != sorted(set(names)):
        raise Refused("signature.headers", "SignedHeaders must be in lower case and in order, each name once.")
    return tuple(names)
