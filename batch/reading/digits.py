"""A JSON number as it was written."""

from __future__ import annotations


class Digits(str):
    """The digits of a number, told apart from a text by their type."""

    __slots__ = ()
