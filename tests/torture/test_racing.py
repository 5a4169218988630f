"""Several processes at one installation; `make torture` has all places, and longer races."""

from __future__ import annotations

from pathlib import Path

import pytest

from torture.kills import KINDS, Case
from torture.racing import PLACES, raced, rerun_by_several, rerun_meanwhile, told_to_end, woken
from torture.trial import End

pytest_plugins = ("support.ledgers",)


def well(end: End) -> None:
    assert end.struck
    assert end.good, end


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_two_processes_that_start_together_share_the_files(tmp_path: Path, ledger_url: str) -> None:
    well(raced("key", 1, tmp_path / "home", ledger_url, files=16, each=("", "")))


def test_the_places_are_enough() -> None:
    assert len(PLACES) * len(KINDS) * 2 >= 36


@pytest.mark.parametrize(
    ("place", "ledger_url"),
    [(("ledger.put_chunks.before", 2), "postgresql"), (("zone.write.after", 1), "sqlite")],
    indirect=["ledger_url"],
)
def test_one_who_sleeps_past_the_lease_commits_nothing_when_woken(
    tmp_path: Path, ledger_url: str, place: tuple[str, int]
) -> None:
    well(woken(Case("file", *place, "here", "upsert"), tmp_path / "home", ledger_url))


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_one_who_is_told_to_end_gives_back(tmp_path: Path, ledger_url: str) -> None:
    well(told_to_end(Case("file", "zone.fetch.after", 1, "here", "bare"), tmp_path / "home", ledger_url))


def test_of_several_who_ask_for_a_rerun_one_is_heard(tmp_path: Path, ledger_url: str) -> None:
    well(rerun_by_several(1, tmp_path / "home", ledger_url, rounds=2))


def test_a_rerun_is_refused_while_the_batch_is_processed(tmp_path: Path, ledger_url: str) -> None:
    well(rerun_meanwhile(tmp_path / "home", ledger_url, times=30))
