"""Cron expressions and time zones."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from config.cron import trigger
from config.schedule import Schedule

GOOD = [
    "0 2 * * *",
    "*/5 * * * *",
    "0,30 1-5 1,15 * *",
    "10-50/20 */6 * jan-mar,DEC mon-fri",
    "0 0 * * 0",
    "0 0 * * 7",
    "0 0 * * 5-7",
    "0 0 1 1 Sun",
    "5/15 * * * *",
    "59 23 31 12 6",
]
BAD = [
    "",
    "@daily",
    "0 2 * *",
    "0 2 * * * *",
    "60 2 * * *",
    "0 24 * * *",
    "0 2 0 * *",
    "0 2 * 13 *",
    "0 2 * * 8",
    "0 2 * * måndag",
    "5-1 * * * *",
    "*/0 * * * *",
    "0 2 ? * *",
    "0 2 L * *",
    "0,,1 2 * * *",
    "-1 2 * * *",
    "x 2 * * *",
    "² 2 * * *",
]


@pytest.mark.parametrize("cron", GOOD)
def test_good(cron: str) -> None:
    assert Schedule(cron=cron).cron == cron
    assert trigger(cron, "Europe/Stockholm")  # what is accepted here must run there


@pytest.mark.parametrize("cron", BAD)
def test_bad(cron: str) -> None:
    with pytest.raises(ValidationError):
        Schedule(cron=cron)
    with pytest.raises(ValueError, match="cron line"):
        trigger(cron, "Europe/Stockholm")


@pytest.mark.parametrize("timezone", ["Europe/Stokholm", "../etc/passwd", "/etc/localtime", "Europe", "", "CET+1"])
def test_no_such_zone(timezone: str) -> None:
    with pytest.raises(ValidationError, match="is not a time zone"):
        Schedule(timezone=timezone)
