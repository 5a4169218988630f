from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

from support.made import a_batch, a_chunk, a_claim, a_drop

from batch.batch import State
from batch.ledger import Ledger

pytest_plugins = ("support.ledgers",)


def test_a_new_drop_is_a_queued_batch(ledger: Ledger) -> None:
    batch = ledger.add(a_drop("abc/day 1/å\n+.csv", "etag-1", 5_000_000_000), "abc")
    assert batch is not None
    assert (batch.group_key, batch.file, batch.version, batch.bytes) == (
        *("abc", "abc/day 1/å\n+.csv", "etag-1", 5_000_000_000),
    )
    assert batch.state is State.QUEUED
    assert re.fullmatch(rf"{batch.received_at:%Y%m%dT%H%M%SZ}-[a-z2-7]{{8}}", batch.id)
    assert ledger.batch(batch.id) == batch
    assert ledger.batch("another") is None
    assert ledger.batch("\0") is None
    assert ledger.seen("abc") == {("abc/day 1/å\n+.csv", "etag-1")}
    assert ledger.seen("ab") == ledger.seen("abc2") == set()


def test_a_version_of_a_file_is_taken_up_once(ledger: Ledger) -> None:
    first = a_batch(ledger, version="1")
    assert ledger.add(a_drop(version="1"), "abc") is None
    second = a_batch(ledger, version="2")
    assert ledger.batches() == [second, first]


def test_of_many_at_once_one_takes_a_drop_up(ledger: Ledger) -> None:
    drops = [a_drop(f"abc/{number}.csv") for number in range(10)]
    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda drop: ledger.add(drop, "abc"), drops * 4))
    assert sorted(batch.file for batch in added if batch) == [drop.key for drop in drops]
    assert len(ledger.batches()) == 10


def test_batches_are_found_newest_first(ledger: Ledger) -> None:
    one, two, other = (a_batch(ledger, key) for key in ("abc/1.csv", "abc/2.csv", "abc2/1.csv"))
    closed = ledger.finish(a_claim(ledger, one), State.PARTIAL)
    assert ledger.batches() == [other, two, closed]
    assert ledger.batches("abc") == [two, closed]
    assert ledger.batches("abc", State.PARTIAL) == [closed]
    assert ledger.batches(state=State.QUEUED) == [other, two]
    assert ledger.batches(limit=1) == [other]


def test_what_waits_is_queued_or_left_behind_oldest_first(ledger: Ledger) -> None:
    queued, held, left, released, closed, _other = (
        a_batch(ledger, key) for key in ("abc/z.csv", "abc/b.csv", "abc/y.csv", "abc/a.csv", "abc/c.csv", "abc2/a.csv")
    )
    a_claim(ledger, held)
    a_claim(ledger, left, seconds=0)
    ledger.release(a_claim(ledger, released))
    ledger.finish(a_claim(ledger, closed), State.DELIVERED)
    assert [batch.id for batch in ledger.waiting("abc")] == [queued.id, left.id, released.id]


def test_the_same_bytes_under_the_same_key_are_a_duplicate(ledger: Ledger) -> None:
    first, second, third, elsewhere = (
        a_batch(ledger, *drop) for drop in [("abc/a", "1"), ("abc/a", "2"), ("abc/a", "3"), ("abc/b", "1")]
    )
    assert ledger.duplicate_of(first, "same") is None
    for batch in (first, second, third, elsewhere):
        ledger.describe(a_claim(ledger, batch), sha256="same")
    assert ledger.duplicate_of(third, "same") == first.id
    assert ledger.duplicate_of(first, "same") == second.id
    assert ledger.duplicate_of(elsewhere, "same") is None
    assert ledger.duplicate_of(third, "other") is None


def test_a_dropped_duplicate_leaves_its_drop_to_the_original(ledger: Ledger) -> None:
    first, second, third = (a_batch(ledger, version=version) for version in "123")
    assert ledger.drop_duplicate(a_claim(ledger, third), second.id)
    assert ledger.drop_duplicate(a_claim(ledger, second), first.id)
    assert ledger.batches() == [first]
    assert ledger.seen("abc") == {("abc/a.csv", version) for version in "123"}


def test_two_duplicates_are_never_dropped_for_each_other(ledger: Ledger) -> None:
    for number in range(5):
        one, two = (a_batch(ledger, f"abc/{number}.csv", version) for version in "12")
        pairs = [(a_claim(ledger, one), two.id), (a_claim(ledger, two), one.id)]
        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(lambda pair: ledger.drop_duplicate(*pair), pairs)) == [False, True]
        assert len(ledger.batches()) == number + 1


def test_a_batch_with_chunks_is_never_forgotten(ledger: Ledger) -> None:
    original, claim = a_batch(ledger, version="1"), a_claim(ledger, a_batch(ledger, version="2"))
    ledger.put(claim, [a_chunk("c", 1)])
    assert not ledger.drop_duplicate(claim, original.id)
    assert ledger.batches() == [claim.batch, original]
    assert [chunk.id for chunk in ledger.chunks(claim.batch.id)] == ["c"]
