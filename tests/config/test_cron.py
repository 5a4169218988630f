from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.base import BaseTrigger
from hypothesis import given, settings
from hypothesis import strategies as st

from config.cron import previous, trigger

MINUTE = timedelta(minutes=1)


def fires(found: BaseTrigger, start: datetime, end: datetime) -> Iterator[datetime]:
    """What APScheduler would do: each time is asked for with the one before."""
    at = found.get_next_fire_time(None, start)
    while at <= end:
        yield at.astimezone(UTC)
        at = found.get_next_fire_time(at, at)


def numbers(field: str, lowest: int, highest: int) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        values, _, step = part.partition("/")
        first, _, last = values.partition("-")
        start = lowest if first == "*" else int(first)
        end = int(last) if last else highest if first == "*" or step else start
        found.update(range(start, end + 1, int(step or 1)))
    return found


def matches(cron: str, wall: datetime) -> bool:
    minute, hour, day, month, weekday = cron.split()
    days = wall.day in numbers(day, 1, 31)
    weekdays = (wall.weekday() + 1) % 7 in {number % 7 for number in numbers(weekday, 0, 7)}
    either = day[0] != "*" and weekday[0] != "*"
    return (
        wall.minute in numbers(minute, 0, 59)
        and wall.hour in numbers(hour, 0, 23)
        and wall.month in numbers(month, 1, 12)
        and (days or weekdays if either else days and weekdays)
    )


def reference(cron: str, zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """Every minute is looked at: in real time for lines with any hour, on the wall clock for the others."""
    minutes = [start + MINUTE * n for n in range(int((end - start) / MINUTE) + 1)]
    if cron.split()[1].startswith("*"):
        return [at for at in minutes if matches(cron, at.astimezone(zone))]
    shown: dict[datetime, datetime] = {}
    for at in minutes:
        shown.setdefault(at.astimezone(zone).replace(tzinfo=None, fold=0), at)
    found, wall, last = set(), min(shown), max(shown)
    while wall <= last:
        if matches(cron, wall):
            found.add(next(shown[later] for later in (wall + MINUTE * n for n in range(24 * 60 + 1)) if later in shown))
        wall += MINUTE
    return sorted(found)


LINES = [
    "0 2 * * *",
    "30 1 * * *",
    "30 2 * * *",
    "30 1,2,3 * * *",
    "15,45 0-4/2 * * *",
    "0 * * * *",
    "*/20 * * * *",
    "10 */3 * * *",
    "30 */2 * * *",
    "30 2 * * 0",
    "30 2 29 3 1",
    "5 4 25-31 10 7",
]
CHANGES = [
    ("Europe/Stockholm", datetime(2026, 3, 28, 12, tzinfo=UTC)),
    ("Europe/Stockholm", datetime(2026, 10, 24, 12, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 3, 7, 17, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 10, 31, 17, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 2, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 2, tzinfo=UTC)),
    ("Asia/Kolkata", datetime(2026, 6, 1, 0, tzinfo=UTC)),
    ("UTC", datetime(2027, 12, 31, 0, tzinfo=UTC)),
]


@pytest.mark.parametrize("cron", LINES)
@pytest.mark.parametrize(("zone", "start"), CHANGES)
def test_each_time_comes_once_also_when_the_clocks_change(cron: str, zone: str, start: datetime) -> None:
    end = start + timedelta(days=2)
    assert list(fires(trigger(cron, zone), start, end)) == reference(cron, ZoneInfo(zone), start, end)


@pytest.mark.parametrize("cron", ["30 2 * * *", "0 2 * * 1-5", "0 0 1 * *", "0 6 1,15 * 5"])
@pytest.mark.parametrize("zone", ["Europe/Stockholm", "America/New_York", "Pacific/Apia"])
def test_three_years_of_nights(cron: str, zone: str) -> None:
    found = list(fires(trigger(cron, zone), datetime(2026, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC)))
    day, end = datetime(2026, 1, 2), datetime(2028, 12, 30)  # noqa: DTZ001 - days of the wall clock
    expected = 0
    while day <= end:
        expected += matches(" ".join(["*", "*", *cron.split()[2:]]), day)
        day += timedelta(days=1)
    assert expected <= len(found) <= expected + 4
    assert len({at.astimezone(ZoneInfo(zone)).date() for at in found}) == len(found)


@pytest.mark.parametrize(
    ("cron", "days"),
    [
        ("0 2 * * 0", {6}),
        ("0 2 * * 7", {6}),
        ("0 2 * * sun", {6}),
        ("0 2 * * 1", {0}),
        ("0 2 * * MON-FRI", {0, 1, 2, 3, 4}),
        ("0 2 * * 1-5", {0, 1, 2, 3, 4}),
        ("0 2 * * 5-7", {4, 5, 6}),
        ("0 2 * * 0,6", {5, 6}),
        ("0 2 * * */2", {6, 1, 3, 5}),
        ("0 2 * * 1/2", {0, 2, 4, 6}),
        ("0 2 * * *", {0, 1, 2, 3, 4, 5, 6}),
    ],
)
def test_weekdays_are_those_of_cron(cron: str, days: set[int]) -> None:
    start = datetime(2026, 11, 2, tzinfo=UTC)
    assert {at.weekday() for at in fires(trigger(cron, "UTC"), start, start + timedelta(days=28))} == days


@pytest.mark.parametrize(
    ("hours", "expected"), [("5-5/1", [5]), ("23/1", [23]), ("1-10/40", [1]), ("3,1,3", [1, 3]), ("007", [7])]
)
def test_odd_but_right(hours: str, expected: list[int]) -> None:
    start = datetime(2026, 11, 2, tzinfo=UTC)
    assert [at.hour for at in fires(trigger(f"0 {hours} * * *", "UTC"), start, start + timedelta(hours=23))] == expected


def test_months_have_names() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    found = fires(trigger("0 2 1 jan-dec/3 *", "UTC"), start, start + timedelta(days=364))
    assert [at.month for at in found] == [1, 4, 7, 10]


@pytest.mark.parametrize(
    ("cron", "timezone", "says"),
    [
        ("0 2 * *", "UTC", "five fields"),
        ("", "UTC", "five fields"),
        ("@daily", "UTC", "five fields"),
        ("0 2 * * * *", "UTC", "five fields"),
        ("60 2 * * *", "UTC", "minute: '60'"),
        ("0 24 * * *", "UTC", "hour: '24'"),
        ("0 2 0 * *", "UTC", "day: '0'"),
        ("0 2 * 13 *", "UTC", "month: '13'"),
        ("0 2 * * 8", "UTC", "day of week: '8'"),
        ("0 2 * * fri-mon", "UTC", "day of week: 'fri-mon'"),
        ("0 2 * * */0", "UTC", "day of week: '*/0'"),
        ("*/0 2 * * *", "UTC", "minute: '*/0'"),
        ("0 2 * * 6-8", "UTC", "day of week: '6-8'"),
        ("0 2 last * *", "UTC", "day: 'last'"),
        ("0 2 * jan/ *", "UTC", "month: 'jan/'"),
        ("5-1 2 * * *", "UTC", "minute: '5-1'"),
        ("0,,5 2 * * *", "UTC", "minute: '0,,5'"),
        ("0 2 30 2 *", "UTC", "never comes"),
        ("0 2 * * *", "Europe/Stokholm", "no time zone 'Europe/Stokholm'"),
        ("0 2 * * *", "", "no time zone"),
        ("0 2 * * *", "../etc/passwd", "no time zone"),
    ],
)
def test_a_wrong_line_is_a_sentence(cron: str, timezone: str, says: str) -> None:
    with pytest.raises(ValueError, match=r"^[A-Z].*\.$") as error:
        trigger(cron, timezone)
    assert says in str(error.value)


MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2029, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001


@given(st.sampled_from([*LINES, "0 2 29 2 *"]), st.sampled_from([zone for zone, _ in CHANGES]), MOMENTS)
@settings(max_examples=60, deadline=None)
def test_the_previous_time_is_the_last_one_before(cron: str, zone: str, now: datetime) -> None:
    found = trigger(cron, zone)
    last = previous(found, now)
    assert last is not None
    assert last <= now
    first, second = itertools.islice(fires(found, last, now + timedelta(days=366 * 9)), 2)
    assert first == last
    assert second > now


def test_the_previous_time_may_be_now() -> None:
    night = datetime(2026, 11, 23, 2, tzinfo=UTC)
    assert previous(trigger("0 2 * * *", "UTC"), night) == night
    assert previous(trigger("0 2 * * *", "UTC"), night - timedelta(seconds=1)) == night - timedelta(days=1)
