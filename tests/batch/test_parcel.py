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

from batch.parcel import Parcel, cut, join, waves

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
    assert waves(parcel([])) == []
    assert waves(parcel([], [])) == []


@given(st.lists(st.sampled_from("abcd"), max_size=20))
def test_nobody_stands_twice_in_a_wave_and_the_last_row_goes_last(names: list[str]) -> None:
    whole = parcel([f'"{number}"' for number in range(len(names))], names)
    sent = [plain(wave) for wave in waves(whole)]
    assert sorted(line for wave in sent for line in wave) == plain(whole)
    for wave in sent:
        people = [name for _, _, name in wave]
        assert len(set(people)) == len(people)
        assert wave == sorted(wave)
    order = [line for wave in sent for line in wave]
    for name in set(names):
        own = [row for row, _, other in order if other == name]
        assert own == sorted(own), "the last row of the file wins"
    assert len(sent) == max((names.count(name) for name in names), default=0), "and no wave more than needed"


def test_without_identities_all_is_one_wave() -> None:
    whole = parcel(["1", "1"])
    assert waves(whole) == [whole]


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
