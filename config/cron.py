"""When a group's runs are due: standard cron lines in a time zone, read by APScheduler."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger

_FIELDS = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "day_of_week": (0, 7)}
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NUMBERS = {
    "month": {name: str(number) for number, name in enumerate(_MONTHS, start=1)},
    "day_of_week": {name: str(number) for number, name in enumerate(_DAYS)},
}
_PART = re.compile(r"(?:\*|(?P<first>\d+)(?:-(?P<last>\d+))?)(?:/(?P<step>\d+))?", re.ASCII)

_TICK = timedelta(microseconds=1)
_LOOKS_BACK = [timedelta(hours=1), timedelta(days=1), timedelta(days=32), timedelta(days=366), timedelta(days=366 * 9)]


class WallClock(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """Fires once for each time that stands on the wall clock, whatever summer time does.

    A time that the clock skips comes at the moment when it has moved on; one that the clock shows twice comes the
    first time. APScheduler's own trigger would run such a night twice, or not at all.
    """

    def __init__(self, times: BaseTrigger, zone: ZoneInfo) -> None:
        self._times = times  # of the wall clock, written as if it were UTC
        self._zone = zone

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """Return the first time after the previous one, or from now on when there is none."""
        # In UTC, for Python compares times of one zone by what their clocks show.
        after = (previous_fire_time or now - _TICK).astimezone(UTC)
        wall = after.astimezone(self._zone).replace(tzinfo=UTC, fold=0)
        while wall := self._times.get_next_fire_time(None, wall + _TICK):
            if (at := self._moment(wall)) > after:
                return at
        return None

    def _moment(self, wall: datetime) -> datetime:
        local = wall.replace(tzinfo=self._zone)
        while local.astimezone(UTC).astimezone(self._zone).replace(tzinfo=None) != local.replace(tzinfo=None):
            local += timedelta(minutes=1)
        return local.astimezone(UTC)


class Shown(BaseTrigger):  # type: ignore[misc]
    """Fires whenever the clock on the wall shows one of the times, and passes over those that it skips.

    APScheduler's own trigger, whose moments are gone by, puts such a time off to one that the line does not name.
    """

    def __init__(self, moments: BaseTrigger, times: BaseTrigger, zone: ZoneInfo) -> None:
        self._moments = moments
        self._times = times  # of the wall clock, written as if it were UTC
        self._zone = zone

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """Return the first time after the previous one, or from now on when there is none."""
        at: datetime | None = self._moments.get_next_fire_time(previous_fire_time, now)
        while at is not None and not self._is_shown(at):
            at = self._moments.get_next_fire_time(at, at)
        return at

    def _is_shown(self, at: datetime) -> bool:
        # by way of UTC, for a time that is skipped stands in `at` as if it were not
        wall = at.astimezone(UTC).astimezone(self._zone).replace(tzinfo=UTC, fold=0)
        return bool(self._times.get_next_fire_time(None, wall) == wall)


def trigger(cron: str, timezone: str) -> BaseTrigger:
    """Return the APScheduler trigger for a standard cron line (five fields, Sunday is 0 or 7) in a time zone.

    As in cron, a line that names both days of the month and weekdays means either, and one that names hours keeps
    to the wall clock, while one with any hour goes on through the hour that comes twice.

    Raises:
        ValueError: with a sentence, when the line or the zone is wrong, or the time never comes.
    """
    fields = dict(zip(_FIELDS, _split(cron), strict=True))
    zone = _zone(timezone)
    times = _either(cron, fields, UTC)
    any_hour = fields["hour"].startswith("*")
    found = Shown(_either(cron, fields, zone), times, zone) if any_hour else WallClock(times, zone)
    if found.get_next_fire_time(None, datetime.now(UTC)) is None:
        raise ValueError(f"The cron line '{cron}' names a day that never comes.")
    return found


def previous(found: BaseTrigger, now: datetime) -> datetime | None:
    """Return the last time at which the trigger was due, now included; None when that is years ago."""
    now = now.astimezone(UTC)
    for back in _LOOKS_BACK:
        last = None
        for last in _between(found, now - back, now):  # noqa: B007 - the last one is wanted
            pass
        if last is not None:
            return last.astimezone(UTC)
    return None


def _between(found: BaseTrigger, start: datetime, end: datetime) -> Iterator[datetime]:
    at = found.get_next_fire_time(None, start)
    while at is not None and at <= end:
        yield at
        at = found.get_next_fire_time(at, at)


def _split(cron: str) -> list[str]:
    fields = cron.lower().split()
    if len(fields) != len(_FIELDS):
        raise ValueError(
            f"A cron line has five fields (minute, hour, day of month, month, weekday), like '0 2 * * *'; "
            f"'{cron}' has {len(fields)}."
        )
    return fields


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"There is no time zone '{name}'; write one like Europe/Stockholm or UTC.") from None


def _either(cron: str, fields: dict[str, str], zone: object) -> BaseTrigger:
    """Return the trigger; where both kinds of day are named, one for each kind, together."""
    if fields["day"].startswith("*") or fields["day_of_week"].startswith("*"):
        return _exactly(cron, fields, zone)
    kinds = [{**fields, "day": "*"}, {**fields, "day_of_week": "*"}]
    return OrTrigger([_exactly(cron, kind, zone) for kind in kinds])


def _exactly(cron: str, fields: dict[str, str], zone: object) -> CronTrigger:
    known = {}
    for name, text in fields.items():
        try:
            known[name] = text if text == "*" else _expand(name, text)
        except ValueError:
            raise ValueError(f"The cron line '{cron}' has a wrong {name.replace('_', ' ')}: '{text}'.") from None
    return CronTrigger(**known, second=0, timezone=zone)


def _expand(name: str, text: str) -> str:
    """Return a field as a plain list, for APScheduler reads some of cron's words in its own way."""
    for word, number in _NUMBERS.get(name, {}).items():
        text = re.sub(rf"\b{word}\b", number, text)
    found = sorted({number for part in text.split(",") for number in _range(part, *_FIELDS[name])})
    if name == "day_of_week":  # which APScheduler counts from Monday
        return ",".join(dict.fromkeys(_DAYS[number % 7] for number in found))
    return ",".join(map(str, found))


def _range(part: str, lowest: int, highest: int) -> range:
    found = _PART.fullmatch(part)
    if found is None:
        raise ValueError(part)
    first, last, step = found.group("first", "last", "step")
    start = int(first or lowest)
    end = int(last or (highest if step or not first else start))
    if not lowest <= start <= end <= highest:
        raise ValueError(part)
    return range(start, end + 1, int(step or 1))
