"""Databases in trouble; `make torture` has them for longer, and for each kind of destination."""

from __future__ import annotations

from pathlib import Path

from torture.databases import AT_WORK, HASTY, locked_out, restarted, terminated
from torture.trial import End

pytest_plugins = ("support.ledgers",)


def well(end: End) -> None:
    assert end.struck
    assert end.good, end


def test_a_restart_of_postgresql_loses_and_doubles_nothing(tmp_path: Path) -> None:
    well(restarted("upsert", 3, 1, tmp_path / "home", ""))


def test_connections_that_are_cut_lose_and_double_nothing(tmp_path: Path, postgres_url: str) -> None:
    well(terminated("key", 3, 1, tmp_path / "home", postgres_url))


def test_a_lock_that_lasts_is_told_and_is_gone_on_after(tmp_path: Path) -> None:
    home = tmp_path / "home"
    well(locked_out("bare", 3, AT_WORK, HASTY, home, f"sqlite:///{home / 'ledger.db'}"))
