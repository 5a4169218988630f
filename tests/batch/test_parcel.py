"""Parcels: nothing is lost, the order is kept, and no request is larger than it may be."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.parcel import Parcel, cut, join

ITEMS = st.lists(st.text("aå😀", max_size=5).map(lambda text: json.dumps({"a": text}, ensure_ascii=False)), max_size=30)


def parcel(items: list[str], names: list[str] | None = None, first: int = 5) -> Parcel:
    rows = np.arange(first, first + 2 * len(items), 2, dtype=np.int64)
    identities = None if names is None else pl.Series(names, dtype=pl.String)
    return Parcel(rows, pl.Series(items, dtype=pl.String), identities)


def plain(one: Parcel) -> list[tuple[Any, ...]]:
    names = [None] * len(one) if one.identities is None else one.identities.to_list()
    return list(zip(one.rows.tolist(), one.items.to_list(), names, strict=True))


@given(ITEMS, st.integers(1, 6), st.integers(1, 80))
def test_cutting_keeps_order_and_limits(items: list[str], records: int, size: int) -> None:
    whole = parcel(items, items)
    parts = list(cut(whole, records, size))
    assert [line for part in parts for line in plain(part)] == plain(whole)
    for part in parts:
        assert 1 <= len(part) <= records
        assert len(part.text) <= size or len(part) == 1
        assert part.text.decode() == ",".join(part.items)
    for part, following in pairwise(parts):  # none could have taken one more
        assert len(part) == records or len(part.text) + 1 + len(following.items[0].encode()) > size


@pytest.mark.parametrize(("size", "counts"), [(11, [2, 1]), (10, [1, 1, 1]), (17, [3]), (16, [2, 1]), (1, [1, 1, 1])])
def test_the_limit_counts_bytes_and_commas(size: int, counts: list[int]) -> None:
    items = ['"éa"', '"éa"', '"éa"']
    assert len(items[0].encode()) == 5
    assert [len(part) for part in cut(parcel(items), 10, size)] == counts


def test_no_records_are_no_parcels() -> None:
    assert list(cut(parcel([]), 10, 10)) == []
    assert list(parcel([]).alike()) == []


@given(ITEMS.filter(len), st.data())
def test_parts_together_are_the_whole(items: list[str], data: st.DataObject) -> None:
    whole = parcel(items, items)
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(items), max_size=len(items))), dtype=bool)
    chosen, rest = whole.only(mask), whole.only(~mask)
    assert sorted(plain(chosen) + plain(rest)) == sorted(plain(whole))
    one, other = whole.halves()
    assert plain(join([one, other])) == plain(whole)
    assert abs(len(one) - len(other)) <= 1
    assert join([one, other]).payload == whole.payload
    assert plain(join([parcel(items)])) == plain(parcel(items))


def test_the_payload_tells_what_is_sent_apart() -> None:
    texts = [["1", "2"], ["2", "1"], ["1"], ['"å"', "2"]]
    assert len({parcel(items).payload for items in texts}) == len(texts)
    assert parcel(["1", "2"], first=1).payload == parcel(["1", "2"], first=9).ready().payload
    assert parcel(['"å"', "", '"😀"']).sizes.tolist() == [4, 0, 6]


PLACES = st.lists(st.integers(0, 5), min_size=1, max_size=20)


def merged(people: list[int]) -> Parcel:
    """Return a parcel in which rows of one person are one item, in the order of their last rows."""
    order = sorted(set(people), key=lambda one: len(people) - people[::-1].index(one))
    items = pl.Series([f'"{one}"' for one in order], dtype=pl.String)
    places = np.array([order.index(one) for one in people], dtype=np.int64)
    return Parcel(np.arange(1, len(people) + 1), items, None, None, places)


def by_row(one: Parcel) -> list[tuple[int, str]]:
    return [(row, one.items[place]) for row, place in zip(one.rows.tolist(), one.by_row.tolist(), strict=True)]


@given(PLACES, st.data())
def test_merged_rows_stay_with_their_item(people: list[int], data: st.DataObject) -> None:
    whole = merged(people)
    expected = by_row(whole)
    parts = list(cut(whole, 2, 1000))
    assert sorted(line for part in parts for line in by_row(part)) == expected
    assert sum(map(len, parts)) == len(whole) == len(set(people))
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(people), max_size=len(people))), dtype=bool)
    chosen = whole.only(mask)
    assert by_row(chosen) == [line for line, wanted in zip(expected, mask, strict=True) if wanted]
    assert len(chosen) == len({item for _, item in by_row(chosen)})
    other = merged(people)
    assert by_row(join([whole, other])) == expected + by_row(other)


@given(st.lists(st.sampled_from(["[1]", "[2]", None]), min_size=1, max_size=12))
def test_records_of_one_request_have_their_common_field_in_common(common: list[str | None]) -> None:
    items = pl.Series([str(number) for number in range(len(common))], dtype=pl.String)
    whole = Parcel(np.arange(1, len(common) + 1), items, None, pl.Series(common, dtype=pl.String))
    parts = list(whole.alike())
    assert sorted(row for part in parts for row in part.rows.tolist()) == list(range(1, len(common) + 1))
    for part in parts:
        assert {common[row - 1] or "null" for row in part.rows.tolist()} == {part.common.decode()}
    assert len(parts) == len(set(common))
    assert len({part.payload for part in parts}) == len(parts)
