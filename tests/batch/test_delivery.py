"""What becomes of the records of one request, over real connections, with every commit looked at."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email.utils import format_datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.destination import HANG, OK, RESET, Answer, Call, Destination, destination, rows_of
from support.installation import NO_WAITS

from batch import http
from batch.account import Account
from batch.caller import Caller
from batch.chunk import Chunk, ChunkState
from batch.commits import Commits
from batch.delivery import Delivery
from batch.lane import Lane
from batch.outcome import Outcome
from batch.parcel import Parcel
from batch.retry import Policy
from config.limits import USUAL
from integrations.catalog import CATALOG
from integrations.integration import Connection, Integration, Limits, Resend

WEBHOOK = CATALOG["webhook"]
BARE = replace(WEBHOOK, resend=Resend.BARE)
MAYBE = (500, 502, 504, 507)  # answers of which nobody knows what was stored before them


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batch.retry._BACKOFF", NO_WAITS)


def records(count: int, start: int = 1) -> Parcel:
    rows = np.arange(start, start + count, dtype=np.int64)
    return Parcel(rows, pl.Series([json.dumps({"id": int(row)}) for row in rows], dtype=pl.String))


@dataclass
class Sending:
    """A lane with its delivery, and every state of every chunk that was committed, in order."""

    base: str
    integration: Integration = WEBHOOK
    in_flight: int = 1
    per_second: float = 10_000
    timeout: float = 5
    policy: Policy = field(default_factory=lambda: Policy(tries=3, patience=5))
    committed: list[Chunk] = field(default_factory=list)
    stopped: object = None

    def send(self, *parcels: Parcel, former: Chunk | None = None) -> list[bool]:
        return asyncio.run(self._send(parcels, former))

    async def _send(self, parcels: Sequence[Parcel], former: Chunk | None) -> list[bool]:
        connection = Connection({"url": self.base}, WEBHOOK.sample.credentials)
        limits = Limits(500, 5_000_000, self.per_second, self.in_flight)
        lane = Lane("hook", self.integration, connection, limits)
        async with http.session(8) as client, Commits(self.committed.extend) as commits:
            caller = Caller(lane, client, self.policy, http.Bounds(self.timeout))
            delivery = Delivery(lane, caller, commits, self.policy)
            done = [asyncio.ensure_future(delivery.send(one, former)) for one in parcels]
            try:
                return await asyncio.gather(*done)
            finally:
                self.stopped = lane.stopped

    @property
    def last(self) -> list[Chunk]:
        """Every chunk as the ledger would have it now."""
        return list({chunk.id: chunk for chunk in self.committed}.values())

    @property
    def account(self) -> Account:
        return Account(max((int(c.rows[-1]) for c in self.last if len(c.rows)), default=0), self.last)

    def rows(self, *outcomes: Outcome) -> list[int]:
        return [int(row) for row in self.account.rows(*outcomes)]

    @property
    def codes(self) -> set[str]:
        return {finding.code for finding in self.account.findings()}

    @property
    def messages(self) -> str:
        return " ".join(finding.message for finding in self.account.findings())


# --- accepted


def test_records_that_are_taken_are_delivered_and_the_intent_stands_first() -> None:
    seen: list[int] = []
    with destination() as there:
        sending = Sending(there.base)
        there.script(then=lambda call: (seen.append(len(sending.committed)), OK)[1])
        assert sending.send(records(3)) == [True]
    opened, closed = sending.committed
    assert seen == [1]  # when the request came, one commit had been made: that of the open chunk
    assert (opened.state, opened.key, opened.payload) == (ChunkState.OPEN, closed.key, closed.payload)
    assert (closed.state, closed.outcome, closed.requests) == (ChunkState.CLOSED, Outcome.DELIVERED, 1)
    assert opened.key == there.calls[0].key
    assert (there.rows(), sending.rows(Outcome.DELIVERED)) == ([1, 2, 3], [1, 2, 3])


def test_no_more_requests_are_in_flight_than_allowed() -> None:
    with destination(then=Answer(after=0.03)) as there:
        sending = Sending(there.base, in_flight=3)
        sending.send(*(records(1, n) for n in range(1, 13)))
    assert there.most_at_once == 3
    assert sorted(there.rows()) == list(range(1, 13))


def test_requests_leave_no_faster_than_allowed() -> None:
    with destination() as there:
        Sending(there.base, in_flight=8, per_second=20).send(*(records(1, n) for n in range(1, 9)))
    times = sorted(call.at for call in there.calls)
    assert times[-1] - times[0] >= 7 / 20 - 0.05


# --- part of it accepted


def test_records_that_are_refused_by_index_are_rejected_and_the_others_delivered() -> None:
    errors = [{"index": 4, "code": "Bad Mail", "message": "no"}, {"index": 0, "code": "", "message": "=1+1"}]
    with destination(Answer.json({"errors": errors})) as there:
        sending = Sending(there.base)
        sending.send(records(6, start=11))
    assert sending.rows(Outcome.REJECTED) == [11, 15]
    assert sending.rows(Outcome.DELIVERED) == [12, 13, 14, 16]
    assert sending.codes == {"rejected.bad_mail", "rejected.other"}


@given(st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_record_has_one_outcome_whatever_indexes_are_named(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 8))
    named = data.draw(st.lists(st.one_of(st.integers(-2, 9), st.sampled_from(["0", None, 1.0, True])), max_size=5))
    with shared() as there:
        there.script(Answer.json({"errors": [{"index": it, "code": "x", "message": "y"} for it in named]}))
        sending = Sending(there.base)
        sending.send(records(count))
    sound = all(type(it) is int and 0 <= it < count for it in named) and len(set(named)) == len(named)
    if sound:
        assert sending.rows(Outcome.REJECTED) == sorted(it + 1 for it in named)
        assert len(sending.rows(Outcome.DELIVERED)) == count - len(named)
    else:
        assert sending.rows(Outcome.UNKNOWN) == list(range(1, count + 1))


_SHARED: list[Destination] = []


@contextmanager
def shared() -> Iterator[Destination]:
    """One destination for all examples of a property, since starting one takes longer than an example."""
    if _SHARED:
        yield _SHARED[0]
        return
    with destination() as there:
        _SHARED.append(there)
        try:
            yield there
        finally:
            _SHARED.clear()


# --- nobody knows


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        pytest.param(HANG, "no_answer", "no whole answer came within 0.5 s", id="silence"),
        pytest.param(RESET, "no_answer", "the connection broke after sending", id="reset"),
        pytest.param(Answer(then="drip"), "no_answer", "no whole answer", id="never-ending"),
        pytest.param(Answer(body=b"<html>Log in</html>"), "bad_answer", "HTML", id="html"),
        pytest.param(Answer(body=b" " * (USUAL.reply + 1)), "bad_answer", "larger than 16,777,216 bytes", id="huge"),
        pytest.param(Answer(body=b"\x1f\x8b\x08"), "bad_answer", "not JSON", id="gzip"),
        pytest.param(Answer(body=b"[" * 100_000), "bad_answer", "HTTP 200", id="deep"),
        pytest.param(Answer.json({"errors": 5}), "bad_answer", "HTTP 200", id="odd errors"),
        pytest.param(Answer.json({"errors": [{"index": 99}]}), "bad_answer", "was not sent", id="unknown index"),
    ],
)
@pytest.mark.usefixtures("quick")
def test_what_may_have_been_taken_is_unknown_and_not_sent_again(answer: Answer, code: str, words: str) -> None:
    with destination(then=answer) as there:
        sending = Sending(there.base, timeout=0.5 if answer.then in ("hang", "drip") else 5)
        sending.send(records(2))
    assert len(there.calls) == 1
    assert sending.rows(Outcome.UNKNOWN) == [1, 2]
    assert sending.codes == {code}
    assert words in sending.messages


def test_a_destination_that_never_answers_is_left_alone_after_three_requests() -> None:
    with destination(then=HANG) as there:
        sending = Sending(there.base, timeout=0.2, in_flight=1)
        sending.send(*(records(1, n) for n in range(1, 7)))
    assert len(there.calls) == 3
    assert sending.rows(Outcome.UNKNOWN) == [1, 2, 3]
    assert sending.rows(Outcome.FAILED) == [4, 5, 6]  # never sent, and safe to rerun
    assert sending.codes == {"no_answer", "unavailable"}


# --- not taken, tried again


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("status", [503, 500, 502, 504])
def test_a_burst_of_errors_is_outlived_under_one_key(status: int) -> None:
    with destination(Answer(status), Answer(status)) as there:
        sending = Sending(there.base)
        sending.send(records(2))
    assert sending.rows(Outcome.DELIVERED) == [1, 2]
    assert len({call.key for call in there.calls}) == 1
    assert len({call.body for call in there.calls}) == 1
    (chunk,) = sending.last
    assert chunk.requests == 3
    assert chunk.possible_duplicates == (2 if status in MAYBE else 0)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("status", [503, 500])
def test_tries_are_counted_and_used_up(status: int) -> None:
    with destination(then=Answer(status)) as there:
        sending = Sending(there.base)
        sending.send(records(2))
    assert len(there.calls) == 3
    assert sending.rows(Outcome.FAILED) == [1, 2]
    assert sending.codes == {"unavailable"}


@pytest.mark.parametrize("status", MAYBE)
def test_a_bare_destination_is_not_asked_twice_when_it_may_have_taken_the_records(status: int) -> None:
    with destination(Answer(status)) as there:
        sending = Sending(there.base, integration=BARE)
        sending.send(records(2))
    assert len(there.calls) == 1
    assert sending.rows(Outcome.UNKNOWN) == [1, 2]


@pytest.mark.usefixtures("quick")
def test_a_bare_destination_is_asked_again_when_it_cannot_have_taken_them() -> None:
    with destination(Answer(503), Answer(429)) as there:
        sending = Sending(there.base, integration=BARE)
        sending.send(records(2))
    assert len(there.calls) == 3
    assert sending.rows(Outcome.DELIVERED) == [1, 2]
    assert sending.last[0].possible_duplicates == 0


@pytest.mark.usefixtures("quick")
def test_a_destination_that_is_not_there_is_tried_and_given_up() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        sending = Sending(f"http://127.0.0.1:{closed.getsockname()[1]}")
        sending.send(records(2))
    (chunk,) = sending.last
    assert (chunk.requests, chunk.possible_duplicates) == (3, 0)
    assert sending.rows(Outcome.FAILED) == [1, 2]
    assert sending.codes == {"unreachable"}


@pytest.mark.usefixtures("quick")
def test_three_in_a_row_that_give_up_stop_the_lane() -> None:
    with destination(then=Answer(503)) as there:
        sending = Sending(there.base)
        sending.send(*(records(1, n) for n in range(1, 8)))
    assert len(there.calls) == 3 * 3
    assert sending.rows(Outcome.FAILED) == [1, 2, 3, 4, 5, 6, 7]
    assert sum(chunk.requests for chunk in sending.last) == 9
    assert "not sent, because the integration was stopped" in sending.messages


@pytest.mark.usefixtures("quick")
def test_a_success_in_between_forgives_the_strikes() -> None:
    down = [Answer(503)] * 3
    with destination(*down, *down, OK, *down, *down, OK) as there:
        sending = Sending(there.base)
        sending.send(*(records(1, n) for n in range(1, 7)))
    assert sending.rows(Outcome.DELIVERED) == [3, 6]
    assert sending.stopped is None


# --- asked to wait


def test_seconds_of_retry_after_are_kept() -> None:
    with destination(Answer(429, headers={"retry-after": "1"})) as there:
        sending = Sending(there.base)
        sending.send(records(1))
    first, second = there.calls
    assert 1.0 <= second.at - first.at < 1.8
    assert sending.rows(Outcome.DELIVERED) == [1]


def test_a_date_of_retry_after_is_kept() -> None:
    from datetime import UTC, datetime, timedelta

    now = datetime.now(UTC)
    until = now.replace(microsecond=0) + timedelta(seconds=2)  # HTTP dates have no fractions
    with destination(Answer(503, headers={"retry-after": format_datetime(until, usegmt=True)})) as there:
        Sending(there.base).send(records(1))
    first, second = there.calls
    assert (until - now).total_seconds() - 0.3 <= second.at - first.at < 3


def test_the_whole_lane_waits_when_one_request_is_told_to() -> None:
    def busy(call: Call) -> Answer:
        return Answer(429, headers={"retry-after": "1"})

    with destination(busy) as there:
        sending = Sending(there.base, in_flight=2)
        sending.send(*(records(1, n) for n in range(1, 9)))
    told = there.calls[0].at
    early = [call for call in there.calls[1:] if call.at < told + 0.95]
    assert len(early) <= 2  # what was on its way already
    assert len(sending.rows(Outcome.DELIVERED)) == 8


def test_slow_downs_are_no_tries_and_last_as_long_as_patience() -> None:
    busy = Answer(429, headers={"retry-after": "0.2"})
    with destination(*[busy] * 6) as there:
        sending = Sending(there.base, policy=Policy(tries=2, patience=5))
        sending.send(records(1))
        assert sending.rows(Outcome.DELIVERED) == [1]
        there.script(then=busy)
        impatient = Sending(there.base, policy=Policy(tries=100, patience=0.5))
        started = time.monotonic()
        impatient.send(records(1))
    assert time.monotonic() - started < 1.5
    assert impatient.rows(Outcome.FAILED) == [1]
    assert impatient.codes == {"slow_down"}


@pytest.mark.parametrize(("status", "code"), [(429, "slow_down"), (503, "unavailable")])
def test_a_destination_that_asks_for_more_than_patience_is_not_asked_again(status: int, code: str) -> None:
    with destination(then=Answer(status, headers={"retry-after": "999999"})) as there:
        sending = Sending(there.base)
        sending.send(*(records(1, n) for n in range(1, 5)))
    assert len(there.calls) == 1
    assert sending.rows(Outcome.FAILED) == [1, 2, 3, 4]
    assert sending.codes == {code}


def test_what_was_asked_for_last_holds_for_the_next_request() -> None:
    with destination(Answer(503, headers={"retry-after": "0.5"})) as there:
        sending = Sending(there.base, policy=Policy(tries=1, patience=5))
        sending.send(records(1), records(1, 2))
    first, second = there.calls
    assert second.at - first.at >= 0.5
    assert (sending.rows(Outcome.FAILED), sending.rows(Outcome.DELIVERED)) == ([1], [2])


def test_a_wait_beyond_patience_is_given_up_at_once() -> None:
    with destination(then=Answer(429, headers={"retry-after": "3600"})) as there:
        sending = Sending(there.base)
        started = time.monotonic()
        sending.send(records(1))
    assert time.monotonic() - started < 1
    assert len(there.calls) == 1
    assert sending.rows(Outcome.FAILED) == [1]


# --- no way in


@pytest.mark.parametrize(
    ("status", "code"),
    [(status, "auth.refused") for status in (401, 403)] + [(it, "address.refused") for it in (302, 404, 405, 410)],
)
def test_a_closed_door_stops_the_lane(status: int, code: str) -> None:
    with destination(then=Answer(status, headers={"location": "/elsewhere"})) as there:
        sending = Sending(there.base)
        sending.send(*(records(2, n) for n in range(1, 20, 2)))
    assert len(there.calls) == 1
    assert sending.rows(Outcome.FAILED) == list(range(1, 21))
    assert sending.codes == {code}


def test_what_was_on_its_way_when_the_door_closed_keeps_its_own_answer() -> None:
    slow = Answer(after=0.3)
    with destination(slow, Answer(401, after=0.05), then=OK) as there:
        sending = Sending(there.base, in_flight=2)
        sending.send(*(records(1, n) for n in range(1, 6)))
    assert len(sending.rows(Outcome.DELIVERED)) == 1
    assert len(sending.rows(Outcome.FAILED)) == 4
    assert len(there.calls) == 2


# --- refused whole


def refusing(bad: Collection[int], status: int = 400) -> Callable[[Call], Answer]:
    """Refuse each request that has one of these records in it."""
    no = Answer.json({"message": "one of them is bad"}, status)
    return lambda call: no if bad & set(rows_of([call])) else OK


@pytest.mark.parametrize("status", [400, 409, 413, 422])
def test_one_bad_record_in_500_is_found(status: int) -> None:
    with destination(then=refusing({217}, status)) as there:
        sending = Sending(there.base)
        sending.send(records(500))
    assert sending.rows(Outcome.REJECTED) == [217]
    assert len(sending.rows(Outcome.DELIVERED)) == 499
    assert len(there.calls) <= 2 * 9 + 1  # both halves of nine halvings, and the first
    assert sum(chunk.requests for chunk in sending.last) == len(there.calls)
    assert (sending.codes, sending.stopped) == ({"refused"}, None)


def test_every_request_of_a_split_has_a_key_of_its_own() -> None:
    with destination(then=refusing({3})) as there:
        Sending(there.base).send(records(8))
    assert len({call.key for call in there.calls}) == len(there.calls)


@given(bad=st.sets(st.integers(1, 40), max_size=40), count=st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_splitting_never_refuses_a_good_record_nor_delivers_a_bad_one(bad: set[int], count: int) -> None:
    with shared() as there:
        there.calls.clear()
        there.script(then=refusing(bad))
        sending = Sending(there.base)
        sending.send(records(count))
        taken = [row for call in there.calls if not bad & set(rows_of([call])) for row in rows_of([call])]
    delivered = sending.rows(Outcome.DELIVERED)
    assert sorted(taken) == delivered  # each once, and nothing else
    rejected, failed = sending.rows(Outcome.REJECTED), sending.rows(Outcome.FAILED)
    assert set(rejected) <= bad
    assert sorted([*delivered, *rejected, *failed]) == list(range(1, count + 1))
    assert len(there.calls) <= 65
    if len(bad) <= 3:
        assert not failed


def test_two_bad_records_in_500_are_found() -> None:
    with destination(then=refusing({1, 499})) as there:
        sending = Sending(there.base)
        sending.send(records(500))
    assert sending.rows(Outcome.REJECTED) == [1, 499]
    assert len(there.calls) <= 2 * 2 * 9


def test_a_fuse_ends_the_search_when_every_record_is_refused() -> None:
    with destination(then=Answer(400)) as there:
        sending = Sending(there.base)
        sending.send(records(500))
    assert len(there.calls) == 65
    assert sorted(sending.rows(Outcome.REJECTED, Outcome.FAILED)) == list(range(1, 501))
    assert sending.codes == {"refused", "refused.together"}
    assert "refused together with" in sending.messages


def test_a_split_goes_no_further_when_the_door_closes() -> None:
    with destination(Answer(400), Answer(401)) as there:
        sending = Sending(there.base)
        sending.send(records(8))
    assert len(there.calls) == 2
    assert sending.rows(Outcome.FAILED) == list(range(1, 9))
    assert sending.codes == {"auth.refused"}


# --- stopping


def stopped_after(seconds: float, policy: Policy) -> threading.Timer:
    timer = threading.Timer(seconds, policy.stopping.set)
    timer.start()
    return timer


def test_nothing_is_sent_once_the_program_is_stopping() -> None:
    policy = Policy()
    policy.stopping.set()
    with destination() as there:
        sending = Sending(there.base, policy=policy)
        assert sending.send(records(1)) == [False]
    assert (there.calls, sending.committed) == ([], [])


def test_what_is_in_flight_when_the_program_stops_is_seen_through() -> None:
    policy = Policy()
    with destination(then=Answer(after=0.6)) as there:
        sending = Sending(there.base, policy=policy, in_flight=1)
        timer = stopped_after(0.2, policy)
        sending.send(records(1), records(1, 2), records(1, 3))
        timer.join()
    assert len(there.calls) == 1
    assert sending.rows(Outcome.DELIVERED) == [1]
    assert not sending.rows(Outcome.FAILED, Outcome.UNKNOWN)


@pytest.mark.parametrize("answer", [Answer(429, headers={"retry-after": "20"}), Answer(503)], ids=["429", "503"])
def test_waiting_ends_when_the_program_stops_and_nothing_is_tried_again(answer: Answer) -> None:
    policy = Policy(tries=100, patience=60)
    with destination(then=answer) as there:
        sending = Sending(there.base, policy=policy, in_flight=2)
        timer = stopped_after(0.7, policy)
        started = time.monotonic()
        sending.send(*(records(1, n) for n in range(1, 6)))
        ended = time.monotonic()
        timer.join()
    assert ended - started < 2.5
    assert all(call.at < started + 0.9 for call in there.calls)
    assert not sending.rows(*Outcome)  # owed, all of them
    assert not sending.account.in_doubt()


@pytest.mark.usefixtures("quick")
def test_what_may_have_been_taken_when_the_program_stops_stays_in_doubt_under_its_key() -> None:
    policy = Policy(tries=1000)

    def failing(call: Call) -> Answer:
        if len(there.calls) == 3:
            policy.stopping.set()
        return Answer(500)

    with destination(then=failing) as there:
        sending = Sending(there.base, policy=policy)
        sending.send(records(2))
    assert len(there.calls) == 3
    assert not sending.rows(*Outcome)
    (doubtful,) = sending.account.in_doubt()
    assert (doubtful.key, doubtful.requests) == (there.calls[0].key, 3)


def test_a_split_stops_with_the_program_and_owes_the_rest() -> None:
    policy = Policy()

    def refusing_then_stopping(call: Call) -> Answer:
        if len(there.calls) == 3:
            policy.stopping.set()
        return Answer(400)

    with destination(then=refusing_then_stopping) as there:
        sending = Sending(there.base, policy=policy)
        sending.send(records(16))
    assert len(there.calls) == 3
    assert not sending.rows(Outcome.FAILED, Outcome.UNKNOWN, Outcome.DELIVERED)
    assert not sending.account.in_doubt()


# --- sent again after a kill


def test_an_unanswered_chunk_goes_out_under_its_former_key_and_is_counted() -> None:
    with destination() as there:
        dead = Sending(there.base)
        former = replace(dead_chunk(records(3)), key="former-key")
        dead.send(records(3), former=former)
    assert there.calls[0].key == "former-key"
    (chunk,) = dead.last
    assert (chunk.key, chunk.possible_duplicates, chunk.outcome) == ("former-key", 3, Outcome.DELIVERED)


def test_another_payload_never_goes_out_under_a_former_key() -> None:
    with destination() as there:
        sending = Sending(there.base)
        sending.send(records(3), former=replace(dead_chunk(records(3)), key="former-key", payload="of another mapping"))
    assert there.calls[0].key != "former-key"
    assert sending.last[0].possible_duplicates == 3


def test_an_unanswered_chunk_that_cannot_go_out_again_keeps_its_key_and_stays_a_possible_duplicate() -> None:
    with destination(Answer(401)) as there:
        sending = Sending(there.base)
        former = replace(dead_chunk(records(3)), key="former-key")
        sending.send(records(3, start=4), records(3), former=former)
    chunk = next(chunk for chunk in sending.last if chunk.key == "former-key" and 1 in chunk.rows)
    assert (chunk.outcome, chunk.requests, chunk.possible_duplicates) == (Outcome.FAILED, 0, 3)


@pytest.mark.usefixtures("quick")
def test_what_a_try_before_the_refusal_may_have_stored_counts_for_every_half() -> None:
    with destination(Answer(502), then=refusing({1})) as there:
        sending = Sending(there.base)
        sending.send(records(4))
    assert sending.rows(Outcome.DELIVERED) == [2, 3, 4]
    assert sending.account.possible_duplicates == 4


def dead_chunk(sent: Parcel) -> Chunk:
    return Chunk("dead", "hook", sent.rows, ChunkState.OPEN, key="key", payload=sent.payload)


# --- every integration


@pytest.mark.parametrize(
    ("kind", "body"),
    [(kind, b"<p>") for kind in CATALOG]
    + [(kind, body) for kind in ("mailchimp", "hubspot") for body in (b"", b"null", b"[]", b"{}")],
)
def test_nonsense_is_never_taken_for_a_yes(kind: str, body: bytes) -> None:
    integration = CATALOG[kind]
    identity = None if not integration.identity else pl.Series(["a@example.com"])
    one = Parcel(np.array([1]), pl.Series(['{"a":1}']), identity)
    address = integration.url[1 : integration.url.index("}")]

    async def go(base: str, committed: list[Chunk]) -> None:
        sample = integration.sample
        connection = Connection({**sample.settings, address: base}, sample.credentials)
        lane = Lane("it", integration, connection, integration.limits)
        async with http.session(1) as client, Commits(committed.extend) as commits:
            caller = Caller(lane, client, Policy(), http.Bounds(5))
            await Delivery(lane, caller, commits, Policy()).send(one)

    committed: list[Chunk] = []
    with destination(then=Answer(body=body)) as there:
        asyncio.run(go(there.base, committed))
    assert committed[-1].outcome is Outcome.UNKNOWN
