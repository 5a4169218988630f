from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import create_engine, select
from support.made import a_batch, a_chunk, a_claim, plain

from batch import database, statements
from batch.batch import State
from batch.claim import Claim
from batch.errors import LeaseLost
from batch.ledger import Ledger
from batch.tables import Trigger, runs

pytest_plugins = ("support.ledgers",)


def test_a_claim_starts_the_batch_and_keeps_others_out(ledger: Ledger) -> None:
    batch = a_batch(ledger)
    assert ledger.in_progress(batch.id) is None
    claim = a_claim(ledger, batch, "me", 30)
    assert (
        claim.batch == ledger.batch(batch.id) == replace(batch, state=State.RUNNING, started_at=claim.batch.started_at)
    )
    assert claim.batch.started_at is not None
    assert (claim.token, claim.owner, claim.attempts) == (1, "me", 1)
    assert ledger.claim(batch.id, "you") is None
    assert ledger.claim(batch.id, "me") is None
    progress = ledger.in_progress(batch.id)
    assert progress is not None
    owner, until = progress
    assert owner == "me"
    with database.read(ledger._engine) as connection:
        assert timedelta(seconds=20) < until - statements.lease_clock(connection) <= timedelta(seconds=30)


def test_a_batch_that_is_not_there_cannot_be_claimed(ledger: Ledger) -> None:
    assert ledger.claim("20261123T020001Z-aaaaaaaa", "me") is None


def test_of_many_at_once_one_claims(ledger: Ledger) -> None:
    batches = [a_batch(ledger, f"abc/{number}.csv") for number in range(10)]
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda batch: ledger.claim(batch.id, "worker"), batches * 4))
    assert sorted(claim.batch.id for claim in claims if claim) == sorted(batch.id for batch in batches)


def test_a_lease_that_ran_out_can_be_taken_over(ledger: Ledger) -> None:
    dead = a_claim(ledger, seconds=0)
    assert ledger.in_progress(dead.batch.id) is None
    taken = a_claim(ledger, dead.batch, "you")
    assert (taken.token, taken.attempts) == (2, 2)
    assert taken.batch.started_at == dead.batch.started_at


def test_a_lease_from_before_the_clock_was_set_back_binds_nobody(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = statements.lease_clock
    monkeypatch.setattr(statements, "lease_clock", lambda connection: clock(connection) + timedelta(hours=1))
    dead = a_claim(ledger, seconds=30)
    monkeypatch.undo()
    assert ledger.in_progress(dead.batch.id) is None
    assert [batch.id for batch in ledger.waiting("abc")] == [dead.batch.id]
    assert a_claim(ledger, dead.batch, "you").token == 2


def test_setting_the_clock_ends_no_lease(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    class Fast(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(hours=1)

    alive = a_claim(ledger)
    monkeypatch.setattr(statements, "datetime", Fast)
    assert ledger.claim(alive.batch.id, "you") is None


def test_a_lease_that_ran_out_and_was_not_taken_can_be_renewed(ledger: Ledger) -> None:
    slow = a_claim(ledger, seconds=0)
    ledger.renew(slow, 30)
    assert ledger.claim(slow.batch.id, "you") is None


USES: dict[str, Callable[[Ledger, Claim], object]] = {
    "renew": lambda ledger, claim: ledger.renew(claim, 30),
    "release": lambda ledger, claim: ledger.release(claim),
    "describe": lambda ledger, claim: ledger.describe(claim, sha256="stale"),
    "put": lambda ledger, claim: ledger.put(claim, [a_chunk("stale", 1)]),
    "put nothing": lambda ledger, claim: ledger.put(claim, []),
    "finish": lambda ledger, claim: ledger.finish(claim, State.DELIVERED),
    "drop duplicate": lambda ledger, claim: ledger.drop_duplicate(claim, a_batch(ledger, version="0").id),
}
ENDS: dict[str, Callable[[Ledger, Claim], object]] = {
    "released": lambda ledger, claim: ledger.release(claim),
    "finished": lambda ledger, claim: ledger.finish(claim, State.PARTIAL),
    "forgotten": lambda ledger, claim: ledger.drop_duplicate(claim, a_batch(ledger, version="9").id),
}


@pytest.mark.parametrize("use", USES)
def test_a_claim_that_was_taken_over_changes_nothing(ledger: Ledger, use: str) -> None:
    stale = a_claim(ledger, seconds=0)
    a_claim(ledger, stale.batch, stale.owner)
    before, lease = ledger.batch(stale.batch.id), ledger.in_progress(stale.batch.id)
    with pytest.raises(LeaseLost):
        USES[use](ledger, stale)
    assert (ledger.batch(stale.batch.id), ledger.in_progress(stale.batch.id)) == (before, lease)
    assert list(ledger.chunks(stale.batch.id)) == []


@pytest.mark.parametrize("end", ENDS)
def test_a_claim_that_ended_commits_nothing(ledger: Ledger, end: str) -> None:
    ended = a_claim(ledger)
    ENDS[end](ledger, ended)
    with pytest.raises(LeaseLost):
        ledger.put(ended, [a_chunk("stale", 1)])
    assert list(ledger.chunks(ended.batch.id)) == []


def test_nobody_takes_over_between_the_fence_and_the_commit(ledger: Ledger) -> None:
    slow = a_claim(ledger, seconds=0)
    with ThreadPoolExecutor(1) as pool:
        with database.write(ledger._engine, "a test") as connection:
            statements.fence(connection, slow)
            taking_over = pool.submit(a_claim, ledger, slow.batch, "you")
            with pytest.raises(TimeoutError):
                taking_over.result(0.3)
            statements.put_chunks(connection, slow.batch.id, [a_chunk("in time", 1)])
        assert taking_over.result(10).token == 2
    assert [chunk.id for chunk in ledger.chunks(slow.batch.id)] == ["in time"]


def test_a_claim_writes_down_what_becomes_known(ledger: Ledger) -> None:
    claim = a_claim(ledger)
    ledger.describe(claim, sha256="5" * 64, config="c" * 64)
    ledger.describe(claim, rows_read=3_000_000_000, rows_invalid=0)
    assert ledger.batch(claim.batch.id) == replace(
        claim.batch, sha256="5" * 64, config="c" * 64, rows_read=3_000_000_000, rows_invalid=0
    )


def test_a_finished_batch_is_closed_and_free(ledger: Ledger) -> None:
    claim = a_claim(ledger)
    closed = ledger.finish(claim, State.FAILED, "file.quote: line 7\0")
    assert closed == ledger.batch(claim.batch.id)
    assert (closed.state, closed.reason) == (State.FAILED, "file.quote: line 7?")
    assert closed.started_at is not None
    assert closed.finished_at is not None
    assert closed.received_at <= closed.started_at <= closed.finished_at
    assert ledger.in_progress(closed.id) is None
    assert ledger.claim(closed.id, "you") is None


def test_a_batch_is_closed_at_the_time_that_its_receipt_says(ledger: Ledger) -> None:
    at = datetime(2026, 11, 23, 3, 4, 5, 678901, tzinfo=UTC)
    assert ledger.finish(a_claim(ledger), State.DELIVERED, None, at).finished_at == at


def test_a_run_that_got_further_owes_no_crash_to_those_before_it(ledger: Ledger) -> None:
    batch = a_batch(ledger)
    a_claim(ledger, batch, seconds=0)  # and the process dies
    second = a_claim(ledger, batch)
    ledger.progressed(second)
    ledger.release(second)
    assert a_claim(ledger, batch).attempts == 1


def test_chunks_and_what_became_known_with_them_are_one_commit(ledger: Ledger) -> None:
    claim = a_claim(ledger)
    ledger.put(claim, [a_chunk("check", 1, 2)], rows_read=2, reason=None)
    found = ledger.batch(claim.batch.id)
    assert found is not None
    assert found.rows_read == 2
    assert [chunk.id for chunk in ledger.chunks(claim.batch.id)] == ["check"]


def test_attempts_count_crashes_only(ledger: Ledger) -> None:
    batch = a_batch(ledger)
    assert a_claim(ledger, batch, seconds=0).attempts == 1  # and the process dies
    second = a_claim(ledger, batch)
    assert second.attempts == 2
    ledger.release(second)  # a stop in order
    third = a_claim(ledger, batch)
    assert third.attempts == 2
    ledger.release(third, crashed=True)
    fourth = a_claim(ledger, batch)
    assert fourth.attempts == 3
    ledger.reopen(ledger.finish(fourth, State.PARTIAL), [], config=None)
    assert a_claim(ledger, batch).attempts == 1


def test_a_closed_batch_is_reopened_once_with_what_it_owes(ledger: Ledger) -> None:
    claim = a_claim(ledger)
    ledger.describe(claim, config="old", sha256="5")
    ledger.put(claim, [a_chunk("sent", 1, 2)])
    closed = ledger.finish(claim, State.PARTIAL, "why")
    again = a_chunk("again", 2)
    assert ledger.reopen(closed, [again], config="new")
    assert ledger.batch(closed.id) == replace(closed, state=State.QUEUED, finished_at=None, reason=None, config="new")
    assert not ledger.reopen(closed, [again], config="new")
    assert [plain(chunk) for chunk in ledger.chunks(closed.id)] == [plain(a_chunk("sent", 1, 2)), plain(again)]
    rerun = a_claim(ledger, closed)
    assert (rerun.token, rerun.batch.config, rerun.batch.started_at) == (2, "new", closed.started_at)


@pytest.mark.parametrize("seconds", [0, 30])
def test_only_a_closed_batch_is_reopened(ledger: Ledger, seconds: float) -> None:
    batch = a_batch(ledger)
    assert not ledger.reopen(batch, [], config=None)
    a_claim(ledger, batch, seconds=seconds)
    assert not ledger.reopen(batch, [a_chunk("again", 2)], config=None)
    assert list(ledger.chunks(batch.id)) == []


def test_what_was_closed_again_since_it_was_seen_is_not_reopened(ledger: Ledger) -> None:
    seen = ledger.finish(a_claim(ledger), State.PARTIAL)
    assert ledger.reopen(seen, [a_chunk("again", 2)], config=None)
    ledger.finish(a_claim(ledger, seen), State.DELIVERED)
    assert not ledger.reopen(seen, [a_chunk("once more", 2)], config=None)
    assert [chunk.id for chunk in ledger.chunks(seen.id)] == ["again"]


def test_a_rerun_keeps_the_config_unless_told(ledger: Ledger) -> None:
    claim = a_claim(ledger)
    ledger.describe(claim, config="old")
    assert ledger.reopen(ledger.finish(claim, State.PARTIAL), [], config=None)
    assert a_claim(ledger, claim.batch).batch.config == "old"


def test_every_run_of_a_batch_is_written_down(ledger: Ledger, ledger_url: str) -> None:
    batch = a_batch(ledger)
    a_claim(ledger, batch, "one", seconds=0)
    second = a_claim(ledger, batch, "two")
    ledger.describe(second, config="old")
    ledger.reopen(ledger.finish(second, State.PARTIAL), [], config="new")
    a_claim(ledger, batch, "three", seconds=0)
    a_claim(ledger, batch, "four")
    engine = create_engine(ledger_url)
    with engine.connect() as connection:
        query = select(runs.c.token, runs.c.trigger, runs.c.owner, runs.c.config).order_by(runs.c.token)
        assert [tuple(row) for row in connection.execute(query)] == [
            (1, Trigger.FIRST, "one", None),
            (2, Trigger.RESUME, "two", "old"),
            (3, Trigger.RERUN, "three", "new"),
            (4, Trigger.RESUME, "four", "new"),
        ]
    engine.dispose()
