"""Receipts: counted over the ledger's chunks, and refused where a row is unaccounted for."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.made import a_chunk

from batch import rowset
from batch.batch import Batch, State
from batch.chunk import CHECK, Chunk, ChunkState
from batch.ledger import Ledger
from batch.outcome import SETTLED, Finding, Outcome
from batch.receipt import Books, ConservationError, codes, compose

MOMENT = datetime(2026, 11, 23, 3, 4, 5, 678_900, tzinfo=timezone(timedelta(hours=1)))


class Kept:
    """As much of a ledger as a receipt looks at."""

    def __init__(self, *chunks: Chunk) -> None:
        self._chunks = chunks

    def chunks(self, _batch: str) -> tuple[Chunk, ...]:
        return self._chunks


def a_finding(*rows: int, code: str = "email.format", **more: Any) -> Finding:
    return Finding(
        more.get("outcome", Outcome.INVALID), code, more.get("column"), more.get("message", ""), rowset.of(*rows)
    )


def closed(integration: str, outcome: Outcome | None, rows: list[int], *findings: Finding, **more: Any) -> Chunk:
    return a_chunk(
        "c", *rows, integration=integration, state=ChunkState.CLOSED, outcome=outcome, findings=findings, **more
    )


def books(rows: int | None, *chunks: Chunk) -> Books:
    batch = Batch("b", "abc", "abc/a.csv", "1", 10, State.RUNNING, MOMENT, rows_read=rows, started_at=MOMENT)
    return Books.read(cast("Ledger", Kept(*chunks)), batch)


@given(st.lists(st.none() | st.sampled_from(Outcome), max_size=15))
def test_the_sums_agree_and_the_state_tells_whether_somebody_must_act(ends: list[Outcome | None]) -> None:
    """None stands for a row that fails the group's own check."""
    bad = [row for row, end in enumerate(ends, 1) if end is None]
    own = {outcome: [row for row, end in enumerate(ends, 1) if end == outcome] for outcome in Outcome}
    check = closed(CHECK, None, list(range(1, len(ends) + 1)), *([a_finding(*bad)] if bad else []))
    these = books(
        len(ends), check, closed("other", Outcome.FILTERED, []), *(closed("crm", o, r) for o, r in own.items()),
        closed("other", Outcome.DELIVERED, [row for row, end in enumerate(ends, 1) if end]),
    )  # fmt: skip
    acts = bad or any(own[outcome] for outcome in Outcome if outcome not in SETTLED)
    assert these.state() is (State.PARTIAL if acts else State.DELIVERED)
    receipt = compose(these)
    rows = receipt["rows"]
    assert rows == {"read": len(ends), "valid": len(ends) - len(bad), "invalid": len(bad)}
    for name in ("crm", "other"):
        assert sum(receipt["integrations"][name][outcome.value] for outcome in Outcome) == rows["valid"]
    assert {o: receipt["integrations"]["crm"][o.value] for o in Outcome} == {o: len(r) for o, r in own.items()}


CHECKED = closed(CHECK, None, [1, 2, 3], a_finding(3))


def test_a_batch_that_was_read_before_its_rows_were_counted_has_none() -> None:
    """Another process checked it in the moment between reading the batch and reading its chunks."""
    receipt = compose(books(None, CHECKED, closed("crm", Outcome.DELIVERED, [1, 2])))
    assert (receipt["rows"], receipt["integrations"]) == ({"read": 0, "valid": 0, "invalid": 0}, {})


@pytest.mark.parametrize(
    ("rows", "chunks", "words"),
    [
        (4, [CHECKED, closed("crm", Outcome.DELIVERED, [1, 2])], "4 rows were read, but 2 are valid and 1 invalid"),
        (3, [], "3 rows were read, but 0 are valid and 0 invalid"),
        (3, [CHECKED, closed("crm", Outcome.DELIVERED, [1])], "2 rows are valid, but crm accounts for 1"),
        (3, [CHECKED, closed("crm", Outcome.DELIVERED, [1, 3])], "2 rows are valid, but crm accounts for 1"),
        (3, [CHECKED, a_chunk("o", 1, 2)], "2 rows are valid, but crm accounts for 0"),
        (3, [CHECKED, closed("crm", Outcome.DELIVERED, [1, 2]), a_chunk("r", 2, state=ChunkState.REOPENED)], "for 1"),
        (
            3,
            [CHECKED, closed("a", Outcome.DELIVERED, [1, 2]), closed("b", Outcome.DELIVERED, [])],
            "but b accounts for 0",
        ),
    ],
)
def test_a_batch_with_a_row_unaccounted_for_is_not_closed(rows: int, chunks: list[Chunk], words: str) -> None:
    with pytest.raises(ConservationError, match=words):
        books(rows, *chunks).state()


def test_a_receipt_has_the_shape_of_the_contract() -> None:
    crm = closed("crm", Outcome.DELIVERED, [1, 2], requests=3, possible_duplicates=1)
    receipt = compose(books(3, CHECKED, crm))
    assert json.loads(json.dumps(receipt)) == {
        "batch": "b", "group_key": "abc", "file": "abc/a.csv", "version": "1", "sha256": None, "bytes": 10,
        "state": "running", "reason": None, "config": None,
        "received_at": "2026-11-23T02:04:05.678Z", "started_at": "2026-11-23T02:04:05.678Z", "finished_at": None,
        "rows": {"read": 3, "valid": 2, "invalid": 1},
        "integrations": {
            "crm": {
                "delivered": 2, "acknowledged": 0,
                "filtered": 0, "unchanged": 0, "invalid": 0, "rejected": 0, "failed": 0, "unknown": 0,
                "requests": 3, "possible_duplicates": 1,
            }
        },
        "codes": [
            {"integration": None, "code": "email.format", "column": None, "rows": 1, "first_row": 3, "message": ""}
        ],
    }  # fmt: skip


def test_a_file_that_was_never_read_has_no_rows() -> None:
    receipt = compose(books(None))
    assert receipt["rows"] == {"read": 0, "valid": 0, "invalid": 0}
    assert receipt["integrations"] == {}
    assert receipt["codes"] == []


def test_codes_are_gathered_by_integration_code_and_column() -> None:
    lines = codes(
        [
            (None, a_finding(7, 9, column="a", message="later")),
            (None, a_finding(2, column="a", message="first")),
            (None, a_finding(4, column="b")),
            ("crm", a_finding(4, 5, column="a")),
            (None, a_finding(8, column="a", message="last")),
        ]
    )
    assert [tuple(line.values()) for line in lines] == [
        (None, "email.format", "a", 4, 2, "first"),
        (None, "email.format", "b", 1, 4, ""),
        ("crm", "email.format", "a", 2, 4, ""),
    ]


def test_a_rerun_overrules_what_was_said_before() -> None:
    failed = closed("crm", Outcome.FAILED, [1, 2], a_finding(1, 2, code="unavailable", outcome=Outcome.FAILED))
    reopened = a_chunk("r", 1, 2, state=ChunkState.REOPENED)
    half = closed("crm", Outcome.DELIVERED, [1, 2], a_finding(2, code="rejected.no", outcome=Outcome.REJECTED))
    these = books(3, CHECKED, failed, reopened, half)
    assert [(one, finding.code, finding.rows.tolist()) for one, finding in these.findings()] == [
        (None, "email.format", [3]), ("crm", "rejected.no", [2])
    ]  # fmt: skip
    assert these.owing().tolist() == [2, 3]
