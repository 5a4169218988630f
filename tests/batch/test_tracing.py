"""Tracing: what is told of one record is its own row's story, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.made import a_chunk, a_claim, a_finding

from batch import rowset
from batch.account import Account
from batch.batch import Batch, State
from batch.chunk import CHECK, Chunk, ChunkState
from batch.claim import Claim
from batch.ledger import Ledger
from batch.outcome import SETTLED, Finding, Outcome
from batch.packets import Packet
from batch.receipt import Books
from batch.tracing import trace

TAKEN = datetime(2026, 11, 23, 2, 3, 4, 567890, tzinfo=UTC)


def a_packet(name: str, rows: int) -> Packet:
    return Packet(name, "abc", f"abc/_records/2026-11-23/{name}.jsonl", 10, name * 8, rows, TAKEN)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        yield ledger


@pytest.fixture
def claim(ledger: Ledger) -> Claim:
    """A batch of two packets, of two records and of three."""
    assert ledger.packets.take([a_packet("one", 2), a_packet("two", 3)], [])
    batch = ledger.packets.gather("abc")
    assert batch is not None
    return a_claim(ledger, batch)


def told(ledger: Ledger, record: str) -> dict[str, Any]:
    found = ledger.packets.find(record, ["abc"])
    assert found is not None
    packet, number = found
    batch = ledger.batch(packet.batch) if packet.batch else None
    return trace(packet, number, Books.read(ledger, batch) if batch else None)


def checked(ledger: Ledger, claim: Claim, *bad: Finding) -> None:
    """Enter the check of five rows, and that two integrations take part."""
    verdict = Chunk("check", CHECK, rowset.of(1, 2, 3, 4, 5), ChunkState.CLOSED, None, bad)
    ledger.put(claim, [verdict, a_chunk("e1", integration="crm"), a_chunk("e2", integration="hook")], rows_read=5)


def test_while_it_waits_it_is_accepted(ledger: Ledger) -> None:
    ledger.packets.take([a_packet("one", 2)], [])
    assert told(ledger, "one-2") == {
        "record_id": "one-2",
        "group_key": "abc",
        "status": "accepted",
        "received_at": "2026-11-23T02:03:04.567Z",
        "batch": None,
        "row": None,
        "reason": None,
        "integrations": {},
        "details": [],
    }


def test_until_all_have_spoken_it_is_running(ledger: Ledger, claim: Claim) -> None:
    assert told(ledger, "two-1")["status"] == "running"
    checked(ledger, claim)
    before = told(ledger, "two-1")
    silent = {"outcome": None, "code": None, "message": None}
    assert (before["status"], before["row"], before["batch"]) == ("running", 3, claim.batch.id)
    assert before["integrations"] == {"crm": silent, "hook": silent}
    ledger.put(claim, [a_chunk("c1", 3, state=ChunkState.CLOSED, outcome=Outcome.DELIVERED)])
    half = told(ledger, "two-1")
    assert half["status"] == "running"
    assert half["integrations"]["crm"]["outcome"] == "delivered"
    assert half["integrations"]["hook"] == silent
    ledger.put(claim, [a_chunk("c2", 3, integration="hook", state=ChunkState.CLOSED, outcome=Outcome.FILTERED)])
    assert told(ledger, "two-1")["status"] == "delivered"
    assert told(ledger, "two-2")["status"] == "running"


def test_each_record_is_told_its_own_row(ledger: Ledger, claim: Claim) -> None:
    checked(ledger, claim, a_finding(2, outcome=Outcome.INVALID, message="Not an address."))
    rejected = (a_finding(3, message="No such person."),)
    for name, findings in (("crm", rejected), ("hook", ())):
        rows = (1, 3, 4, 5)
        chunk = a_chunk(
            name, *rows, integration=name, state=ChunkState.CLOSED, outcome=Outcome.DELIVERED, findings=findings
        )
        ledger.put(claim, [chunk])
    ledger.finish(claim, State.PARTIAL)
    stories = [told(ledger, record) for record in ("one-1", "one-2", "two-1", "two-2", "two-3")]
    assert [story["row"] for story in stories] == [1, 2, 3, 4, 5]
    assert [story["status"] for story in stories] == ["delivered", "partial", "partial", "delivered", "delivered"]
    assert stories[1]["details"] == [{"attribute": "epost", "code": "rejected.no", "message": "Not an address."}]
    assert stories[1]["integrations"] == {}
    assert stories[2]["details"] == []
    assert stories[2]["integrations"] == {
        "crm": {"outcome": "rejected", "code": "rejected.no", "message": "No such person."},
        "hook": {"outcome": "delivered", "code": None, "message": None},
    }
    assert "No such person." not in str(stories[:2] + stories[3:])


def test_a_batch_that_could_not_be_used_failed_with_its_reason(ledger: Ledger, claim: Claim) -> None:
    ledger.finish(claim, State.FAILED, "file.changed: it is gone")
    story = told(ledger, "one-1")
    assert (story["status"], story["reason"], story["integrations"]) == ("failed", "file.changed: it is gone", {})


outcomes = st.sampled_from([None, *Outcome])


@given(crm=outcomes, hook=outcomes, state=st.sampled_from([State.RUNNING, State.DELIVERED, State.PARTIAL]))
def test_the_status_is_that_of_a_batch_of_this_record_alone(
    crm: Outcome | None, hook: Outcome | None, state: State
) -> None:
    def account(outcome: Outcome | None) -> Account:
        closed = a_chunk("c", 1, state=ChunkState.CLOSED, outcome=outcome)
        return Account(1, [closed] if outcome else [])

    batch = Batch("b", "abc", "abc/_records/x.jsonl", "1", 1, state, TAKEN, rows_read=1)
    check = Account(1, [Chunk("check", CHECK, rowset.of(1), ChunkState.CLOSED)])
    packet = Packet("p", "abc", "abc/_records/x.jsonl", 1, "", 1, TAKEN, "b", 1)
    story = trace(packet, 1, Books(batch, check, {"crm": account(crm), "hook": account(hook)}))
    both = {crm, hook}
    wanted = "running" if None in both else "delivered" if both <= SETTLED else "partial"
    assert story["status"] == wanted
    assert {name: one["outcome"] for name, one in story["integrations"].items()} == {"crm": crm, "hook": hook}
