"""The envelope of a record: `{"data": {…}, "group_key": "…"}`, opened without looking into the record itself.

The record stays the bytes that came, for the very code that reads files to judge: a key that stands twice, a nested
value or a NaN is found there.
"""

from __future__ import annotations

import json
from typing import NamedTuple

import msgspec

from api.errors import ApiError

_SHAPE = 'The body must be {"data": {…}, "group_key": "…"} and nothing else.'


class Envelope(NamedTuple):
    """A record as one line of JSON, and the group that it is for."""

    line: bytes
    group_key: str


class _Body(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    data: msgspec.Raw
    group_key: str


_decode = msgspec.json.Decoder(_Body).decode


def opened(body: bytes) -> Envelope:
    """Open an envelope.

    Raises:
        ApiError: 400, when the body is not JSON, has not the two members, or has one of them twice.
    """
    try:
        found = _decode(body)
    except msgspec.ValidationError:
        raise ApiError(400, "body.shape", _SHAPE) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ApiError(400, "body.json", "The body is not JSON in UTF-8.") from None
    data = bytes(found.data)
    if not data.startswith(b"{"):
        raise ApiError(400, "body.shape", _SHAPE)
    _expect_once(body, data)
    return Envelope(_in_one_line(data), found.group_key)


def _expect_once(body: bytes, data: bytes) -> None:
    """Make sure that no member stands twice: msgspec would take the last one in silence.

    Without the record, six quotes are two names and the group's key; escaped ones are left to a slow look.
    """
    outside = body.replace(data, b"", 1)
    if outside.count(b'"') == 6 and b"\\" not in outside:
        return
    try:
        names = [name for name, _ in json.loads(body, object_pairs_hook=list)]
    except (ValueError, RecursionError):
        raise ApiError(400, "body.json", "The body is not JSON in UTF-8.") from None
    if len(names) > len(set(names)):
        raise ApiError(400, "body.duplicate_key", "A member of the body stands twice.")


def _in_one_line(data: bytes) -> bytes:
    """Return the record without line ends, which JSON text has only between its tokens."""
    if b"\n" in data or b"\r" in data:
        return data.replace(b"\r", b" ").replace(b"\n", b" ")
    return data
