"""When a group's drops are taken up by themselves."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, field_validator

from config.errors import BadValueError
from config.nearest import nearest
from config.section import Section

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_DAYS = "sun mon tue wed thu fri sat".split()
_FIELDS: tuple[tuple[str, int, int, list[str]], ...] = (
    ("minute", 0, 59, []),
    ("hour", 0, 23, []),
    ("day of the month", 1, 31, []),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)
_PART = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?")


class Schedule(Section):
    """A cron expression and the time zone that it is meant in."""

    cron: str | None = Field(
        None,
        description="Minute, hour, day of the month, month, day of the week (0 and 7 are Sunday); "
        "without it nothing runs by itself.",
        examples=["0 2 * * *"],
    )
    timezone: str | None = Field(
        None, description="The time zone that `cron` is meant in; UTC if not given.", examples=["Europe/Stockholm"]
    )

    @field_validator("cron")
    @classmethod
    def _five_fields(cls, cron: str | None) -> str | None:
        if cron is not None:
            fields = cron.split()
            if len(fields) != len(_FIELDS):
                raise BadValueError(f"a cron expression has five fields, like `0 2 * * *`; this one has {len(fields)}")
            for field, (name, low, high, words) in zip(fields, _FIELDS, strict=True):
                _expect_field(field, name, low, high, words)
        return cron

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, timezone: str | None) -> str | None:
        if timezone is not None:
            try:
                ZoneInfo(timezone)
            except (KeyError, ValueError, OSError):  # unknown, a path, a folder of zones
                raise BadValueError("is not a time zone", nearest(timezone, available_timezones())) from None
        return timezone


def _expect_field(field: str, name: str, low: int, high: int, words: list[str]) -> None:
    for text in field.split(","):
        part = _PART.fullmatch(text)
        if part is None or not _is_range(part, low, high, words):
            raise BadValueError(f"`{text}` is not a {name} (from {low} to {high}) as cron expressions write it")


def _is_range(part: re.Match[str], low: int, high: int, words: list[str]) -> bool:
    first = _number(part["first"], words, low) if part["first"] else low
    last = _number(part["last"], words, low) if part["last"] else high if part["step"] else first
    return low <= first <= last <= high and (part["step"] is None or 0 < int(part["step"]) <= max(1, last - first))


def _number(text: str, words: list[str], low: int) -> int:
    if text.lower() in words:
        return words.index(text.lower()) + low
    return int(text) if text.isascii() and text.isdigit() else -1
