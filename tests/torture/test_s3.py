"""S3 fails in one way and another: nothing lost, doubled or stuck, and people are told; `make torture` tries all."""

from __future__ import annotations

from pathlib import Path

import pytest

from torture.s3 import cases, hurried
from torture.trial import Trial

TRIALS = {f"{trial.line}: {trial.case}": trial for trial in cases()}
SAMPLE = [
    "S3 fails, files: LIST cut to nothing, for ever",
    "S3 fails, files: GET access denied, once",
    "S3 fails, files: GET cut to nothing, for ever",
    "S3 fails, files: PUT 503, for ever from the second",
    "S3 fails, records: PUT reset after, once",
    "S3 fails, records: HEAD 500, for ever",
    "S3 fails, receipts: GET garbage, once",
    "S3 fails, page 2: LIST expired token, once",
    "S3 cuts a body: at 37 %, all",
    "S3 cuts a body: at 50 %, range",
    "S3 and its customers: overwritten in its length at 30 % of GET",
    "S3 and its customers: deleted after LIST 2",
]


def test_there_are_enough() -> None:
    lines = [trial.line for trial in TRIALS.values()]
    assert sum(line.startswith("S3 fails") for line in lines) >= 150
    assert sum(line == "S3 cuts a body" for line in lines) >= 100
    assert sum(line == "S3 and its customers" for line in lines) >= 3 * 20


@pytest.mark.parametrize("trial", [TRIALS[name] for name in SAMPLE], ids=SAMPLE)
def test_a_service_that_fails_loses_and_doubles_nothing(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurried(monkeypatch)
    home = tmp_path / "home"
    end = trial.run(home, f"sqlite:///{home / 'ledger.db'}")
    assert end.struck
    assert end.good, end
