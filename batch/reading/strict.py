"""One line of JSON at a time: slow, exact, and able to say what is wrong with it."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from batch.reading.digits import Digits

MESSAGES = {
    "row.json": "The line is not one JSON object.",
    "row.nested": "A value is an object, or a list that holds more than scalars.",
    "row.duplicate_key": "A key stands twice in the object.",
    "row.attributes": "The record has more attributes than it may have.",
    "row.nul": "The record holds a NUL character.",
    "row.surrogate": "Text holds half of a surrogate pair.",
}

_SURROGATE = re.compile("[\ud800-\udfff]")


class LineError(Exception):
    """The line is no record: `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise LineError("row.duplicate_key")
    return found


def _no_constant(_: str) -> NoReturn:
    raise LineError("row.json")  # NaN and Infinity are not JSON


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=Digits, parse_float=Digits, parse_constant=_no_constant
)

_ANY = json.JSONDecoder(parse_int=str, parse_constant=_no_constant)


def parse(line: bytes, most: int) -> dict[str, Any]:
    """Return the record of a line, of `most` attributes at the most, its numbers as `Digits`.

    Raises:
        LineError: when it is none.
    """
    if b"\0" in line:
        raise LineError("row.nul")
    try:
        found = _DECODER.decode(line.decode())
    except RecursionError:
        raise LineError("row.nested") from None
    except ValueError:
        raise LineError("row.json") from None
    if not isinstance(found, dict):
        raise LineError("row.json")
    if len(found) > most:
        raise LineError("row.attributes")
    for key, value in found.items():
        _check(key)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict | list) or (item is None and item is not value):
                raise LineError("row.nested")
            if isinstance(item, str):
                _check(item)
    return found


def is_json(line: bytes) -> bool:
    """Say whether a line is JSON, whatever it holds; what is nested too deep to tell is not."""
    try:
        _ANY.decode(line.decode())
    except (LineError, RecursionError, ValueError):
        return False
    return True


def _check(text: str) -> None:
    if "\0" in text:
        raise LineError("row.nul")
    if _SURROGATE.search(text):
        raise LineError("row.surrogate")
