"""Killed at one place and another: nothing lost, nothing doubled unsaid, nothing stuck; `make torture` tries all."""

from __future__ import annotations

from pathlib import Path

import pytest

from torture.kills import KINDS, Case, killed, killed_after, points

pytest_plugins = ("support.ledgers",)

PLACES = [
    ("file", "ledger.claim.after", 1),
    ("file", "ledger.put_chunks.after", 2),
    ("file", "send.answered", 2),
    ("file", "zone.write.after", 2),
    ("records", "ledger.gather.before", 1),
    ("rerun", "ledger.reopen.after", 1),
]


def test_the_places_are_among_those_of_the_matrix() -> None:
    assert set(PLACES) <= set(points())
    assert len(list(points())) * len(KINDS) * 2 >= 288


@pytest.mark.parametrize(("number", "place"), list(enumerate(PLACES)))
def test_a_kill_at_a_place_loses_and_doubles_nothing(
    tmp_path: Path, ledger_url: str, number: int, place: tuple[str, str, int]
) -> None:
    kind = list(KINDS)[number % len(KINDS)]
    end = killed(Case(*place, "here", kind), tmp_path / "home", ledger_url)
    assert end.struck
    assert end.good, end


@pytest.mark.parametrize("seconds", [0.7, 1.0])
def test_a_kill_at_an_instant_loses_and_doubles_nothing(tmp_path: Path, ledger_url: str, seconds: float) -> None:
    end = killed_after(Case("file", "", 0, "here", "bare"), tmp_path / "home", ledger_url, seconds)
    assert end.good, end
