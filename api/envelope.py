"""The envelope of a record: `{"data": {…}, "group_key": "…"}`, opened without looking into the record itself.

The record stays the bytes that came, for the very code that reads files to judge: a key that stands twice, a nested
value or a NaN is found there.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

import msgspec

from api.errors import ApiError

_DATA = rb'"data" : (?P<data>\{.*\})'
_KEY = rb'"group_key" : "(?P<key>[^"\\\x00-\x1f]*)"'
_OUTLINES = [
    re.compile((rb" \{ %b , %b \} " % pair).replace(b" ", rb"[ \t\r\n]*"), re.DOTALL)
    for pair in ((_DATA, _KEY), (_KEY, _DATA))
]
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
        return _outlined(body)
    data = bytes(found.data)
    if not data.startswith(b"{"):
        raise ApiError(400, "body.shape", _SHAPE)
    _expect_once(body, data)
    return Envelope(_in_one_line(data), found.group_key)


def _outlined(body: bytes) -> Envelope:
    """Return the envelope of a body that is no JSON, when that may be its record's fault: who reads it says which.

    Raises:
        ApiError: 400, when it is the envelope's.
    """
    match = next(filter(None, (outline.fullmatch(body) for outline in _OUTLINES)), None)
    try:
        if match:
            return Envelope(_in_one_line(match["data"]), match["key"].decode())
    except UnicodeDecodeError:
        pass
    raise ApiError(400, "body.json", "The body is not JSON in UTF-8.")


def _expect_once(body: bytes, data: bytes) -> None:
    """Make sure that no member stands twice: msgspec would take the last one in silence.

    Without the record, six quotes are two names and the group's key; where there are more, a slow look tells.
    """
    outside = body.replace(data, b"0", 1)
    if outside.count(b'"') == 6:
        return
    try:
        names = [name for name, _ in json.loads(outside, object_pairs_hook=list)]
    except (ValueError, RecursionError):
        raise ApiError(400, "body.json", "The body is not JSON in UTF-8.") from None
    if len(names) > len(set(names)):
        raise ApiError(400, "body.duplicate_key", "A member of the body stands twice.")


def _in_one_line(data: bytes) -> bytes:
    """Return the record without line ends; like them, a tab is allowed between tokens, and nowhere else."""
    if b"\n" in data or b"\r" in data:
        return data.replace(b"\r", b"\t").replace(b"\n", b"\t")
    return data
