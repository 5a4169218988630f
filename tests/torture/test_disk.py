"""Disks in trouble: nothing lost, doubled or stuck, and a sentence for people; `make torture` tries all."""

from __future__ import annotations

from pathlib import Path

import pytest

from torture.disk import trials
from torture.trial import End, Trial

TRIALS = {f"{trial.line}: {trial.case}": trial for trial in trials(0)}
SAMPLE = [
    "disk full at each failpoint: file ledger.put_chunks.before:5 sqlite bare",
    "a disk in trouble: the group's folder is read-only, send.after:2",
    "a disk in trouble: the spool is swept, zone.fetch.after",
    "no file may grow: beyond 60000 bytes",
]
DAMAGED = "a damaged ledger: cut at 30 %"


def run(trial: Trial, folder: Path) -> End:
    return trial.run(folder / "home", f"sqlite:///{folder / 'home' / 'ledger.db'}")


@pytest.mark.parametrize("name", SAMPLE)
def test_a_disk_in_trouble_loses_and_doubles_nothing(name: str, tmp_path: Path) -> None:
    end = run(TRIALS[name], tmp_path)
    assert end.struck
    assert end.good, end


def test_a_damaged_ledger_is_told_of_in_a_sentence(tmp_path: Path) -> None:
    end = run(TRIALS[DAMAGED], tmp_path)
    assert end.struck
    assert end.good, end
