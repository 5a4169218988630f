"""Former chunks: gathered from blocks, and never two of one identity in a wave."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from batch import rowset
from batch.chunk import Chunk, ChunkState
from batch.former import Former, waves
from batch.parcel import Parcel


def parcel(rows: list[int], people: list[str]) -> Parcel:
    return Parcel(
        np.array(rows, dtype=np.int64),
        pl.Series([f'{{"n":{row}}}' for row in rows]),
        pl.Series(people, dtype=pl.String),
    )


def former(*rows: int) -> Chunk:
    return Chunk(f"chunk {rows}", "crm", rowset.of(*rows), ChunkState.REOPENED, key=f"key {rows}")


def test_a_chunk_is_complete_when_all_its_blocks_were_seen() -> None:
    gathering = Former([former(2, 4)])
    fresh, again = gathering.take(parcel([1, 2, 3], ["a", "b", "c"]))
    assert (fresh.rows.tolist(), again) == ([1, 3], [])
    fresh, again = gathering.take(parcel([4, 5], ["d", "e"]))
    assert fresh.rows.tolist() == [5]
    ((whole, chunk),) = again
    assert whole.rows.tolist() == [2, 4]
    assert whole.text == b'{"n":2},{"n":4}'
    assert chunk.key == "key (2, 4)"
    assert gathering.rest() == []


def test_what_does_not_come_together_is_told_with_the_chunk_that_it_was_of() -> None:
    gathering = Former([former(1, 2)])
    gathering.take(parcel([1], ["a"]))
    ((left, chunk),) = gathering.rest()
    assert (left.rows.tolist(), chunk.key) == ([1], "key (1, 2)")


@given(st.lists(st.lists(st.sampled_from("abcde"), min_size=1, max_size=3, unique=True), max_size=8))
def test_no_identity_is_twice_in_a_wave_and_rows_keep_their_order(chunks: list[list[str]]) -> None:
    again, row = [], 1
    for people in chunks:
        rows = list(range(row, row + len(people)))
        again.append((parcel(rows, people), former(*rows)))
        row += len(people)
    sent = list(waves(list(reversed(again))))
    for wave in sent:
        met = [person for one, _ in wave if one.identities is not None for person in one.identities]
        assert len(met) == len(set(met))
    assert [int(r) for wave in sent for one, _ in wave for r in one.rows] == list(range(1, row))


def test_rows_that_were_merged_are_complete_in_their_block_and_not_at_the_end() -> None:
    """At the end they would go out after newer rows of the same person."""
    merged = Parcel(np.array([1, 2, 3]), pl.Series(["a", "b"]), pl.Series(["p", "q"]), None, np.array([0, 1, 0]))
    gathered = Former([former(1, 3)])
    fresh, ((again, _),) = gathered.take(merged)
    assert (again.rows.tolist(), again.items.to_list()) == ([1, 3], ["a"])
    assert (fresh.rows.tolist(), fresh.items.to_list()) == ([2], ["b"])
    assert gathered.rest() == []
