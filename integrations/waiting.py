"""Waiting: how destinations say when to come back, each in a way of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

Headers = Mapping[str, str]
Wait = Callable[[Headers, datetime], float | None]
"""From headers with lower-case names, and the time now, to the seconds to wait; None where they do not say."""

_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]+)?")


def retry_after(headers: Headers, now: datetime) -> float | None:
    """Return how many seconds `Retry-After` asks for, in seconds or as a date (RFC 9110 §10.2.3)."""
    given = headers.get("retry-after", "").strip()
    if _NUMBER.fullmatch(given):
        return float(given)
    if not re.match(r"[A-Z][a-z]{2}", given):  # an HTTP date begins with the day of the week
        return None
    try:
        at = parsedate_to_datetime(given)
        return _until(at.replace(tzinfo=at.tzinfo or UTC), now)
    except (ValueError, OverflowError):
        return None


def seconds_in(*names: str) -> Wait:
    """Return what reads `Retry-After`, else the first of these headers that holds seconds from now."""

    def wait(headers: Headers, now: datetime) -> float | None:
        asked = retry_after(headers, now)
        return _number(headers, *names) if asked is None else asked

    return wait


def epoch_in(*names: str) -> Wait:
    """Return what reads `Retry-After`, else the first of these headers that holds a moment in Unix seconds."""

    def wait(headers: Headers, now: datetime) -> float | None:
        asked, at = retry_after(headers, now), _number(headers, *names)
        return max(0.0, at - now.timestamp()) if asked is None and at is not None else asked

    return wait


def local_time(zone: str, form: str = "%Y-%m-%d %H:%M:%S") -> Wait:
    """Return what reads a `Retry-After` that is the time of day on a clock in this zone, or one that is usual."""

    def wait(headers: Headers, now: datetime) -> float | None:
        try:
            at = datetime.strptime(headers.get("retry-after", "").strip(), form).replace(tzinfo=ZoneInfo(zone))
        except ValueError:
            return retry_after(headers, now)
        return _until(at, now)

    return wait


def _number(headers: Headers, *names: str) -> float | None:
    given = (headers.get(name, "").strip() for name in names)
    return next((float(text) for text in given if _NUMBER.fullmatch(text)), None)


def _until(at: datetime, now: datetime) -> float:
    return max(0.0, (at - now).total_seconds())
