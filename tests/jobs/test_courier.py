"""The courier: what the API took is delivered in its order, by one process at a time, and told of to the record."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from support.destination import HANG, Answer, Call, Destination, destination
from support.installation import KEY, NO_WAITS, counts, enabled, made, to
from support.server import drops, person, take, until

from batch import packets as packing
from batch.batch import CLOSED, Batch, State
from batch.dropzone import DropZoneError
from batch.errors import LedgerError
from batch.outcome import Outcome
from batch.packets import Packets
from batch.receipt import Books, compose
from batch.runtime import Runtime, silent
from batch.tracing import trace
from jobs import courier as couriers
from jobs import rerun as reruns
from jobs.courier import Courier
from jobs.run import Report

pytest_plugins = ("support.ledgers",)


@pytest.fixture
def there() -> Iterator[Destination]:
    with destination() as there:
        yield there


@pytest.fixture
def other() -> Iterator[Destination]:
    with destination() as other:
        yield other


@contextmanager
def carried(runtime: Runtime) -> Iterator[Report]:
    """Deliver while the block lasts; what the courier tells is gathered."""
    whole = Report()
    with Courier(runtime, whole.add) as courier:
        try:
            courier.wake()
            yield whole
        finally:
            runtime.stopping.set()
    runtime.stopping.clear()


def batches(runtime: Runtime, *keys: str) -> list[Batch]:
    """Return the batches, oldest first."""
    return runtime.ledger.batches(keys or None)[::-1]


def is_home(runtime: Runtime, *keys: str) -> bool:
    """Say whether nothing waits and every batch is closed."""
    waiting = set(runtime.ledger.packets.waiting())
    return not waiting & set(keys or waiting) and {batch.state for batch in batches(runtime, *keys)} <= CLOSED


def told(runtime: Runtime, record: str) -> dict[str, Any]:
    """Return what the API tells of a record."""
    found = runtime.ledger.packets.find(record, [KEY])
    assert found is not None
    packet, number = found
    batch = runtime.ledger.batch(packet.batch) if packet.batch else None
    return trace(packet, number, Books.read(runtime.ledger, batch) if batch else None)


def receipt_of(runtime: Runtime, batch: Batch) -> dict[str, Any]:
    return compose(Books.read(runtime.ledger, batch))


# --- one batch of many records


def test_many_packets_are_one_batch_and_each_record_has_its_own_rows_outcome(
    tmp_path: Path, there: Destination, other: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batch.retry._BACKOFF", NO_WAITS)
    there.script(then=picky)
    it = made(
        tmp_path,
        one=to(
            there.base,
            where="id <> '5'",
            mapping={"id": "id", "n": "cast(amount as int)"},
            settings={"batch_size": 1, "in_flight": 1},
        ),
        two=to(other.base),
    )
    with it.opened() as runtime:
        records = [person(n, amount="many" if n % 10 == 3 else n) for n in range(1, 61)]
        ids: list[str] = []
        for size in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15):
            ids += take(runtime, *records[len(ids) : len(ids) + size])
        assert [told(runtime, record)["status"] for record in ids] == ["accepted"] * 60
        with carried(runtime):
            until(lambda: is_home(runtime))
        (batch,) = batches(runtime)
        traces = {number: told(runtime, record) for number, record in enumerate(ids, start=1)}
        receipt = receipt_of(runtime, batch)
    assert len(set(ids)) == 60
    assert {number: found["integrations"]["one"]["outcome"] for number, found in traces.items()} == {
        number: outcome_of(number) for number in range(1, 61)
    }
    assert {found["integrations"]["two"]["outcome"] for found in traces.values()} == {"delivered"}
    assert {found["status"] for number, found in traces.items() if outcome_of(number) != "delivered"} == {
        "partial",
        "delivered",  # the one that was filtered
    }
    assert traces[3]["integrations"]["one"]["code"].startswith("mapping.")
    assert traces[7]["integrations"]["one"]["code"] == "rejected.blocked"
    assert [found["row"] for found in traces.values()] == list(range(1, 61))
    assert batch.state is State.PARTIAL
    assert receipt["rows"] == {"read": 60, "valid": 60, "invalid": 0}
    expected = Counter(outcome_of(number) for number in range(1, 61))
    assert {word: n for word, n in counts(receipt, "one").items() if word != "possible_duplicates"} == dict(expected)
    assert counts(receipt, "two") == {"delivered": 60}
    assert sorted(map(int, other.rows())) == list(range(1, 61))


def outcome_of(number: int) -> str:
    if number == 5:
        return "filtered"
    if number % 10 == 3:
        return "invalid"
    return {7: "rejected", 8: "failed"}.get(number % 10, "delivered")


def picky(call: Call) -> Answer:
    (record,) = call.records
    if int(record["id"]) % 10 == 7:
        return Answer.json({"errors": [{"index": 0, "code": "blocked"}]})
    return Answer(503) if int(record["id"]) % 10 == 8 else Answer()


def test_more_records_than_one_batch_takes_go_in_several(
    tmp_path: Path, there: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "_MOST_PACKETS", 3)
    it = made(tmp_path, hook=to(there.base))
    with it.opened() as runtime:
        for number in range(10):
            take(runtime, person(number))
        with carried(runtime):
            until(lambda: is_home(runtime))
        assert [batch.rows_read for batch in batches(runtime)] == [3, 3, 3, 1]
    assert there.rows() == [str(number) for number in range(10)]


def test_a_run_delivers_what_waits_too_however_much_it_is(
    tmp_path: Path, there: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "_MOST_PACKETS", 3)
    it = made(tmp_path, hook=to(there.base))
    it.drop(f"{KEY}/a.csv", b"id,email\n100,a@example.com\n")
    with it.opened() as runtime:
        for number in range(10):
            take(runtime, person(number))
    report = it.run()
    assert (report.problems, len(report.receipts)) == ([], 5)
    assert there.rows() == ["100", *map(str, range(10))]
    assert it.run().receipts == []


def test_the_sums_of_every_receipt_hold(tmp_path: Path, there: Destination) -> None:
    there.script(then=picky)
    it = made(tmp_path, hook=to(there.base, settings={"batch_size": 1}))
    with it.opened() as runtime, carried(runtime) as report:
        for start in range(0, 40, 4):
            take(runtime, *(person(number) for number in range(start, start + 4)))
            time.sleep(0.1)
        until(lambda: is_home(runtime), 60)
        until(lambda: len(report.receipts) == len(batches(runtime)))
    assert sum(receipt["rows"]["read"] for receipt in report.receipts) == 40
    for receipt in report.receipts:
        share = receipt["integrations"]["hook"]
        assert receipt["rows"]["read"] == receipt["rows"]["valid"] + receipt["rows"]["invalid"]
        assert receipt["rows"]["valid"] == sum(share[outcome] for outcome in Outcome)


# --- order


def test_a_persons_records_keep_their_order_across_batches(tmp_path: Path) -> None:
    with destination(then=mailchimp_takes) as there:
        settings = {"base_url": there.base, "in_flight": 4, "requests_per_second": 1000}
        it = made(tmp_path, news=enabled("mailchimp", "", settings=settings))
        with it.opened() as runtime, carried(runtime):
            for number in range(40):
                take(runtime, person(number, email=f"P{number % 2}@example.com"))
                time.sleep(0.03)
            until(lambda: is_home(runtime), 60)
            assert len(batches(runtime)) > 2
        seen: dict[str, list[int]] = {}
        for call in there.calls:
            for record in call.records:
                seen.setdefault(record["email_address"].lower(), []).append(int(record["merge_fields"]["ID"]))
    assert sorted(numbers[-1] for numbers in seen.values()) == [38, 39], "those of one batch are one record, the last"
    assert all(len(numbers) > 1 and numbers == sorted(numbers) for numbers in seen.values())


def mailchimp_takes(call: Call) -> Answer:
    document = {"total_created": len(call.records), "total_updated": 0, "error_count": 0, "errors": []}
    return replace(Answer.json(document), after=0.1)


def test_a_destination_that_hangs_does_not_keep_the_groups_others_waiting(
    tmp_path: Path, there: Destination, other: Destination
) -> None:
    """Later batches go where they can, and in their order where the first one hung, once that is over."""
    other.script(Answer(after=10))
    it = made(tmp_path, fast=to(there.base), slow=to(other.base, settings={"timeout": 60}))
    with it.opened() as runtime, carried(runtime):
        for number in range(4):
            take(runtime, person(number))
            there.wait_for(number + 1)  # while the other one has said nothing yet
            assert len(other.calls) <= 1
        assert {batch.state for batch in batches(runtime)} == {State.RUNNING}
        until(lambda: is_home(runtime), 60)
        assert {batch.state for batch in batches(runtime)} == {State.DELIVERED}
        receipts = [receipt_of(runtime, batch) for batch in batches(runtime)]
    assert other.rows() == there.rows() == [str(number) for number in range(4)]
    assert [counts(receipt, "slow") for receipt in receipts] == [{"delivered": 1}] * 4


def test_a_destination_that_is_down_in_one_group_is_nothing_to_the_others(
    tmp_path: Path, there: Destination, other: Destination
) -> None:
    other.script(then=HANG)
    it = made(tmp_path, hook=to(there.base))
    for key in ("bad1", "bad2", "bad3", "bad4", "bad5", "bad6"):
        it.group(key, integrations={"hook": to(other.base, settings={"timeout": 30})})
    it.delivery = {"tries": 1, "timeout": 30}
    it.write()
    with it.opened() as runtime, carried(runtime):
        for key in runtime.groups:
            if key != KEY:
                take(runtime, person(1), key=key)
        other.wait_for(6)
        for number in range(3):
            take(runtime, person(number))
            there.wait_for(number + 1)
        assert len(other.calls) == 6
        until(lambda: is_home(runtime, KEY))
        other.script()
        stop_hanging(other)


def stop_hanging(there: Destination) -> None:
    """Hang up on whoever waits for an answer."""
    for task in list(there._tasks):
        task.get_loop().call_soon_threadsafe(task.cancel)  # type: ignore[attr-defined]


def test_no_more_batches_of_a_group_are_under_way_than_it_can_have(
    tmp_path: Path, there: Destination, other: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(couriers, "APART", 0.001)
    monkeypatch.setattr(couriers, "_AT_ONCE_EACH", 3)
    other.script(Answer(after=3))
    it = made(tmp_path, fast=to(there.base), slow=to(other.base))
    most = 0
    with it.opened() as runtime, carried(runtime):
        for number in range(30):
            take(runtime, person(number))
            time.sleep(0.03)
            most = max(most, sum(batch.state is State.RUNNING for batch in batches(runtime)))
        until(lambda: is_home(runtime), 60)
    assert most == 3
    assert other.rows() == there.rows() == [str(number) for number in range(30)]


def test_nothing_overtakes_a_batch_that_could_not_be_brought_to_its_end(
    tmp_path: Path, there: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The drop zone fails the first batch for a while; what comes later waits behind it."""
    monkeypatch.setattr(couriers, "_ABANDONED", 0.3)
    it = made(tmp_path, hook=to(there.base))
    with it.opened() as runtime:
        zone = Flaky(runtime.zone)
        take(runtime, person(1))
        with carried(replace(runtime, zone=zone)) as report:  # type: ignore[arg-type]
            until(lambda: len(zone.read_in_vain) > 1)
            take(runtime, person(2))
            until(lambda: len(zone.read_in_vain) > 3)
            assert len(set(zone.read_in_vain)) == 1
            zone.works = True
            until(lambda: is_home(runtime))
        assert len(batches(runtime)) == 2
    assert there.rows() == ["1", "2"]
    assert all("out of order" in problem for problem in report.problems)


class Flaky:
    """A drop zone that cannot be read until it works."""

    def __init__(self, zone: Any) -> None:
        self._zone = zone
        self.works = False
        self.read_in_vain: list[str] = []

    def read(self, key: str) -> bytes:
        if self.works:
            content: bytes = self._zone.read(key)
            return content
        self.read_in_vain.append(key)
        raise DropZoneError("The drop zone is out of order.")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._zone, name)


# --- several processes


def test_a_batch_that_a_dead_process_left_is_gone_on_with_before_what_came_later(
    tmp_path: Path, there: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(couriers, "_ABANDONED", 0.3)
    it = made(tmp_path, hook=to(there.base))
    with it.opened() as runtime:
        take(runtime, person(1), person(2))
        left = runtime.ledger.packets.due(KEY)
        assert left is not None
        assert runtime.ledger.claim(left.id, "another", 2)
        take(runtime, person(3))
        with carried(runtime):
            time.sleep(1)
            assert there.calls == []  # it may be alive, and at work on it
            until(lambda: is_home(runtime))
        assert batches(runtime)[0].id == left.id
    assert there.rows() == ["1", "2", "3"]


def test_a_run_waits_for_a_dead_processs_batch_and_goes_on_in_order(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base))
    with it.opened() as runtime:
        take(runtime, person(1))
        left = runtime.ledger.packets.due(KEY)
        assert left is not None
        assert runtime.ledger.claim(left.id, "another", 2)
        take(runtime, person(2))
    assert len(it.run().receipts) == 2
    assert there.rows() == ["1", "2"]


def test_a_run_leaves_records_to_a_living_process(
    tmp_path: Path, there: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(couriers, "LEASE", 1)
    there.script(Answer(after=3))
    it = made(tmp_path, hook=to(there.base))
    with it.opened() as runtime, carried(runtime):
        take(runtime, person(1))
        there.wait_for(1)
        take(runtime, person(2))
        report = it.run()
        assert (report.receipts, report.problems) == ([], [])
        assert there.rows() == ["1"]
        until(lambda: is_home(runtime))
    assert there.rows() == ["1", "2"]


def test_two_couriers_on_one_ledger_deliver_every_packet_once(
    tmp_path: Path, there: Destination, ledger_url: str
) -> None:
    it = made(tmp_path, hook=to(there.base))
    it.ledger = ledger_url
    it.group("abc2", integrations={"hook": to(there.base)})
    it.write()
    with it.opened() as runtime, it.opened() as second, carried(runtime), carried(second):
        for number in range(60):
            take(
                runtime if number % 2 else second,
                person(2 * number),
                person(2 * number + 1),
                key=f"abc{'2' * (number % 3 == 0)}",
            )
            time.sleep(0.02)
        until(lambda: is_home(runtime), 60)
        assert {batch.state for batch in batches(runtime)} == {State.DELIVERED}
        assert sum(batch.rows_read or 0 for batch in batches(runtime)) == 120
    assert Counter(map(int, there.rows())) == dict.fromkeys(range(120), 1)


def test_packets_are_gathered_once_by_all_who_try_at_once(tmp_path: Path, there: Destination, ledger_url: str) -> None:
    it = made(tmp_path, hook=to(there.base))
    it.ledger = ledger_url
    it.write()
    with it.opened() as runtime, ThreadPoolExecutor(8) as pool:
        for round_ in range(5):
            for number in range(10):
                take(runtime, person(10 * round_ + number))
            gathered = [batch for batch in pool.map(lambda _: runtime.ledger.packets.gather(KEY), range(8)) if batch]
            assert len(gathered) == 1
            assert len(runtime.ledger.packets.of(gathered[0].id)) == 10
            take(runtime, person(1000 + round_))
            assert runtime.ledger.packets.gather(KEY) is None  # the former batch is under way, at somebody else's
            following = runtime.ledger.packets.gather(KEY, [gathered[0].id])
            assert following is not None
            for batch in (*gathered, following):
                claim = runtime.ledger.claim(batch.id, "me")
                assert claim is not None
                runtime.ledger.finish(claim, State.DELIVERED)


# --- what lies in the drop zone


@pytest.mark.parametrize("damage", ["deleted", "overwritten", "cut"])
def test_a_small_drop_that_is_not_as_it_was_fails_its_batch_with_a_sentence_and_no_other(
    tmp_path: Path, there: Destination, damage: str
) -> None:
    it = made(tmp_path, hook=to(there.base))
    with it.opened() as runtime:
        (lost,) = take(runtime, person(1))
        take(runtime, person(2))
        path = drops(it)[0]
        if damage == "deleted":
            path.unlink()
        else:
            path.write_bytes(json.dumps(person(9)).encode() if damage == "overwritten" else path.read_bytes()[:-2])
        with capture_logs() as logs, carried(runtime) as report:
            until(lambda: is_home(runtime))
            (whole,) = take(runtime, person(3))
            until(lambda: there.calls and is_home(runtime))
            until(lambda: len(report.receipts) == 2)
        failed, good = batches(runtime)
        assert (failed.state, good.state) == (State.FAILED, State.DELIVERED)
        assert (failed.reason or "").startswith("file.changed: the file was overwritten or deleted")
        assert (told(runtime, lost)["status"], told(runtime, whole)["status"]) == ("failed", "delivered")
        assert told(runtime, lost)["reason"] == failed.reason
    assert there.rows() == ["3"]
    assert report.problems == []
    assert not [line for line in logs if "exception" in line or "fault" in line["event"]]


def test_a_drop_that_was_never_entered_is_never_delivered(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base))
    with it.opened() as runtime:
        take(runtime, person(1))
        (path,) = drops(it)
        path.with_name("20261123T120000000Z-orphaned.jsonl").write_bytes(path.read_bytes())
        with carried(runtime):
            until(lambda: is_home(runtime))
    it.run()
    assert there.rows() == ["1"]


# --- reruns


def test_a_rerun_of_records_sends_exactly_what_is_owed(
    tmp_path: Path, there: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batch.retry._BACKOFF", NO_WAITS)
    there.script(then=picky)
    it = made(tmp_path, hook=to(there.base, settings={"batch_size": 1, "in_flight": 1}))
    with it.opened() as runtime:
        ids = [take(runtime, person(number))[0] for number in range(1, 13)]
        with carried(runtime):
            until(lambda: is_home(runtime))
        (batch,) = batches(runtime)
        there.script()
        there.calls.clear()
        plan = reruns.plan(runtime, batch.id)
        assert plan.shares["hook"].rows == 1
        reruns.carry_out(runtime, plan, lambda _batch: silent)
        assert there.rows() == ["8"]
        assert told(runtime, ids[7])["status"] == "delivered"
        assert told(runtime, ids[6])["status"] == "partial"
        assert counts(receipt_of(runtime, batch), "hook") == {"delivered": 11, "rejected": 1}


def test_a_rerun_that_is_under_way_keeps_no_new_records_waiting(tmp_path: Path, there: Destination) -> None:
    """Its rows are late by the operator's own wish, and it may take long."""
    there.script(Answer(401))
    it = made(tmp_path, hook=to(there.base))
    with it.opened() as runtime, carried(runtime):
        take(runtime, person(1))
        until(lambda: there.calls and is_home(runtime))
        (batch,) = batches(runtime)
        reruns.reopen(runtime, reruns.plan(runtime, batch.id))
        assert runtime.ledger.claim(batch.id, "an operator")
        take(runtime, person(2))
        there.wait_for(2)
    assert there.rows() == ["1", "2"]


def test_a_batch_killed_again_and_again_is_set_aside_and_can_be_rerun(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base))
    with it.opened() as runtime:
        (record,) = take(runtime, person(1))
        for _ in range(10):
            batch = runtime.ledger.packets.due(KEY)
            assert batch is not None
            assert runtime.ledger.claim(batch.id, "another", 0.01)
            time.sleep(0.02)
        take(runtime, person(2))
        with carried(runtime):
            until(lambda: is_home(runtime))
        first, _ = batches(runtime)
        assert (first.reason or "").startswith("file.crashed")
        assert told(runtime, record)["status"] == "failed"
        reruns.carry_out(runtime, reruns.plan(runtime, first.id), lambda _batch: silent)
        assert told(runtime, record)["status"] == "delivered"
    assert there.rows() == ["2", "1"]


# --- trouble


def test_records_of_a_group_that_is_gone_wait_and_are_told_of(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base))
    it.group("gone", integrations={"hook": to(there.base)})
    with it.opened() as runtime:
        take(runtime, person(1), key="gone")
    document = it.groups.pop("gone")
    (it.home / "groups" / "gone.yaml").unlink()
    sentence = "gone: records that the API took wait until there is a group of this key again"
    with it.opened() as runtime, carried(runtime) as report:
        take(runtime, person(2))
        until(lambda: there.calls and is_home(runtime, KEY))
        time.sleep(0.6)
        assert report.notices == [sentence]  # once
        assert runtime.ledger.packets.waiting() == ["gone"]
    assert sentence in it.run().notices
    it.group(**{("key" if name == "group_key" else name): value for name, value in document.items()})
    it.run()
    assert there.rows() == ["2", "1"]


def test_a_missing_credential_is_told_and_what_waits_is_delivered_when_it_is_back(
    tmp_path: Path, there: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(couriers, "_ABANDONED", 0.3)
    it = made(tmp_path, hook=to(there.base))
    secret = it.home / "secrets" / "webhook.secret"
    text = secret.read_text()
    secret.unlink()
    with it.opened() as runtime, carried(runtime) as report:
        for number in range(10):
            take(runtime, person(number))
            until(lambda: len(report.problems) > number // 4)  # noqa: B023
        assert all("cannot be read" in problem for problem in report.problems)
        assert len(batches(runtime)) == 1  # what comes meanwhile waits, and goes together
        secret.write_text(text)
        until(lambda: is_home(runtime))
        assert len(batches(runtime)) == 2
    assert there.rows() == [str(number) for number in range(10)]


def test_a_courier_outlives_faults_and_a_ledger_that_is_away(
    tmp_path: Path, there: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(couriers, "_ABANDONED", 0.1)
    it = made(tmp_path, hook=to(there.base))
    original = Packets.waiting
    errors = [LedgerError("away"), ZeroDivisionError("p1@example.com")]

    def waiting(packets: Packets) -> list[str]:
        if errors:
            raise errors.pop()
        return original(packets)

    monkeypatch.setattr(Packets, "waiting", waiting)
    with it.opened() as runtime:
        take(runtime, person(1))
        with capture_logs() as logs, carried(runtime):
            there.wait_for(1)
    assert [line["event"] for line in logs if line["event"].startswith("courier.")] == [
        "courier.fault",
        "courier.ledger_unavailable",
    ]


def test_a_courier_that_is_told_to_stop_sees_through_what_is_in_flight_and_begins_nothing(
    tmp_path: Path, there: Destination
) -> None:
    there.script(then=Answer(after=0.5))
    it = made(tmp_path, hook=to(there.base, settings={"batch_size": 1, "in_flight": 1}))
    with it.opened() as runtime:
        with carried(runtime):
            take(runtime, *(person(number) for number in range(20)))
            there.wait_for(1)
            take(runtime, person(100))
        sent = len(there.calls)
        assert sent < 5
        there.script()
        with carried(runtime):
            until(lambda: is_home(runtime))
        assert [receipt_of(runtime, batch)["integrations"]["hook"]["delivered"] for batch in batches(runtime)] == [
            20,
            1,
        ]
    assert Counter(there.rows()) == dict.fromkeys([*map(str, range(20)), "100"], 1)
