"""Plain values: those that keep their attribute's rules for certain, as one look at a value by itself tells.

The check works on whole columns, and costs some milliseconds however few its records are. Most values are plain. Only
a yes counts: where the answer is no the check itself says what is wrong, if anything is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

from mappers.attribute import Attribute
from mappers.normalise import EMAIL_BYTES, FALSE, PLAIN_EMAIL, PLAIN_NUMBER, TRUE, e164

Look = Callable[[Any], bool]

_INTEGER = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(PLAIN_NUMBER.strip("^$"))
_EMAIL = re.compile(PLAIN_EMAIL.strip("^$"))
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BOOLEANS = frozenset(TRUE + FALSE)
# patterns that Python's engine reads as Rust's does
_ONE = r"(?:[A-Za-z0-9 _]|\[[A-Za-z0-9]+(?:-[A-Za-z0-9])?\])(?:[?*+]|\{[0-9]{1,3}(?:,[0-9]{0,3})?\})?"
_COMMON = re.compile(rf"\^((?:{_ONE})+)\$")


def look(attribute: Attribute) -> Look:
    """Return what tells whether a text that is not blank (or a list, for an attribute of lists) is plain."""
    if attribute.type == "list":
        return _all([_length(attribute), *_each(attribute)])
    rules = [_TYPES.get(attribute.type, _never)(attribute)]
    if attribute.min_length is not None or attribute.max_length is not None:
        rules.append(_length(attribute))
    return _all([*rules, *_pattern(attribute)])


def _all(looks: list[Look]) -> Look:
    return looks[0] if len(looks) == 1 else lambda value: all(one(value) for one in looks)


def _never(_attribute: Attribute) -> Look:
    return lambda _text: False


def _length(attribute: Attribute) -> Look:
    least, most = attribute.min_length or 0, attribute.max_length
    return lambda value: least <= len(value) and (most is None or len(value) <= most)


def _pattern(attribute: Attribute) -> list[Look]:
    if attribute.matches is None:
        return []
    common = _COMMON.fullmatch(attribute.matches) if attribute.type in ("string", "list") else None
    if common is None:
        return [_never(attribute)]
    matches = re.compile(common[1]).fullmatch
    return [lambda text: matches(text) is not None]


def _each(attribute: Attribute) -> list[Look]:
    """Return the look at a list's items: texts without white space around them."""
    of_item = _all([lambda item: type(item) is str and item != "" and item == item.strip(), *_pattern(attribute)])
    allowed = frozenset(attribute.allowed())
    return [lambda these: len(these) > 0 and all(map(of_item, these)) and (not allowed or allowed.issuperset(these))]


def _string(attribute: Attribute) -> Look:
    allowed = frozenset(attribute.allowed())
    return (lambda text: text in allowed) if allowed else (lambda text: text.strip() != "")


def _email(attribute: Attribute) -> Look:
    allowed = frozenset(attribute.allowed())
    return lambda text: (
        _EMAIL.fullmatch(text) is not None and len(text) <= EMAIL_BYTES and (not allowed or text.lower() in allowed)
    )


def _phone(attribute: Attribute) -> Look:
    return lambda text: text == text.strip() and e164(text, attribute.region).startswith("+")


def _within(read: Callable[[str], Any], attribute: Attribute) -> Look:
    low, high, allowed = attribute.bound("min"), attribute.bound("max"), frozenset(attribute.allowed())

    def within(text: str) -> bool:
        value = read(text)
        return (low is None or low <= value) and (high is None or value <= high) and (not allowed or value in allowed)

    return within


def _integer(attribute: Attribute) -> Look:
    return _all([lambda text: _INTEGER.fullmatch(text) is not None, _within(int, attribute)])


def _number(attribute: Attribute) -> Look:
    return _all([lambda text: _NUMBER.fullmatch(text) is not None, _within(float, attribute)])


def _boolean(_attribute: Attribute) -> Look:
    return lambda text: text.lower() in _BOOLEANS


def _date(attribute: Attribute) -> Look:
    if attribute.format is not None:
        return _never(attribute)
    within = _within(date.fromisoformat, attribute)

    def is_day(text: str) -> bool:
        try:
            return _DATE.fullmatch(text) is not None and within(text)
        except ValueError:  # no such day
            return False

    return is_day


_TYPES: dict[str, Callable[[Attribute], Look]] = {
    "string": _string,
    "email": _email,
    "phone": _phone,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
}
