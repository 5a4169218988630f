"""Attributes: what a customer's records carry, with declared types and rules."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from typing import Literal, Self

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, StrictStr, model_validator

AttributeType = Literal["string", "email", "phone", "integer", "number", "boolean", "date", "datetime", "list"]

Bound = int | float | date | datetime
_BOUNDED = {"integer", "number", "date", "datetime"}
RULES_OF: dict[str, set[str]] = {
    "min": _BOUNDED,
    "max": _BOUNDED,
    "min_length": {"string", "email", "list"},
    "max_length": {"string", "email", "list"},
    "matches": {"string", "email", "phone", "list"},
    "one_of": {"string", "email", "integer", "number", "list"},
    "unique": {"string", "email", "phone", "integer"},
    "region": {"phone"},
    "format": {"date", "datetime"},
}
"""The rules that not every type has, each with the types that have it."""

TYPES: dict[AttributeType, str] = {
    "string": "Text, kept as it is: `00123` stays `00123`, and is not trimmed; white space alone is blank.",
    "email": "One address: trimmed, lower-cased.",
    "phone": "A telephone number, made E.164 (`+46701740605`); `region` tells the country where it is not written.",
    "integer": "A whole number of at most 64 bits, written in digits.",
    "number": "A number with a decimal point, which a double carries digit for digit.",
    "boolean": "true, 1, yes, y, t or false, 0, no, n, f, in any case.",
    "date": "A day, written as `format` says, else `2026-11-23`.",
    "datetime": "An instant with its zone, written as `format` says, else in ISO 8601; mappings see it in UTC.",
    "list": "Texts: a JSON list, or one cell with `files.list_separator` between; trimmed, without blank items.",
}
"""How the text of each type is read and normalised, for people."""


class Attribute(BaseModel):
    """One attribute of a record: its type, and the rules that its values must keep."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: AttributeType = Field("string", description="How the text of a cell is read and normalised.")
    required: bool = Field(False, description="A record without a value here is invalid.")
    unique: bool = Field(False, description="A value may stand in one row of a file only; the first row keeps it.")
    min: int | float | date | datetime | None = Field(
        None, description="The least number, or the first date, that is allowed."
    )
    max: int | float | date | datetime | None = Field(
        None, description="The greatest number, or the last date, that is allowed."
    )
    min_length: int | None = Field(None, ge=0, description="The least count of characters, or of items in a list.")
    max_length: int | None = Field(None, ge=0, description="The greatest count of characters, or of items in a list.")
    matches: str | None = Field(None, description="A regular expression (Rust syntax) that the text must match.")
    one_of: tuple[StrictStr | StrictInt | StrictFloat, ...] | None = Field(
        None, description="The only values that are allowed."
    )
    clearable: bool = Field(
        False, description="Promise that a clear token empties it everywhere: a mapping that cannot do so is refused."
    )
    region: str | None = Field(
        None, pattern="^[A-Z]{2}$", description="phone: the country of numbers that are written without one."
    )
    format: str | None = Field(None, description="date, datetime: how it is written (strptime); ISO 8601 if not given.")

    @model_validator(mode="after")
    def _rules_fit_the_type(self) -> Self:
        for rule, types in RULES_OF.items():
            if getattr(self, rule) not in (None, False) and self.type not in types:
                raise ValueError(f"`{rule}` is for {_either(types)}, not for {self.type}")
        if self.type == "datetime" and self.format and "%z" not in self.format and "%:z" not in self.format:
            raise ValueError("`format` of a datetime must hold the zone (%z), or nobody knows which instant is meant")
        _expect_order("min", self.bound("min"), "max", self.bound("max"))
        _expect_order("min_length", self.min_length, "max_length", self.max_length)
        if self.matches is not None:
            _expect_pattern(self.matches)
        if self.format is not None:
            _expect_format(self.format, with_time=self.type == "datetime")
        self.allowed()
        return self

    def bound(self, rule: Literal["min", "max"]) -> Bound | None:
        """Return `min` or `max` as a value of the attribute's own type.

        Raises:
            ValueError: when it is of another type.
        """
        given = getattr(self, rule)
        if given is None:
            return None
        if self.type in ("integer", "number"):
            if isinstance(given, bool | date) or not math.isfinite(given):
                raise ValueError(f"`{rule}` must be a number")
            return given  # type: ignore[no-any-return]
        return _as_moment(given, rule, with_time=self.type == "datetime")

    def allowed(self) -> list[str | int | float]:
        """Return the values of `one_of` as values of the attribute's own type.

        Raises:
            ValueError: when one of them is of another type.
        """
        return [_allowed(one, self.type) for one in self.one_of or ()]


def _as_moment(given: object, rule: str, *, with_time: bool) -> date | datetime:
    if isinstance(given, datetime):
        if not with_time:
            return given.date()
        return given if given.tzinfo else given.replace(tzinfo=UTC)
    if isinstance(given, date):
        return datetime(given.year, given.month, given.day, tzinfo=UTC) if with_time else given
    raise ValueError(f"`{rule}` must be a date, like 1900-01-01")


def _allowed(one: str | float, of: AttributeType) -> str | int | float:
    if of in ("integer", "number"):
        if isinstance(one, str) or not math.isfinite(one) or (of == "integer" and one != int(one)):
            raise ValueError(f"`one_of` of the type {of} must hold values of that type")
        return int(one) if of == "integer" else float(one)
    if isinstance(one, float):
        raise ValueError("`one_of` of text must hold text: write a number with a decimal point in quotes")  # noqa: TRY004
    return str(one).strip().lower() if of == "email" else str(one)


def _expect_order(low_name: str, low: Bound | None, high_name: str, high: Bound | None) -> None:
    if low is not None and high is not None and low > high:  # type: ignore[operator]
        raise ValueError(f"`{low_name}` is greater than `{high_name}`: no value could pass")


def _expect_pattern(pattern: str) -> None:
    try:
        pl.Series([""]).str.contains(pattern)
    except pl.exceptions.ComputeError:
        raise ValueError(
            "`matches` is not a regular expression of the kind used here (Rust's: no look-around, no back-references)"
        ) from None


def _expect_format(written: str, *, with_time: bool) -> None:
    moment = datetime(2011, 10, 1, tzinfo=UTC)
    utc = pl.Datetime("us", "UTC")
    try:
        text = pl.Series([moment], dtype=utc).dt.strftime(written)
        read = text.str.strptime(utc if with_time else pl.Date, written, strict=False)
    except pl.exceptions.PolarsError:
        raise ValueError("`format` is not a format of strptime, like %Y-%m-%d") from None
    if read.item() != (moment if with_time else moment.date()):
        raise ValueError(f"`format` does not tell a whole {'time' if with_time else 'date'}, like %Y-%m-%d does")


def _either(types: set[str]) -> str:
    *first, last = sorted(types)
    return f"{', '.join(first)} or {last}" if first else last
