"""Where a batch's results stand."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.destination import destination
from support.installation import KEY, made, people, to

from batch import results

LONGEST = 251  # bytes that a folder leaves for a name beside its ending


@pytest.mark.parametrize("letter", ["x", "å", "😀"])
def test_a_name_as_long_as_can_be_leaves_room_for_the_batch(tmp_path: Path, letter: str) -> None:
    name = letter * (LONGEST // len(letter.encode()))
    with destination() as there:
        it = made(tmp_path, it=to(there.base))
        it.drop(f"{KEY}/{name}.csv", people(3))
        receipt = it.one()
        assert receipt["state"] == "delivered"
        assert there.rows() == ["1", "2", "3"]
    assert it.undelivered(receipt) == []


def test_a_name_that_fits_is_whole() -> None:
    assert results.folder("abc", "abc/a b/people.2026.csv.gz", "id") == "abc/_results/people.2026.id"
    assert results.folder("abc", f"abc/{'x' * 300}.csv", "id") == f"abc/_results/{'x' * 252}.id"
