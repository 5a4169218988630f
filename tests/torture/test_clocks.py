"""Clocks; `make torture` has every jump, and every line in every zone."""

from __future__ import annotations

from pathlib import Path

import pytest

from torture.clocks import HOUR, JUMPS, LINES, jumped, jumped_between, scheduled, walked
from torture.trial import End

pytest_plugins = ("support.ledgers",)


def well(end: End) -> None:
    assert end.struck
    assert end.good, end


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_a_jump_takes_nothing_from_one_who_works(tmp_path: Path, ledger_url: str) -> None:
    well(jumped("key", HOUR, tmp_path / "home", ledger_url))


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_a_jump_holds_nothing_back_of_one_who_died(tmp_path: Path, ledger_url: str) -> None:
    well(jumped_between("bare", -HOUR, tmp_path / "home", ledger_url))


@pytest.mark.parametrize("cron", LINES)
def test_three_years_of_a_line_are_those_of_the_wall_clock(cron: str) -> None:
    well(walked(cron, "America/St_Johns"))


def test_two_schedulers_run_each_time_once_whatever_their_clocks_do(tmp_path: Path, ledger_url: str) -> None:
    jumps = list(JUMPS.values())
    well(scheduled("0 * * * *", "America/St_Johns", 1, jumps, tmp_path / "home", ledger_url, times=60))
