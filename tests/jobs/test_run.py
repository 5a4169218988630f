"""A run of everything that waits: alone, killed, stopped, and in a race with others."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.destination import Answer, Destination, destination
from support.installation import KEY, counts, enabled, identities, made, people, table, to
from support.zones import Bucket, Folder, Zone

from batch.batch import State
from batch.lease import holding
from batch.receipt import Books, compose
from config.errors import ConfigError
from integrations.sandbox import Faults, running
from jobs import run as runs

pytest_plugins = ("support.ledgers",)

FILE = f"{KEY}/a.csv"


@pytest.fixture
def there() -> Iterator[Destination]:
    with destination() as there:
        yield there


@pytest.fixture(params=["folder", "s3"])
def zone(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zone:
    return Folder(tmp_path / "drop") if request.param == "folder" else Bucket.make(monkeypatch, "some/prefix")


def ended(process: subprocess.Popen[str], seconds: float = 40) -> tuple[int, str, str]:
    """Wait for a process, and see that no traceback reached its user."""
    out, err = process.communicate(timeout=seconds)
    assert "Traceback" not in err + out, err
    return process.returncode, out, err


# --- what is taken up


def test_nothing_waiting_is_nothing_done(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base))
    report = it.run()
    assert (report.receipts, report.notices, report.problems, report.needs_operator) == ([], [], [], False)


def test_groups_never_see_each_others_drops(tmp_path: Path, zone: Zone, there: Destination) -> None:
    it = made(tmp_path, zone, hook=to(there.base, mapping={"id": "id", "of": "'abc'"}))
    it.group("abc2", integrations={"hook": to(there.base, mapping={"id": "id", "of": "'abc2'"})})
    it.drop("abc/a.csv", people(2))
    it.drop("abc2/a.csv", people(3, 100))
    it.drop("other/a.csv", people(3, 200))
    report = it.run()
    assert sorted(receipt["group_key"] for receipt in report.receipts) == ["abc", "abc2"]
    assert {(record["of"], len(record["id"])) for call in there.calls for record in call.records} == {
        ("abc", 1),
        ("abc2", 3),
    }
    assert report.notices == ["other/ is not the key of any group: what lies there is left alone"]
    assert it.run().notices == []  # told once


def test_files_of_a_group_go_in_the_order_in_which_they_came(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base))
    for number, name in enumerate(["c", "a", "b"]):
        it.drop(f"{KEY}/{name}.csv", people(1, number))
    assert [receipt["file"] for receipt in it.run().receipts] == [f"{KEY}/{name}.csv" for name in "cab"]
    assert there.rows() == ["0", "1", "2"]


def test_strays_are_told_of_once_and_left_alone(tmp_path: Path, zone: Zone, there: Destination) -> None:
    it = made(tmp_path, zone, hook=to(there.base))
    it.drop(f"{KEY}/notes.txt", b"x")
    it.drop(f"{KEY}/_x.csv", people(1))
    assert it.run().notices == [f"{KEY}/notes.txt is not a drop by its ending, and is left alone"]
    assert it.run().notices == []
    assert there.calls == []


def test_one_file_can_be_asked_for(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base))
    it.drop(FILE, people(1))
    it.drop(f"{KEY}/b.csv", people(1, 7))
    (receipt,) = it.run(KEY, file=f"{KEY}/b.csv").receipts
    assert (receipt["file"], there.rows()) == (f"{KEY}/b.csv", ["7"])
    (notice,) = it.run(KEY, file=f"{KEY}/b.csv").notices
    assert f"was processed before, as batch {receipt['batch']}" in notice
    missing = it.run(KEY, file=f"{KEY}/c.csv")
    assert missing.problems == [f"{KEY}/c.csv: there is no such file"]
    assert missing.needs_operator
    assert it.run(KEY, file=f"{KEY}/c.txt").problems == [f"{KEY}/c.txt: it is not a drop by its name"]
    assert there.rows() == ["7"]


def test_a_missing_credential_of_any_group_stops_all_before_anything_is_sent(
    tmp_path: Path, there: Destination
) -> None:
    it = made(tmp_path, hook=to(there.base))
    it.group("abc2", integrations={"hook": {**to(there.base), "credentials": {"secret": "file:secrets/none"}}})
    it.drop(FILE, people(1))
    with pytest.raises(ConfigError, match="secret"):
        it.run()
    assert there.calls == []


def test_one_groups_folder_in_trouble_leaves_the_others_alone(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base))
    it.group("abc2", integrations={"hook": to(there.base)})
    it.drop("abc2/a.csv", people(1))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "drop" / "abc").symlink_to(tmp_path / "elsewhere")
    report = it.run()
    assert [receipt["file"] for receipt in report.receipts] == ["abc2/a.csv"]
    (problem,) = report.problems
    assert "symbolic link" in problem
    assert report.needs_operator


@pytest.mark.parametrize(
    ("answer", "needs"),
    [
        (Answer(), False),
        (Answer.json({"errors": [{"index": 0}]}), False),
        (Answer(401), True),
        (Answer(body=b"<p>"), True),
    ],
    ids=["delivered", "rejected", "failed", "unknown"],
)
def test_an_operator_is_needed_for_what_failed_or_is_unknown(
    tmp_path: Path, there: Destination, answer: Answer, needs: bool
) -> None:
    there.script(then=answer)
    it = made(tmp_path, hook=to(there.base))
    it.drop(FILE, people(2))
    assert it.run().needs_operator is needs


def test_a_wrong_file_needs_an_operator_and_a_wrong_row_does_not(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base))
    it.drop(FILE, table([[1, "no address"]]))
    assert it.run().needs_operator is False
    it.drop(FILE, b"")
    assert it.run().needs_operator is True


def test_a_fault_of_the_program_is_one_files_trouble_and_its_rows_stay_owed(
    tmp_path: Path, there: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = made(tmp_path, hook=to(there.base))
    it.drop(FILE, people(2))
    it.drop(f"{KEY}/b.csv", people(1, 7))
    from batch import pipeline

    original = pipeline.examine

    def examine(*args: Any, **more: Any) -> Any:
        if args[1] == FILE:
            raise ZeroDivisionError("p1@example.com")
        return original(*args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "examine", examine)
        report = it.run()
    assert [receipt["file"] for receipt in report.receipts] == [f"{KEY}/b.csv"]
    (problem,) = report.problems
    assert "a fault of the program (ZeroDivisionError)" in problem
    assert "example.com" not in problem
    assert counts(it.one(), "hook") == {"delivered": 2}


# --- processes


def slow(there: Destination, seconds: float = 0.05) -> None:
    there.script(then=Answer(after=seconds))


@pytest.mark.parametrize("ledger_url", ["sqlite", "postgresql"], indirect=True)
def test_a_process_killed_at_random_moments_loses_nothing(tmp_path: Path, there: Destination, ledger_url: str) -> None:
    """Killed three times wherever it is, and started again at once."""
    chance = random.Random(20261123)
    slow(there, 0.1)
    it = made(tmp_path, hook=to(there.base, settings={"batch_size": 10, "in_flight": 2}))
    it.ledger = ledger_url
    it.write()
    it.drop(FILE, people(600))
    it.drop(f"{KEY}/b.csv", people(100, 1000))
    for _ in range(3):
        process = it.flatdrop("run", lease=1)
        there.wait_for(len(there.calls) + 1 + chance.randrange(8))
        time.sleep(chance.random() * 0.1)
        process.kill()
        process.communicate()
    slow(there, 0)
    code, out, _err = ended(it.flatdrop("run", "--json", lease=1))
    assert code == 0
    receipts = {receipt["file"]: receipt for receipt in json.loads(out)}
    shares = {file: receipt["integrations"]["hook"] for file, receipt in receipts.items()}
    assert {file: share["delivered"] for file, share in shares.items()} == {FILE: 600, f"{KEY}/b.csv": 100}
    taken = Counter(map(int, there.rows()))
    assert set(taken) == {*range(1, 601), *range(1000, 1100)}
    assert sum(n > 1 for n in taken.values()) <= sum(share["possible_duplicates"] for share in shares.values())
    assert len({(call.key, call.body) for call in there.calls}) == len({call.key for call in there.calls})
    once = {call.key: call for call in there.calls}.values()
    assert sum(len(call.records) for call in once) == 700  # a receiver that goes by the keys has each row once


def test_a_dead_processs_batch_is_gone_on_with_when_its_lease_is_over(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base, settings={"batch_size": 1, "in_flight": 1}))
    it.drop(FILE, people(3))
    slow(there, 30)
    process = it.flatdrop("run", lease=2)
    there.wait_for(1)
    time.sleep(1.5)  # longer than a third of the lease: it was renewed, for as long as it was taken
    process.kill()
    process.communicate()
    slow(there, 0)
    started = time.monotonic()
    assert counts(it.one(), "hook").pop("delivered") == 3
    assert time.monotonic() - started < 5


def test_a_process_that_slept_through_its_lease_sends_nothing_more_when_it_wakes(
    tmp_path: Path, there: Destination
) -> None:
    it = made(tmp_path, hook=to(there.base, settings={"batch_size": 1, "in_flight": 1}))
    it.drop(FILE, people(40))
    slow(there, 0.6)
    process = it.flatdrop("run", lease=1)
    there.wait_for(3)
    time.sleep(0.2)  # its commits are made, and it waits for the answer: it must not hold the ledger's lock
    process.send_signal(signal.SIGSTOP)
    slow(there, 0)
    receipt = it.one()
    process.send_signal(signal.SIGCONT)
    code, _, err = ended(process)
    assert (code, "another process has taken it over" in err) == (0, True)
    taken = Counter(there.rows())
    assert len(taken) == receipt["integrations"]["hook"]["delivered"] == 40
    assert sum(n - 1 for n in taken.values()) <= receipt["integrations"]["hook"]["possible_duplicates"]
    with it.opened() as runtime:
        assert [batch.state for batch in runtime.ledger.batches()] == [State.DELIVERED]


def test_a_living_processs_batch_is_left_to_it(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base))
    it.drop(FILE, people(1))
    with it.opened() as runtime:
        batch = runtime.ledger.add(it.zone.listing(KEY).drops[0], KEY)
        assert batch is not None
        claim = runtime.ledger.claim(batch.id, "another", 1.2)
        assert claim is not None
        with holding(runtime.ledger, claim, claim.seconds):
            started = time.monotonic()
            report = it.run()
            assert time.monotonic() - started < 3  # it needs one renewal to see that the other one lives
    assert (report.receipts, report.problems, there.calls) == ([], [], [])


def test_several_processes_share_the_drops_and_process_each_once(
    tmp_path: Path, there: Destination, ledger_url: str
) -> None:
    files = 40
    slow(there, 0.01)
    it = made(tmp_path, hook=to(there.base))
    it.ledger = ledger_url
    it.write()
    for number in range(files):
        it.drop(f"{KEY}/{number}.csv", people(3, 10 * number))
    processes = [it.flatdrop("run", "--json") for _ in range(4)]
    ends = [ended(process) for process in processes]
    assert [code for code, _, _ in ends] == [0] * 4
    told = [receipt["file"] for _, out, _ in ends for receipt in json.loads(out)]
    assert sorted(told) == sorted(f"{KEY}/{number}.csv" for number in range(files))
    assert Counter(Counter(there.rows()).values()) == {1: 3 * files}
    with it.opened() as runtime:
        assert {batch.state for batch in runtime.ledger.batches()} == {State.DELIVERED}
        assert len(runtime.ledger.batches()) == files


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_told_to_stop_stops_cleanly_and_is_gone_on_with(
    tmp_path: Path, there: Destination, number: signal.Signals
) -> None:
    it = made(tmp_path, hook=to(there.base, settings={"batch_size": 1, "in_flight": 2}))
    it.drop(FILE, people(200))
    it.drop(f"{KEY}/b.csv", people(2, 1000))
    slow(there, 0.2)
    process = it.flatdrop("run", "--json")
    there.wait_for(4)
    process.send_signal(number)
    started = time.monotonic()
    code, out, err = ended(process)
    assert time.monotonic() - started < 3
    assert (code, json.loads(out)) == (0, [])
    assert "stopped before its end; the next run goes on with it" in err
    with it.opened() as runtime:
        batch = next(one for one in runtime.ledger.batches() if one.file == FILE)
        assert runtime.ledger.in_progress(batch.id) is None  # nobody has to wait for a lease
        share = compose(Books.read(runtime.ledger, batch))["integrations"]["hook"]
    assert share["delivered"] == len(there.calls)  # what was in flight was seen through
    slow(there, 0)
    report = it.run()
    assert [counts(receipt, "hook") for receipt in report.receipts] == [{"delivered": 200}, {"delivered": 2}]
    assert set(Counter(there.rows()).values()) == {1}


def test_a_wait_for_a_busy_destination_ends_when_told_to_stop(tmp_path: Path, there: Destination) -> None:
    there.script(then=Answer(429, headers={"retry-after": "60"}))
    it = made(tmp_path, hook=to(there.base, settings={"batch_size": 1}))
    it.delivery = {"patience": 300}
    it.write()
    it.drop(FILE, people(30))
    process = it.flatdrop("run")
    there.wait_for(2)
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    started = time.monotonic()
    code, _, _ = ended(process)
    assert (code, time.monotonic() - started < 3) == (0, True)
    there.script()
    assert counts(it.one(), "hook") == {"delivered": 30}


def test_exit_codes_of_a_run(tmp_path: Path) -> None:
    with running(faults=Faults.parse("webhook=401x1")) as base:
        it = made(tmp_path, hook=enabled("webhook", base))
        it.drop(FILE, people(3))
        code, out, _ = ended(it.flatdrop("run", "--json"))
        (receipt,) = json.loads(out)
        assert (code, counts(receipt, "hook")) == (1, {"failed": 3})
        code, _, err = ended(it.flatdrop("run", "--group", "nobody"))
        assert code == 2
        assert "there is no group nobody" in " ".join(err.split())
        assert identities(base, "webhook") == []


def test_no_value_and_no_secret_reaches_the_log(tmp_path: Path) -> None:
    with running(faults=Faults.parse("webhook=500x1,hubspot=html,mailchimp=401")) as base:
        it = made(tmp_path, **{kind: enabled(kind, base) for kind in ("webhook", "hubspot", "mailchimp")})
        it.drop(FILE, table([[n, f"someone{n}@private.example" if n % 5 else "private no mail"] for n in range(1, 30)]))
        code, out, err = ended(it.flatdrop("--verbose", "run"))
    assert code == 1
    assert "integration stopped" in err
    for text in (out, err):
        assert "private" not in text
        assert "whsec_" not in text
        assert "sandbox-" not in text


def test_the_lease_is_what_the_heartbeat_renews(tmp_path: Path, there: Destination) -> None:
    """A process that dies is found out after as long as `LEASE` says, however long it ran before."""
    it = made(tmp_path, hook=to(there.base))
    it.drop(FILE, people(1))
    found: list[float] = []

    def look(_call: Any) -> Answer:
        time.sleep(1.2)  # longer than the lease: without a heartbeat it would have run out
        with it.opened() as runtime:
            (batch,) = runtime.ledger.batches(state=State.RUNNING)
            lease = runtime.ledger.in_progress(batch.id)
            assert lease is not None
            found.append((lease[1].timestamp()) - time.monotonic())
        return Answer()

    there.script(look)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "LEASE", 0.9)
        it.run()
    assert 0 < found[0] <= 0.9


def test_a_run_beside_another_says_who_has_the_file(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base))
    it.drop(FILE, people(1))
    with it.opened() as runtime:
        (key,) = runtime.groups
        (drop,) = runtime.zone.listing(key).drops
        batch = runtime.ledger.add(drop, key)
        assert batch is not None
        claim = runtime.ledger.claim(batch.id, "another", 60)
        assert claim is not None
        with holding(runtime.ledger, claim, 1.0):
            beside = runs.run(runtime, [key])
        assert beside.notices == [f"{FILE}: another process is at work on it"]
        runtime.stopping.set()
        stopped = runs.run(runtime, [key])
    assert stopped.notices == [f"{FILE}: begun by another process; the next run goes on with it"]
    assert not there.calls
