"""Sets of row numbers do what Python's own sets do, and pack small."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from batch import rowset

SETS = st.sets(st.integers(1, 300), max_size=40)


def rows(numbers: set[int]) -> rowset.Rows:
    return rowset.of(*numbers)


@given(SETS | st.sets(st.integers(1, 10**6), max_size=4))
def test_unpacking_gives_what_was_packed(numbers: set[int]) -> None:
    again = rowset.unpack(rowset.pack(rows(numbers)))
    assert again.tolist() == sorted(numbers)
    assert again.dtype == np.int64


@given(SETS, SETS, SETS)
def test_they_are_sets(one: set[int], other: set[int], third: set[int]) -> None:
    assert rowset.union([rows(one), rows(other), rows(third)]).tolist() == sorted(one | other | third)
    assert rowset.both(rows(one), rows(other)).tolist() == sorted(one & other)
    assert rowset.minus(rows(one), rows(other)).tolist() == sorted(one - other)


def test_no_sets_at_all() -> None:
    assert rowset.union([]).tolist() == []
    assert rowset.of().dtype == rowset.union([]).dtype == np.int64


def test_a_million_rows_are_small() -> None:
    assert len(rowset.pack(np.arange(1, 1_000_001))) < 2_000
    assert len(rowset.pack(np.arange(1, 1_000_001, 500))) < 10_000
