"""Taking: each distinct request makes one record, everyone is told the same of it, and what is told lies there."""

from __future__ import annotations

import hashlib
import itertools
import json
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.records import a_group
from support.zones import Folder

from batch.answers import lasting, timed
from batch.batch import State
from batch.dropzone import DropZoneError
from batch.errors import LedgerError
from batch.layout import is_records
from batch.ledger import Ledger
from batch.packets import Packet, Packets
from batch.taking import Invalid, Offer, Result, Reused, Taker

pytest_plugins = ("support.ledgers",)

KEYS = ("abc", "abcd", "xyz")
GROUPS = {
    key: a_group({"email": {"type": "email", "required": True}, "id": {"unique": True}}, mapping={"email": "email"})
    for key in KEYS
}
LATER = int(time.time()) + 3600
_numbers = itertools.count()


@pytest.fixture
def zone(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "drop")


@pytest.fixture
def taker(ledger: Ledger, zone: Folder) -> Taker:
    return Taker(ledger.packets, zone, GROUPS)


def a_line(**record: Any) -> bytes:
    return json.dumps({"email": "a@example.com", **record}).encode()


def _name(name: str, until: int) -> bytes:
    digest = hashlib.sha256(name.encode()).digest()
    return timed(until, digest) if name.startswith("s") else lasting(digest)


def an_offer(*names: str, group: str = "abc", line: bytes | None = None, until: int = LATER) -> Offer:
    """An offer whose names count only in this test; those that begin with an s tell when they are forgotten."""
    line = a_line() if line is None else line
    hashes = [_name(name, until) for name in names or (f"alone {next(_numbers)}",)]
    return Offer(group, line, dict.fromkeys(hashes, until), hashlib.sha256(group.encode() + line).digest())


def packets_of(ledger: Ledger) -> list[Packet]:
    """Every packet that waits, gathered in batches, which are closed."""
    found: list[Packet] = []
    while waiting := ledger.packets.waiting():
        for key in waiting:
            batch = ledger.packets.gather(key)
            assert batch is not None
            found += ledger.packets.of(batch.id)
            claim = ledger.claim(batch.id, "me")
            assert claim is not None
            ledger.finish(claim, State.DELIVERED)
    return found


def lines_of(packets: Sequence[Packet], zone: Folder) -> dict[str, tuple[str, bytes]]:
    """The group and the line of every record that will be delivered, by id."""
    found = {}
    for packet in packets:
        content = zone.read(packet.file)
        assert (len(content), hashlib.sha256(content).hexdigest()) == (packet.bytes, packet.sha256)
        assert is_records(packet.file)
        assert packet.file.startswith(f"{packet.group_key}/_records/{packet.taken_at:%Y-%m-%d}/{packet.id}")
        lines = content.splitlines()
        assert len(lines) == packet.rows
        found |= {packet.record_id(number): (packet.group_key, line) for number, line in enumerate(lines, 1)}
    return found


# One take


def test_records_of_several_groups_are_taken_together(taker: Taker, ledger: Ledger, zone: Folder) -> None:
    offers = [an_offer(group=KEYS[n % 3], line=a_line(n=n)) for n in range(30)]
    told = taker.take(offers)
    assert ledger.packets.waiting() == sorted(KEYS)
    packets = packets_of(ledger)
    assert sorted(packet.rows for packet in packets) == [10, 10, 10]
    assert lines_of(packets, zone) == {
        str(record): (offer.group_key, offer.line) for record, offer in zip(told, offers, strict=True)
    }
    for record, offer in zip(told, offers, strict=True):
        assert ledger.packets.find(str(record), [offer.group_key]) is not None


def test_the_records_of_a_group_keep_their_order(taker: Taker, ledger: Ledger, zone: Folder) -> None:
    for start in range(0, 30, 10):
        taker.take([an_offer(line=a_line(n=n)) for n in range(start, start + 10)])
    lines = [line for _, line in lines_of(packets_of(ledger), zone).values()]
    assert [json.loads(line)["n"] for line in lines] == list(range(30))


def test_a_bad_record_is_told_why_and_the_others_are_taken(taker: Taker, ledger: Ledger, zone: Folder) -> None:
    bad = [b"{}", b'{"email":"no"}', b'{"email":{}}', b"{"]
    told = taker.take([an_offer(line=line) for line in (a_line(n=1), *bad, a_line(n=2))])
    assert [type(one) for one in told] == [str, *[Invalid] * 4, str]
    codes = [[finding.code for finding in one.findings] for one in told if isinstance(one, Invalid)]
    assert codes == [["required"], ["email.format"], ["row.nested"], ["row.json"]]
    assert list(lines_of(packets_of(ledger), zone)) == [told[0], told[5]]


def test_when_all_are_bad_nothing_is_written(taker: Taker, ledger: Ledger, zone: Folder) -> None:
    told = taker.take([an_offer(line=b"{}"), an_offer(line=b"[]")])
    assert [type(one) for one in told] == [Invalid, Invalid]
    assert ledger.packets.waiting() == []
    assert list(zone._root.rglob("*")) == []
    assert taker.take([]) == []


def test_a_unique_value_may_come_twice_in_one_take(taker: Taker) -> None:
    told = taker.take([an_offer(line=a_line(id="1")), an_offer(line=a_line(id="1"))])
    assert len({str(one) for one in told if isinstance(one, str)}) == 2


# The same request again


def in_turn(offers: Sequence[Offer], seen: dict[bytes, tuple[bytes, int]]) -> Iterator[object]:
    """What each offer is to be told, one after the other: a number for each record, or the kind of refusal."""
    for offer in offers:
        former = next((seen[name] for name in offer.names if name in seen), None)
        if former is None and b"email" not in offer.line:
            yield Invalid
            continue
        print_, record = former or (offer.fingerprint, next(_numbers))
        if print_ != offer.fingerprint:
            yield Reused
            continue
        for name in offer.names:
            seen.setdefault(name, (print_, record))
        yield record


requests = st.tuples(
    st.lists(st.sampled_from(["1", "2", "3", "s4", "s5", "s6"]), min_size=1, max_size=3, unique=True),
    st.sampled_from(KEYS[:2]),
    st.sampled_from([a_line(), a_line(n=1), b"{}"]),
)


@given(rounds=st.lists(st.lists(requests, min_size=1, max_size=6), min_size=1, max_size=4))
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_however_requests_share_names_each_distinct_one_makes_one_record(
    taker: Taker, ledger: Ledger, zone: Folder, rounds: list[list[tuple[list[str], str, bytes]]]
) -> None:
    """In one take or in several it comes to the same; and the lines that lie there are those that were told."""
    mark = next(_numbers)
    seen: dict[bytes, tuple[bytes, int]] = {}
    ids: dict[object, Result] = {}
    owned: dict[str, tuple[str, bytes]] = {}
    for these in rounds:
        offers = [an_offer(*(f"{name} {mark}" for name in names), group=key, line=line) for names, key, line in these]
        told = taker.take(offers)
        for offer, wanted, one in zip(offers, in_turn(offers, seen), told, strict=True):
            if isinstance(wanted, int):
                assert isinstance(one, str)
                assert ids.setdefault(wanted, one) == one
                owned[one] = (offer.group_key, offer.line)
            else:
                assert type(one) is wanted
    assert len(set(ids.values())) == len(ids)
    assert lines_of(packets_of(ledger), zone) == owned


def test_two_hundred_at_once_are_told_of_one_record(taker: Taker, ledger: Ledger) -> None:
    told = taker.take([an_offer("one") for _ in range(200)])
    assert len(set(told)) == 1
    assert taker.take([an_offer("one", "two"), an_offer("two", "three")]) == [told[0]] * 2
    assert taker.take([an_offer("three")]) == [told[0]]
    assert sum(packet.rows for packet in packets_of(ledger)) == 1


def test_a_name_whose_time_is_over_is_forgotten(taker: Taker, ledger: Ledger) -> None:
    past = int(time.time()) - 1
    (first,) = taker.take([an_offer("one", until=past)])
    (second,) = taker.take([an_offer("one", line=a_line(n=2))])
    assert isinstance(second, str)
    assert second != first
    assert taker.take([an_offer("one", line=a_line(n=2))]) == [second]
    assert [type(one) for one in taker.take([an_offer("one")])] == [Reused]
    assert sum(packet.rows for packet in packets_of(ledger)) == 2


def test_another_process_that_was_first_is_the_one_that_counts(
    taker: Taker, ledger: Ledger, zone: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers between our look and our commit."""
    other = Taker(ledger.packets, zone, GROUPS)
    answered, first = Packets.answered, []

    def late(packets: Packets, names: Sequence[bytes]) -> Any:
        known = answered(packets, names)
        if not first:
            first.append("…")
            first[:] = other.take([an_offer("shared")])  # type: ignore[assignment]
        return known

    monkeypatch.setattr(Packets, "answered", late)
    told = taker.take([an_offer("own"), an_offer("shared"), an_offer("shared", line=a_line(n=2))])
    assert told[1] == first[0]
    assert isinstance(told[2], Reused)
    assert isinstance(told[0], str)
    assert len(lines_of(packets_of(ledger), zone)) == 2


def test_a_ledger_that_never_agrees_is_told(taker: Taker, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Packets, "take", lambda *_: False)
    with pytest.raises(LedgerError, match="again and again"):
        taker.take([an_offer()])
    assert ledger.packets.waiting() == []


def test_many_processes_with_the_same_requests_in_any_order(ledger_url: str, zone: Folder) -> None:
    """None of them fails, whatever order the others write in, and every request has one record."""
    names = [f"race {n}" for n in range(30)]
    together = threading.Barrier(4, timeout=30)

    def process(number: int) -> list[dict[str, Result]]:
        with Ledger.open(ledger_url) as ledger:
            taker = Taker(ledger.packets, zone, GROUPS)
            told = []
            for turn in range(4):
                mine = names[:: -1 if number % 2 else 1]
                together.wait()
                offers = [an_offer(f"{turn} {name}", f"{number} {turn} {name}") for name in mine]
                told.append(dict(zip(mine, taker.take(offers), strict=True)))
            return told

    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(process, range(4))
    assert all(other == first for other in others)
    with Ledger.open(ledger_url) as ledger:
        lines = lines_of(packets_of(ledger), zone)
    assert set(lines) == {str(record) for turn in first for record in turn.values()}
    assert len(lines) == 4 * len(names)


# What goes wrong


def test_a_drop_that_cannot_be_written_leaves_nothing_taken(taker: Taker, ledger: Ledger, zone: Folder) -> None:
    (zone._root / "abcd").write_bytes(b"a file where a folder should be")
    offers = [an_offer("one"), an_offer("two", group="abcd")]
    with pytest.raises(DropZoneError):
        taker.take(offers)
    assert ledger.packets.waiting() == []
    (zone._root / "abcd").unlink()
    told = taker.take(offers)
    assert sorted(lines_of(packets_of(ledger), zone)) == sorted(map(str, told))


def test_a_drop_that_was_written_and_never_entered_is_never_delivered(
    taker: Taker, ledger: Ledger, zone: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> bool:
        raise LedgerError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(Packets, "take", gone)
        with pytest.raises(LedgerError):
            taker.take([an_offer("one")])
    (orphan,) = zone._root.rglob("*.jsonl")
    assert ledger.packets.waiting() == []
    told = taker.take([an_offer("one")])
    packets = packets_of(ledger)
    assert list(lines_of(packets, zone)) == told
    assert str(orphan.relative_to(zone._root)) not in {packet.file for packet in packets}
    assert zone.listing("abc").drops == ()


def test_a_ledger_that_cannot_be_read_takes_nothing(
    taker: Taker, ledger: Ledger, zone: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> dict[bytes, object]:
        raise LedgerError("gone")

    monkeypatch.setattr(Packets, "answered", gone)
    with pytest.raises(LedgerError):
        taker.take([an_offer()])
    assert list(zone._root.rglob("*.jsonl")) == []
