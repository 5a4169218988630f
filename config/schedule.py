"""When a group's drops are taken up by themselves."""

from __future__ import annotations

from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, field_validator

from config.cron import trigger
from config.errors import BadValueError
from config.section import Section
from mappers.nearest import nearest


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
    def _comes(cls, cron: str | None) -> str | None:
        if cron is not None:
            try:
                trigger(cron, "UTC")
            except ValueError as error:
                raise BadValueError(str(error)) from None
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
