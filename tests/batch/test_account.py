"""The account: folding chunks over arrays gives what a plain reading, row by row, gives."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from batch import rowset
from batch.account import Account
from batch.chunk import Chunk, ChunkState
from batch.outcome import Finding, Outcome

COUNT = 12
ROWS = st.sets(st.integers(1, COUNT), min_size=1)


@st.composite
def chunks(draw: st.DrawFn) -> Chunk:
    rows = draw(ROWS)
    state = draw(st.sampled_from(ChunkState))
    outcome, findings = None, []
    if state is ChunkState.CLOSED:
        outcome = draw(st.none() | st.sampled_from(Outcome))
        others = set(rows)
        for number in range(draw(st.integers(0, 2))):
            bad = draw(st.sets(st.sampled_from(sorted(others)))) if others else set()
            others -= bad
            if bad:
                told = draw(st.sampled_from(Outcome))
                findings.append(Finding(told, f"code.{number}", None, "", rowset.of(*bad)))
    key = draw(st.none() | st.just("key"))
    requests, doubles = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    return Chunk("c", "crm", rowset.of(*rows), state, outcome, tuple(findings), key, None, requests, doubles)


@dataclass
class Row:
    """What is known of one row: where it stands, what was said last, and by which chunk."""

    stands: Outcome | str = "pending"
    code: str | None = None
    speaker: int | None = None


def plainly(history: list[Chunk]) -> dict[int, Row]:
    rows = {number: Row() for number in range(1, COUNT + 1)}
    for number, chunk in enumerate(history):
        for row in chunk.rows.tolist():
            if chunk.state is ChunkState.SPLIT:
                continue
            finding = next((one for one in chunk.findings if row in one.rows), None)
            if chunk.state is not ChunkState.CLOSED:
                rows[row] = Row("pending", None, number)
            elif finding is not None:
                rows[row] = Row(finding.outcome, finding.code, number)
            else:
                rows[row] = Row(chunk.outcome or "sound", None, number)
    return rows


@given(st.lists(chunks(), max_size=8), st.sets(st.integers(1, COUNT)))
def test_the_fold_is_a_plain_reading_row_by_row(history: list[Chunk], some: set[int]) -> None:
    rows, account = plainly(history), Account(COUNT, history)

    def those(stands: object) -> list[int]:
        return [number for number, row in rows.items() if row.stands == stands]

    for outcome in Outcome:
        assert account.rows(outcome).tolist() == those(outcome)
    assert account.sound().tolist() == those("sound")
    among = rowset.of(*some)
    assert account.pending(among).tolist() == [row for row in those("pending") if row in some]
    assert account.counts(among) == {one: sum(rows[row].stands == one for row in some) for one in Outcome}
    assert account.requests == sum(chunk.requests for chunk in history)
    assert account.possible_duplicates == sum(chunk.possible_duplicates for chunk in history)

    told = {(row, finding.code, finding.outcome) for finding in account.findings() for row in finding.rows.tolist()}
    assert told == {(number, row.code, row.stands) for number, row in rows.items() if row.code}

    doubtful = [
        chunk
        for number, chunk in enumerate(history)
        if chunk.state in (ChunkState.OPEN, ChunkState.REOPENED)
        and chunk.key
        and all(rows[row].speaker == number for row in chunk.rows.tolist())
    ]
    assert list(map(id, account.in_doubt())) == list(map(id, doubtful))

    speaking = {(row, id(chunk)) for chunk, own in account.speaking(among) for row in own.tolist()}
    assert speaking == {(row, id(history[s])) for row in some if (s := rows[row].speaker) is not None}


def test_all_outcomes_at_once_are_all_the_rows() -> None:
    account = Account(3, [Chunk("c", "crm", rowset.of(1, 3), ChunkState.CLOSED, Outcome.DELIVERED)])
    assert account.rows(*Outcome).tolist() == [1, 3]
    assert account.rows().tolist() == []
    assert sum(account.counts(rowset.of(1, 2, 3)).values()) == 2


def test_an_empty_batch() -> None:
    account = Account(0, [])
    assert account.findings() == []
    assert account.in_doubt() == []
    assert account.speaking(rowset.EMPTY) == []
    assert sum(account.counts(rowset.EMPTY).values()) == 0
