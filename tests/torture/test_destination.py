"""Some answers of every sort, to every kind of destination; `make torture` tries all of them at every chunk."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import pytest

from torture.destination import SETTINGS, WHERE, Case, cases, expected, tried
from torture.fault import KINDS

NAMES = {
    "429, Retry-After: 999999",
    "503, Retry-After: 2abc",
    "503 for ever, Retry-After: 0.3",
    "500 2 times",
    "502 for ever",
    "503 4 times",
    "reset",
    "cut in a chunk",
    "HTML",
    "200, empty",
    "a gigabyte",
    "a gzip bomb",
    "yes, 100 before it",
    "307",
    "401",
    "403 in HTML",
    "600",
    "413 to more than 2",
    "422 for the places [1, 2]",
    "some, in another order refused",
    "one refused twice",
    "one left out",
    "the certificate is another host's",
    "the handshake is cut",
    "refused",
}
_FOUND = [case for case in cases() if str(case.fault) in NAMES]
_BY_FAULT = itertools.groupby(_FOUND, key=lambda case: str(case.fault))
SAMPLE = [case for number, (_, found) in enumerate(_BY_FAULT) for case in list(found)[number % 11 :: 11]]


@pytest.fixture(autouse=True)
def _prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    for setting in SETTINGS:
        monkeypatch.setattr(*setting)


def test_the_matrix_has_every_answer_at_every_chunk_for_every_kind() -> None:
    every = list(cases())
    assert {str(case.fault) for case in _FOUND} == NAMES
    assert {case.where for case in every} == set(WHERE)
    for kind in KINDS:
        assert len({str(case.fault) for case in every if case.kind == kind}) > 100
    assert len(set(map(str, every))) == len(every)


@pytest.mark.parametrize(
    ("name", "where", "kind", "ends", "declared"),
    [
        ("500 2 times", "middle", "upsert", {"delivered": 20}, 4),
        ("500 for ever", "every", "key", {"failed": 20}, 12),
        ("500 for ever", "every", "bare", {"unknown": 12, "failed": 8}, 0),
        ("401", "middle", "key", {"delivered": 8, "failed": 12}, 0),
        ("422 for the places [1, 2]", "every", "bare", {"delivered": 10, "rejected": 10}, 0),
    ],
)
def test_the_oracle_by_examples(name: str, where: str, kind: str, ends: dict[str, int], declared: int) -> None:
    (case,) = (case for case in cases() if (str(case.fault), case.where, case.kind) == (name, where, kind))
    found = expected(case)
    assert (Counter(found.ends.values()), found.declared) == (ends, declared)


@pytest.mark.parametrize("case", SAMPLE, ids=str)
def test_every_row_ends_as_the_table_says_and_none_is_lost_or_doubled_unsaid(tmp_path: Path, case: Case) -> None:
    end = tried(case, tmp_path / "home", f"sqlite:///{tmp_path / 'ledger.db'}")
    assert end.struck
    assert end.good, end
