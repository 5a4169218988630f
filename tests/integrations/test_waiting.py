"""How destinations say when to come back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.waiting import epoch_in, local_time, retry_after, seconds_in

NOW = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)
STOCKHOLM = local_time("Europe/Stockholm")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"x-reset": "30"}, 30),
        ({"retry-after": "7", "x-reset": "30"}, 7),
        ({"x-reset": "soon"}, None),
        ({"x-reset": "-1"}, None),
        ({}, None),
    ],
)
def test_seconds_in_a_header(headers: dict[str, str], seconds: float | None) -> None:
    assert seconds_in("x-reset")(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-reset": str(int(NOW.timestamp()) + 60)}, 60),
        ({"x-reset": str(int(NOW.timestamp()) - 60)}, 0),
        ({"retry-after": "0", "x-reset": "99999999999"}, 0),
        ({"x-reset": "x"}, None),
        ({}, None),
    ],
)
def test_a_moment_in_a_header(headers: dict[str, str], seconds: float | None) -> None:
    assert epoch_in("x-reset")(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("given_text", "seconds"),
    [
        ("2026-07-01 14:00:30", 30),  # summer time: two hours ahead
        ("2026-07-01 13:59:00", 0),
        ("45", 45),
        ("Wed, 01 Jul 2026 12:01:00 GMT", 60),
        ("2026-07-01", None),
    ],
)
def test_a_clock_in_stockholm(given_text: str, seconds: float | None) -> None:
    assert STOCKHOLM({"retry-after": given_text}, NOW) == seconds


@given(st.text())
def test_whatever_stands_there_no_wait_is_below_zero(text: str) -> None:
    for wait in (retry_after, seconds_in("retry-after"), epoch_in("retry-after"), STOCKHOLM):
        seconds = wait({"retry-after": text}, NOW)
        assert seconds is None or seconds >= 0
