"""Packets: none is lost and none is in two batches, every record is found again by those who may, answers last."""

from __future__ import annotations

import hashlib
import itertools
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.made import a_claim

from batch import packets as module
from batch.answers import Answer, lasting, timed
from batch.batch import Batch, State
from batch.ledger import Ledger
from batch.packets import Packet

pytest_plugins = ("support.ledgers",)

BEGAN = datetime(2026, 11, 23, 2, tzinfo=UTC)
NOW = int(time.time())
_numbers = itertools.count(1)


def a_packet(group: str = "abc", rows: int = 1, size: int = 10) -> Packet:
    number = next(_numbers)
    name = f"20261123T020000{number:03}Z-packet{number}"
    digest = hashlib.sha256(name.encode()).hexdigest()
    file = f"{group}/_records/2026-11-23/{name}.jsonl"
    return Packet(name, group, file, size, digest, rows, BEGAN + timedelta(milliseconds=number))


def an_answer(name: str, record: str = "x-1", until: int = NOW + 3600) -> Answer:
    return Answer(lasting(hashlib.sha256(name.encode()).digest()), b"f" * 32, record, until)


def taken(ledger: Ledger, *packets: Packet) -> list[Packet]:
    assert ledger.packets.take(packets, [])
    return list(packets)


def gathered(ledger: Ledger, group: str = "abc") -> Batch:
    batch = ledger.packets.gather(group)
    assert batch is not None
    return batch


def closed(ledger: Ledger, batch: Batch, state: State = State.DELIVERED) -> None:
    ledger.finish(a_claim(ledger, batch), state)


def ids(packets: Collection[Packet]) -> list[str]:
    return [packet.id for packet in packets]


# Gathering


def test_what_waits_becomes_one_batch_in_the_order_in_which_it_was_taken(ledger: Ledger) -> None:
    ours = [a_packet(rows=rows, size=rows * 7) for rows in (3, 1, 5)]
    taken(ledger, ours[0], a_packet("abcd"))
    taken(ledger, ours[1])
    taken(ledger, ours[2], a_packet("xyz"))
    assert ledger.packets.waiting() == ["abc", "abcd", "xyz"]
    batch = gathered(ledger)
    assert ledger.packets.waiting() == ["abcd", "xyz"]
    assert (batch.group_key, batch.state, batch.bytes) == ("abc", State.QUEUED, 63)
    assert batch.file == ours[0].file.replace(".jsonl", "+2.jsonl")
    found = ledger.packets.of(batch.id)
    assert ids(found) == ids(ours)
    assert [packet.first_row for packet in found] == [1, 4, 5]
    assert {packet.batch for packet in found} == {batch.id}
    assert found[0].taken_at == ours[0].taken_at
    assert ledger.packets.gather("abc") is None
    assert [one.id for one in ledger.waiting("abc")] == [batch.id]


def test_a_batch_of_one_packet_has_its_name(ledger: Ledger) -> None:
    (packet,) = taken(ledger, a_packet())
    assert gathered(ledger).file == packet.file


def test_a_group_that_has_none_waiting_has_no_batch(ledger: Ledger) -> None:
    taken(ledger, a_packet("abcd"))
    assert ledger.packets.gather("abc") is None
    assert ledger.packets.gather("nobody") is None
    assert ledger.packets.of("nothing") == []


@given(rows=st.lists(st.integers(1, 9), min_size=1, max_size=12), most=st.integers(1, 5), most_rows=st.integers(1, 12))
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_batch_is_bounded_and_what_is_too_much_goes_into_the_next(
    ledger: Ledger, rows: list[int], most: int, most_rows: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_MOST_PACKETS", most)
        patch.setattr(module, "_MOST_ROWS", most_rows)
        ours = taken(ledger, *(a_packet(rows=count) for count in rows))
        found: list[Packet] = []
        while ledger.packets.waiting():
            batch = gathered(ledger)
            these = ledger.packets.of(batch.id)
            assert 1 <= len(these) <= most
            assert sum(packet.rows for packet in these[:-1]) < most_rows
            assert [packet.first_row for packet in these] == [
                1 + sum(packet.rows for packet in these[:place]) for place in range(len(these))
            ]
            found += these
            closed(ledger, batch)
    assert ids(found) == ids(ours)


def test_of_two_that_gather_at_once_one_has_all(ledger_url: str) -> None:
    with Ledger.open(ledger_url) as one, Ledger.open(ledger_url) as two, ThreadPoolExecutor(2) as pool:
        together = threading.Barrier(2, timeout=30)

        def gather(ledger: Ledger) -> Batch | None:
            together.wait()
            return ledger.packets.gather("abc")

        for _ in range(15):
            ours = taken(one, *(a_packet() for _ in range(3)))
            (batch,) = filter(None, pool.map(gather, [one, two]))
            assert ids(one.packets.of(batch.id)) == ids(ours)
            closed(two, batch)


def test_what_is_taken_while_others_gather_is_not_lost(ledger_url: str) -> None:
    with Ledger.open(ledger_url) as one, Ledger.open(ledger_url) as two, ThreadPoolExecutor(1) as pool:
        ours = [a_packet() for _ in range(40)]
        taking = pool.submit(lambda: [taken(one, packet) for packet in ours])
        found: list[Packet] = []
        while not taking.done() or two.packets.waiting():
            if batch := two.packets.gather("abc"):
                found += two.packets.of(batch.id)
                closed(two, batch)
        taking.result()
        assert ids(found) == ids(ours)


# Finding


def test_a_record_is_found_by_its_group_only(ledger: Ledger) -> None:
    (packet,) = taken(ledger, a_packet(rows=12))
    taken(ledger, a_packet("xyz"))
    for number in (1, 12):
        found = ledger.packets.find(packet.record_id(number), {"abc", "other"})
        assert found is not None
        assert (found[0].id, found[1]) == (packet.id, number)
    assert ledger.packets.find(packet.record_id(1), {"xyz"}) is None
    assert ledger.packets.find(packet.record_id(1), {"ABC", "ab"}) is None
    assert ledger.packets.find(packet.record_id(1), set()) is None


@pytest.mark.parametrize(
    "number", ["", "0", "13", "-1", "+1", "01", " 1", "1 ", "1.0", "1e0", "١", "１", "²", "x", "1" * 5000]
)
def test_a_number_is_written_in_one_way(ledger: Ledger, number: str) -> None:
    (packet,) = taken(ledger, a_packet(rows=12))
    assert ledger.packets.find(f"{packet.id}-{number}", {"abc"}) is None


def test_what_is_no_id_of_a_record_is_not_found(ledger: Ledger) -> None:
    (packet,) = taken(ledger, a_packet(rows=12))
    for odd in ("", "-", "1", packet.id, f"{packet.id}1", f"{packet.id}-1-1", f"{packet.id}--1", f"%{packet.id[1:]}-1"):
        assert ledger.packets.find(odd, {"abc"}) is None


def test_it_is_closed_when_its_batch_is(ledger: Ledger) -> None:
    for state in (State.DELIVERED, State.PARTIAL, State.FAILED):
        (packet,) = taken(ledger, a_packet())
        names = {packet.id, "nothing"}
        assert ledger.packets.closed(names) == set()
        batch = gathered(ledger)
        assert ledger.packets.closed(names) == set()
        claim = a_claim(ledger, batch)
        assert ledger.packets.closed(names) == set()
        ledger.finish(claim, state)
        assert ledger.packets.closed(names) == {packet.id}
    assert ledger.packets.closed([]) == set()


# Answers


def test_an_answer_is_known_as_long_as_it_is_to_be(ledger: Ledger) -> None:
    assert ledger.packets.take([a_packet()], [an_answer("new"), an_answer("old", until=NOW - 1)])
    names = [an_answer(name).name for name in ("new", "old", "other")]
    known = ledger.packets.answered(names)
    assert list(known) == names[:1]
    assert known[names[0]] == an_answer("new")
    assert ledger.packets.answered([]) == {}
    assert ledger.packets.forget_answers() == 1
    assert ledger.packets.forget_answers() == 0
    assert list(ledger.packets.answered(names)) == names[:1]


@pytest.mark.parametrize("named", [timed, lambda _until, digest: lasting(digest)])
def test_answers_are_forgotten_when_their_time_is_over_and_no_earlier(
    ledger: Ledger, named: Callable[[int, bytes], bytes]
) -> None:
    now = int(time.time())
    times = [now - 1000, now - 1, now + 100, now + 100_000]
    given_ = [Answer(named(until, b"%d" % until), b"f", "x-1", until) for until in times]
    assert ledger.packets.take([], given_)
    assert ledger.packets.forget_answers() == 2
    assert not ledger.packets.take([], given_[2:3])
    assert not ledger.packets.take([], given_[3:])
    assert ledger.packets.take([], given_[:2])


@pytest.mark.parametrize("count", [1, 2, 1500, 5000])
@pytest.mark.parametrize("place", [0, -1])
def test_when_one_request_was_answered_nothing_is_committed(ledger: Ledger, count: int, place: int) -> None:
    given_ = sorted((an_answer(f"{n}") for n in range(count)), key=lambda answer: answer.name)
    assert ledger.packets.take([], [given_[place]])
    assert not ledger.packets.take([a_packet()], given_)
    assert ledger.packets.waiting() == []
    assert list(ledger.packets.answered([answer.name for answer in given_])) == [given_[place].name]


@pytest.mark.parametrize("count", [1, 1500, 20_000])
def test_many_answers_are_committed_together(ledger: Ledger, count: int) -> None:
    given_ = [an_answer(f"{n}", f"x-{n}") for n in range(count)]
    assert ledger.packets.take([a_packet()], given_)
    assert ledger.packets.waiting() == ["abc"]
    known = ledger.packets.answered([answer.name for answer in given_])
    assert known == {answer.name: answer for answer in given_}


def test_of_two_that_answer_the_same_requests_at_once_one_does(ledger_url: str) -> None:
    """In opposite orders, so that each has what the other waits for."""
    with Ledger.open(ledger_url) as one, Ledger.open(ledger_url) as two:
        for turn in range(10):
            names = [f"{turn} {n}" for n in range(300)]

            def take(which: tuple[Ledger, list[str]]) -> bool:
                ledger, order = which
                return ledger.packets.take([a_packet()], [an_answer(name) for name in order])

            with ThreadPoolExecutor(2) as pool:
                won = list(pool.map(take, [(one, names), (two, names[::-1])]))
            assert sorted(won) == [False, True]
        assert len(one.packets.of(gathered(one).id)) == 10
