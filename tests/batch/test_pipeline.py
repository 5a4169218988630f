"""The way of a batch, end to end: what came, what the destinations took, and what the receipt says must agree."""

from __future__ import annotations

import bz2
import gzip
import itertools
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, update
from support.destination import Answer, Call, Destination, destination
from support.installation import (
    KEY,
    MAPPINGS,
    NO_WAITS,
    Installation,
    counts,
    enabled,
    identities,
    made,
    people,
    table,
    to,
)
from support.zones import Bucket, Folder, Zone

from batch import database, results
from batch.batch import Drop, State
from batch.chunk import Chunk
from batch.claim import Claim
from batch.errors import LeaseLost, LedgerError
from batch.ledger import Ledger
from batch.outcome import Outcome
from batch.pipeline import process
from batch.receipt import Books, compose
from batch.tables import batches
from integrations.catalog import CATALOG
from integrations.integration import Resend
from integrations.sandbox import Faults, running

pytest_plugins = ("support.ledgers",)

FILE = f"{KEY}/a.csv"
KINDS = tuple(MAPPINGS)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batch.retry._BACKOFF", NO_WAITS)


@pytest.fixture
def there() -> Iterator[Destination]:
    with destination() as there:
        yield there


@pytest.fixture(params=["folder", "s3"])
def zone(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zone:
    return Folder(tmp_path / "drop") if request.param == "folder" else Bucket.make(monkeypatch, "some/prefix")


def everywhere(home: Path, base: str, zone: Zone | None = None, **settings: Any) -> Installation:
    """An installation that delivers to every integration of the catalog, in the sandbox."""
    pace = {"batch_size": 20, "in_flight": 3, "timeout": 1, **settings}
    return made(home, zone, **{kind: enabled(kind, base, settings=pace) for kind in KINDS})


def mixed(count: int) -> bytes:
    """Return people of whom some break a rule, and some are refused by the destinations."""
    mails = {3: "not an address", 5: "a@rejected.example", 7: "", 11: "b@rejected.example"}
    return table([n, mails.get(n, f"p{n}@example.com")] for n in range(1, count + 1))


def expect_agreement(receipt: dict[str, Any], base: str, rows: int) -> None:
    """Hold input, the sandbox's journal and the receipt against each other."""
    assert receipt["rows"]["read"] == rows == receipt["rows"]["valid"] + receipt["rows"]["invalid"]
    for kind in KINDS:
        share = receipt["integrations"][kind]
        assert sum(share[outcome] for outcome in Outcome) == receipt["rows"]["valid"], kind
        taken = Counter(identities(base, kind))
        assert set(taken) <= set(range(1, rows + 1))
        doubled = sum(n - 1 for n in taken.values())
        assert doubled <= share["possible_duplicates"], kind
        # what it took stands as delivered, or as unknown; and all that stands as delivered it took
        assert share["delivered"] <= len(taken) <= share["delivered"] + share["unknown"], kind


# --- a clean run, on everything


def test_input_journal_and_receipt_agree(tmp_path: Path, zone: Zone, ledger_url: str) -> None:
    with running() as base:
        it = everywhere(tmp_path, base, zone)
        it.ledger = ledger_url
        it.write()
        it.drop(FILE, mixed(60))
        receipt = it.one()
        expect_agreement(receipt, base, 60)
        for kind in KINDS:
            assert sorted(identities(base, kind)) == [n for n in range(1, 61) if n not in (3, 5, 7, 11)]
            assert counts(receipt, kind) == {"delivered": 56, "rejected": 2}
    assert receipt["rows"] == {"read": 60, "valid": 58, "invalid": 2}
    assert receipt["state"] == "partial"
    written = json.loads(zone.read(f"{KEY}/_results/a.{receipt['batch']}/receipt.json"))
    assert written == receipt
    lines = it.undelivered(receipt)
    assert {(line["_row"], line["_integration"]) for line in lines} == {
        *(("3", ""), ("7", "")),
        *((row, kind) for row in ("5", "11") for kind in KINDS),
    }
    assert {line["email"] for line in lines if line["_row"] == "3"} == {"not an address"}


@pytest.mark.parametrize(
    "faults",
    [
        "mailchimp=503x2,hubspot=401,webhook=hangx1",
        "mailchimp=reset x1,hubspot=503x4,webhook=500x1".replace(" ", ""),
        "mailchimp=html,hubspot=emptyx1,webhook=429x1",
        "mailchimp=400x1,hubspot=409x3,webhook=502",
        "mailchimp=hang,hubspot=resetx2,webhook=down",
    ],
)
def test_every_row_is_accounted_for_whatever_goes_wrong(tmp_path: Path, faults: str) -> None:
    with running(faults=Faults.parse(faults)) as base:
        it = everywhere(tmp_path, base, timeout=0.4)
        it.drop(FILE, mixed(90))
        expect_agreement(it.one(), base, 90)


def test_a_whole_refusal_by_hubspot_finds_its_culprit(tmp_path: Path) -> None:
    with running() as base:
        it = made(tmp_path, crm=enabled("hubspot", base))
        it.drop(FILE, table([n, f"p{n}@{'conflict' if n == 37 else 'fine'}.example"] for n in range(1, 101)))
        receipt = it.one()
        assert counts(receipt, "crm") == {"delivered": 99, "rejected": 1}
        assert receipt["integrations"]["crm"]["requests"] <= 15
        assert sorted(identities(base, "hubspot")) == [n for n in range(1, 101) if n != 37]
    assert [line["_row"] for line in it.undelivered(receipt)] == ["37"]


# --- killed at any moment


class Killed(BaseException):
    """The process ends here: nothing in the program may catch it."""


def runs_until(it: Installation, moment: int, patch: pytest.MonkeyPatch) -> bool:
    """Run, and die in place of the write to the ledger that comes after `moment` others; false when it ended first."""
    counted = itertools.count()
    original = database.write

    def write(engine: Engine, name: str) -> AbstractContextManager[Connection]:
        if next(counted) >= moment:
            raise Killed
        return original(engine, name)

    patch.setattr(database, "write", write)
    died = False
    try:
        it.run()
    except* Killed:
        died = True
    finally:
        patch.setattr(database, "write", original)
    return died


def expire(it: Installation) -> None:
    """Let the time pass after which a dead process's lease has run out."""
    with it.opened() as runtime, database.write(runtime.ledger._engine, "a test") as connection:
        connection.execute(update(batches).values(lease_until=None))


@pytest.mark.parametrize("kind", KINDS)
def test_a_kill_between_any_two_commits_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    with running() as base:
        it = made(tmp_path, **{kind: enabled(kind, base, settings={"batch_size": 5, "in_flight": 2})})
        for moment in range(60):
            start = 1000 * moment
            it.drop(f"{KEY}/{moment}.csv", people(20, start))
            died = runs_until(it, moment, monkeypatch)
            expire(it)
            receipts = it.run().receipts
            if not died:
                assert not receipts
                break
            taken = Counter(n for n in identities(base, kind) if start <= n < start + 1000)
            assert set(taken) == set(range(start, start + 20)), f"killed at write {moment}"
            assert counts(receipts[0], kind).pop("delivered") == 20
            doubled = sum(n - 1 for n in taken.values())
            assert doubled <= receipts[0]["integrations"][kind]["possible_duplicates"]
    assert 8 < moment < 40  # each has been died at


@given(moments=st.lists(st.integers(4, 18), min_size=2, max_size=2))
@settings(max_examples=12, deadline=None, derandomize=True)
def test_being_killed_again_and_again_loses_nothing(moments: list[int]) -> None:
    """With a fault in between too, and a webhook's repetitions under one key with equal bytes."""
    with (
        TemporaryDirectory() as home,
        destination(Answer(500), Answer(503)) as there,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("batch.retry._BACKOFF", NO_WAITS)
        it = made(Path(home), hook=to(there.base, settings={"batch_size": 4, "in_flight": 2}))
        it.drop(FILE, people(20))
        alive = [moment for moment in moments if not runs_until(it, moment, patch) or expire(it)]
        if not alive:
            it.one()
        with it.opened() as runtime:
            (batch,) = runtime.ledger.batches()
            share = compose(Books.read(runtime.ledger, batch))["integrations"]["hook"]
    sent = Counter(call.key for call in there.calls)
    bodies = {(call.key, call.body) for call in there.calls}
    assert len(bodies) == len(sent)  # one key, one payload
    assert (batch.state, share["delivered"]) == (State.DELIVERED, 20)
    assert Counter(dict.fromkeys(map(str, range(1, 21)), 1)) == Counter(rows_of_each_key(there))
    repeated = sum(len(json.loads(body)["records"]) for key, body in bodies if sent[key] > 1)
    assert share["possible_duplicates"] >= repeated - 8  # the 500 and the 503 repeat without a kill


def test_a_batch_that_gets_further_each_time_may_be_killed_any_number_of_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: Destination
) -> None:
    it = made(tmp_path, hook=to(there.base, settings={"batch_size": 1, "in_flight": 1}))
    it.drop(FILE, people(30))
    kills = 0
    while runs_until(it, 12, monkeypatch):
        expire(it)
        kills += 1
    assert kills > 3
    with it.opened() as runtime:
        assert runtime.ledger.batches()[0].state is State.DELIVERED


def rows_of_each_key(there: Destination) -> list[str]:
    once = {call.key: call for call in there.calls}
    return [record["id"] for call in once.values() for record in call.records]


def test_a_bare_destination_has_each_row_once_or_nobody_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: Destination
) -> None:
    one = replace(CATALOG["webhook"], resend=Resend.BARE)
    monkeypatch.setattr("batch.planning.CATALOG", {**CATALOG, "webhook": one})
    it = made(tmp_path, hook=to(there.base, settings={"batch_size": 4, "in_flight": 2}))
    for moment in range(6, 22, 2):
        start = 1000 * moment
        it.drop(f"{KEY}/{moment}.csv", people(20, start))
        if not runs_until(it, moment, monkeypatch):
            break
        expire(it)
        (receipt,) = it.run().receipts
        taken = Counter(int(n) for n in there.rows() if start <= int(n) < start + 1000)
        assert set(taken.values()) <= {1}
        share = counts(receipt, "hook")
        assert share.get("delivered", 0) + share.get("unknown", 0) == 20
        unknown = {int(line["id"]) for line in it.undelivered(receipt)}
        assert set(range(start, start + 20)) - unknown <= set(taken)


@pytest.mark.parametrize(
    ("sending", "state", "share"), [(False, "failed", {}), (True, "partial", {"hook": {"failed": 4}})]
)
def test_a_file_on_which_the_program_keeps_dying_is_set_aside(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    there: Destination,
    sending: bool,
    state: str,
    share: dict[str, Any],
) -> None:
    it = made(tmp_path, hook=to(there.base))
    it.drop(FILE, people(4))
    it.drop(f"{KEY}/b.csv", people(3, 100))
    original = Ledger.put

    def put(ledger: Ledger, claim: Claim, these: Sequence[Chunk], **known: Any) -> None:
        if claim.batch.file == FILE and any(chunk.key for chunk in these) == sending:
            raise Killed
        original(ledger, claim, these, **known)

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "put", put)
        for _ in range(3):
            with pytest.raises(BaseExceptionGroup if sending else Killed):
                it.run()
            expire(it)
    first, second = it.run().receipts
    assert (first["state"], first["reason"].partition(":")[0]) == (state, "file.crashed")
    assert {name: counts(first, name) for name in first["integrations"]} == share
    assert second["state"] == "delivered"
    assert there.rows() == ["100", "101", "102"]


# --- when what is around the program fails


def test_a_batch_that_another_process_took_over_sends_nothing_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def stolen(call: Call) -> Answer:
        if len(there.calls) == 1:
            with it.opened() as other:
                expire(it)
                assert other.ledger.claim(other.ledger.batches()[0].id, "other", 1.5)
        return Answer()

    with destination(then=stolen) as there:
        it = made(tmp_path, hook=to(there.base, settings={"batch_size": 1, "in_flight": 1}))
        it.drop(FILE, people(20))
        report = it.run()
    stolen_at = there.calls[0].at
    # what was committed as open before may still leave, and the other one knows of it
    assert len([call for call in there.calls if call.at < stolen_at + 1.4]) <= 4
    assert report.notices == [f"{FILE}: another process has taken it over"]
    assert report.problems == []
    assert caplog.records == []  # asyncio's of errors that nobody heard
    (receipt,) = report.receipts  # the other one died, too, and when its lease had run out the batch was gone on with
    assert counts(receipt, "hook")["delivered"] == 20
    assert {int(row) for row in there.rows()} == set(range(1, 21))


def test_one_who_slept_before_it_wrote_its_results_leaves_those_of_another(
    tmp_path: Path, there: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = made(tmp_path, hook=to(there.base))
    it.drop(FILE, table([[1, "no address"], [2, "p2@example.com"]]))
    original, others = results.write, []

    def write(*args: Any) -> Any:
        if not others:
            others.append(None)
            expire(it)
            others[:] = it.run().receipts
        return original(*args)

    monkeypatch.setattr(results, "write", write)
    report = it.run()
    assert report.notices == [f"{FILE}: another process has taken it over"]
    with it.opened() as runtime:
        (batch,) = runtime.ledger.batches()
        told = results.receipt_of(it.zone, batch)
        assert [told] == others == [compose(Books.read(runtime.ledger, batch))]
    assert len(it.undelivered(told)) == 1


def test_a_request_that_waits_for_its_next_try_is_not_sent_by_a_process_that_has_lost_the_batch(tmp_path: Path) -> None:
    def stolen(call: Call) -> Answer:
        with it.opened() as other:
            expire(it)
            assert other.ledger.claim(other.ledger.batches()[0].id, "other", 60)
        return Answer(429, headers={"retry-after": "30"})

    with destination(then=stolen) as there:
        it = made(tmp_path, hook=to(there.base))
        it.drop(FILE, people(1))
        with it.opened() as runtime:
            batch = runtime.ledger.add(it.zone.listing(KEY).drops[0], KEY)
            assert batch is not None
            claim = runtime.ledger.claim(batch.id, "this", 1.5)
            assert claim is not None
            started = time.monotonic()
            with pytest.raises(LeaseLost):
                process(runtime, claim)
    assert time.monotonic() - started < 10
    assert len(there.calls) == 1


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        (LedgerError("The ledger cannot be used: no."), "The ledger cannot be used"),
        (OSError(28, "No space left"), "disk"),
    ],
)
def test_a_ledger_or_disk_that_fails_in_mid_run_is_told_in_a_sentence_and_is_no_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: Destination, trouble: Exception, says: str
) -> None:
    it = made(tmp_path, hook=to(there.base, settings={"batch_size": 2}))
    it.drop(FILE, people(20))
    original = Ledger.put

    def put(ledger: Ledger, claim: Claim, these: Sequence[Chunk], **known: Any) -> None:
        if any(chunk.key for chunk in these):
            raise trouble
        original(ledger, claim, these, **known)

    for _ in range(4):  # more often than a file may crash the program
        with monkeypatch.context() as patch:
            patch.setattr(Ledger, "put", put)
            report = it.run()
        assert len(report.problems) == 1
        assert says in report.problems[0]
        assert "fault of the program" not in report.problems[0]
    assert there.calls == []
    assert counts(it.one(), "hook") == {"delivered": 20}


# --- files


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("x.csv", b"", "file.empty"),
        ("x.csv", b"id,email\n1,\xe5@example.com\n", "file.encoding"),
        ("x.csv.gz", gzip.compress(b"id,email\n1,a@example.com\n" * 100)[:-20], "file.compression"),
        ("x.csv", b"id,email,id\n1,a@example.com,2\n", "file.header.duplicate"),
        ("x.csv", b"id;email\n1;a@example.com\n", "file.header.missing"),
        ("x.csv", b"id,,email\n1,2,a@example.com\n", "file.header.name"),
        ("x.csv", b'id,email\n1,a@example.com\n2,"b@example.com\n3,c@example.com\n', "file.quote"),
        ("x.jsonl", b'{"id":"' + b"1" * (17 << 20) + b'"}\n', "file.record.size"),
    ],
    ids=lambda it: it if isinstance(it, str) else "",
)
def test_a_file_that_cannot_be_used_leaves_the_others_alone(
    tmp_path: Path, there: Destination, name: str, content: bytes, code: str
) -> None:
    it = made(tmp_path, hook=to(there.base))
    it.drop(f"{KEY}/{name}", content)
    it.drop(f"{KEY}/y.csv", people(2))
    report = it.run()
    assert report.needs_operator
    failed, good = report.receipts
    assert (failed["state"], failed["reason"].partition(":")[0]) == ("failed", code)
    assert failed["integrations"] == {}
    assert "@example" not in failed["reason"]
    assert good["state"] == "delivered"
    assert there.rows() == ["1", "2"]
    assert json.loads(it.zone.read(f"{KEY}/_results/x.{failed['batch']}/receipt.json")) == failed


def test_an_undeclared_column_is_refused_where_it_is_to_be(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base))
    attributes = {"id": {}, "email": {"type": "email"}}
    it.group(integrations=it.groups[KEY]["integrations"], attributes=attributes, unknown_attributes="reject")
    it.drop(FILE, b"id,email,more\n1,a@example.com,2\n")
    assert it.one()["reason"].startswith("file.header.unknown")
    assert there.calls == []


@pytest.mark.parametrize(
    ("name", "pack"),
    [("a.csv", bytes), ("a.csv.gz", gzip.compress), ("a.csv.bz2", bz2.compress), ("a.csv.zst", zstandard.compress)],
    ids=["csv", "gz", "bz2", "zst"],
)
def test_compressed_drops_are_drops(
    tmp_path: Path, there: Destination, name: str, pack: Callable[[bytes], bytes]
) -> None:
    it = made(tmp_path, hook=to(there.base))
    it.drop(f"{KEY}/{name}", pack(people(3)))
    receipt = it.one()
    assert (receipt["state"], there.rows()) == ("delivered", ["1", "2", "3"])


def test_a_header_alone_is_a_delivered_batch_of_no_rows(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base))
    it.drop(FILE, b"id,email\n")
    receipt = it.one()
    assert (receipt["state"], receipt["rows"]) == ("delivered", {"read": 0, "valid": 0, "invalid": 0})
    assert counts(receipt, "hook") == {}
    assert "hook" in receipt["integrations"]
    assert there.calls == []


def test_a_cut_last_line_is_told_and_the_whole_ones_are_sent(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base))
    lines = [json.dumps({"id": str(n), "email": f"p{n}@example.com"}) for n in range(1, 4)]
    it.drop(f"{KEY}/a.jsonl", "\n".join([*lines, lines[0][:20]]).encode())
    receipt = it.one()
    assert receipt["state"] == "partial"
    assert receipt["reason"].startswith("file.incomplete")
    assert receipt["rows"] == {"read": 4, "valid": 3, "invalid": 1}
    assert there.rows() == ["1", "2", "3"]
    assert [line["_code"] for line in it.undelivered(receipt)] == ["row.json"]


# --- versions


def test_the_same_bytes_again_are_not_processed_again(tmp_path: Path, zone: Zone, there: Destination) -> None:
    it = made(tmp_path, zone, hook=to(there.base))
    it.drop(FILE, people(3))
    first = it.one()
    it.drop(FILE, people(3))
    assert it.run().receipts == []
    assert it.run().notices == []  # told once
    assert there.rows() == ["1", "2", "3"]
    it.drop(FILE, people(4))
    second = it.one()
    assert second["batch"] != first["batch"]
    assert there.rows()[3:] == ["1", "2", "3", "4"]  # a new batch, whole
    it.drop(FILE, people(3))  # and the old bytes once more, after others
    assert it.run().receipts == []


def test_a_touched_file_says_that_it_was_processed(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base))
    it.drop(FILE, people(3))
    it.one()
    it.touch(FILE)
    assert it.run().notices == [f"{FILE}: the same bytes were dropped under this name before; not processed again"]


def test_the_same_bytes_under_another_name_are_a_batch_of_their_own(
    tmp_path: Path, zone: Zone, there: Destination
) -> None:
    it = made(tmp_path, zone, hook=to(there.base))
    it.drop(FILE, people(1))
    it.drop(f"{KEY}/b.csv", people(1))
    assert len(it.run().receipts) == 2


def between(patch: pytest.MonkeyPatch, zone: Zone, act: Callable[[], None]) -> None:
    """Have a customer act between the listing and the reading of a drop, once."""
    original, acts = zone.fetch, iter([act])

    def fetch(drop: Drop, to: Path) -> str:
        next(acts, lambda: None)()
        return original(drop, to)

    patch.setattr(type(zone), "fetch", lambda _zone, drop, to: fetch(drop, to))


def test_a_drop_overwritten_after_it_was_listed_is_taken_up_as_what_it_is_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: Zone, there: Destination
) -> None:
    it = made(tmp_path, zone, hook=to(there.base))
    it.drop(FILE, people(2))
    between(monkeypatch, zone, lambda: it.drop(FILE, people(3, 10)))
    old, new = it.run().receipts
    assert (old["state"], old["reason"].partition(":")[0]) == ("failed", "file.changed")
    assert new["state"] == "delivered"
    assert there.rows() == ["10", "11", "12"]


def test_a_drop_deleted_after_it_was_listed_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: Zone, there: Destination
) -> None:
    it = made(tmp_path, zone, hook=to(there.base))
    it.drop(FILE, people(2))
    it.drop(f"{KEY}/b.csv", people(1, 7))
    between(monkeypatch, zone, lambda: zone.delete(FILE))
    states = {receipt["file"]: receipt["state"] for receipt in it.run().receipts}
    assert states == {FILE: "failed", f"{KEY}/b.csv": "delivered"}
    assert there.rows() == ["7"]


def test_the_configuration_that_a_batch_began_with_is_the_one_it_ends_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: Destination
) -> None:
    it = made(tmp_path, hook=to(there.base, mapping={"id": "id", "was": "'old'"}))
    it.drop(FILE, people(4))
    assert runs_until(it, 7, monkeypatch)
    it.group(integrations={"hook": to(there.base, mapping={"id": "id", "was": "'new'"})})
    expire(it)
    assert counts(it.one(), "hook")["delivered"] == 4
    assert set(there.rows("was")) == {"old"}
