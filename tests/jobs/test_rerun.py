"""Sending again what is owed, and only that."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from support.destination import HANG, OK, Answer, Call, Destination, destination
from support.installation import KEY, NO_WAITS, Installation, counts, made, people, table, to

from batch import database, tables
from batch.outcome import Outcome
from batch.runtime import silent
from integrations.catalog import CATALOG
from integrations.integration import Resend
from jobs import rerun as reruns

pytest_plugins = ("support.ledgers",)

FILE = f"{KEY}/a.csv"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batch.retry._BACKOFF", NO_WAITS)


@pytest.fixture
def there() -> Iterator[Destination]:
    with destination() as there:
        yield there


def rerun(it: Installation, batch: str, *outcomes: str, **more: Any) -> dict[str, Any]:
    """Rerun a batch and return its receipt."""
    with it.opened() as runtime:
        wanted = [Outcome(outcome) for outcome in outcomes or ("failed",)]
        plan = reruns.plan(runtime, batch, outcomes=wanted, **more)
        assert not plan.nothing
        return reruns.carry_out(runtime, plan, lambda _batch: silent)


def planned(it: Installation, batch: str, *outcomes: str, **more: Any) -> reruns.Rerun:
    with it.opened() as runtime:
        return reruns.plan(runtime, batch, outcomes=[Outcome(outcome) for outcome in outcomes or ("failed",)], **more)


def by_row(bad: dict[int, Answer], all_others: Answer = OK) -> Any:
    """Answer each request, which holds one record, as its record's id says."""

    def answer(call: Call) -> Answer:
        (record,) = call.records
        return bad.get(int(record["id"]), all_others)

    return answer


REJECTED = Answer.json({"errors": [{"index": 0, "code": "blocked", "message": "no"}]})
ENDS = {2: REJECTED, 3: Answer(503), 4: Answer(body=b"<p>"), 5: REJECTED}


def mixed(home: Path, there: Destination, **more: Any) -> tuple[Installation, dict[str, Any]]:
    """Run a batch of which every row ends differently: row 1 is wrong, 2 and 5 rejected, 3 failed, 4 unknown."""
    there.script(then=by_row(ENDS))
    it = made(home, hook=to(there.base, settings={"batch_size": 1}, **more))
    it.drop(FILE, table([[1, "no address"], *([n, f"p{n}@example.com"] for n in range(2, 8))]))
    receipt = it.one()
    assert counts(receipt, "hook") == {"rejected": 2, "failed": 1, "unknown": 1, "delivered": 2}
    there.script()
    there.calls.clear()
    return it, receipt


# --- what is owed, and only that


@pytest.mark.parametrize(
    ("outcomes", "sent", "left"),
    [
        (["failed"], ["3"], {"rejected": 2, "unknown": 1, "delivered": 3}),
        (["unknown"], ["4"], {"rejected": 2, "failed": 1, "delivered": 3, "possible_duplicates": 1}),
        (["rejected"], ["2", "5"], {"failed": 1, "unknown": 1, "delivered": 4}),
        (["failed", "unknown", "rejected"], ["2", "3", "4", "5"], {"delivered": 6, "possible_duplicates": 1}),
    ],
)
def test_rows_that_ended_so_are_sent_again_and_no_others(
    tmp_path: Path, there: Destination, outcomes: list[str], sent: list[str], left: dict[str, int]
) -> None:
    it, first = mixed(tmp_path, there)
    receipt = rerun(it, first["batch"], *outcomes)
    assert sorted(there.rows()) == sent
    assert counts(receipt, "hook") == left
    assert receipt["batch"] == first["batch"]
    assert receipt["rows"] == first["rows"]
    assert {line["_row"] for line in it.undelivered(receipt)} == {"1", "2", "3", "4", "5"} - set(sent)


def test_a_rerun_works_on_every_ledger(tmp_path: Path, there: Destination, ledger_url: str) -> None:
    there.script(then=Answer(503))
    it = made(tmp_path, hook=to(there.base))
    it.ledger = ledger_url
    it.write()
    it.drop(FILE, people(3))
    first = it.one()
    assert counts(first, "hook") == {"failed": 3}
    there.script()
    there.calls.clear()
    receipt = rerun(it, first["batch"])
    assert (receipt["state"], sorted(there.rows())) == ("delivered", ["1", "2", "3"])
    assert receipt["finished_at"] > first["finished_at"]
    assert it.undelivered(receipt) == []


ANSWERS = {"delivered": OK, "rejected": REJECTED, "failed": Answer(503), "unknown": Answer(body=b"<p>")}
ROWS = range(1, 7)


def ways() -> st.SearchStrategy[dict[int, str]]:
    """How each row ends, if it is sent; no more failures than a lane endures."""
    each = st.fixed_dictionaries({row: st.sampled_from(sorted(ANSWERS)) for row in ROWS})
    return each.filter(lambda ends: list(ends.values()).count("failed") < 3)


def asked() -> st.SearchStrategy[tuple[str | None, set[str], dict[int, str], dict[int, str]]]:
    """A rerun: of one integration or both, for which outcomes, and how the rows end now."""
    outcomes = st.sets(st.sampled_from(["failed", "unknown", "rejected"]), min_size=1)
    return st.tuples(st.sampled_from(["one", "two", None]), outcomes, ways(), ways())


@settings(max_examples=25)
@given(first=st.tuples(ways(), ways()), reruns_=st.lists(asked(), min_size=1, max_size=3))
def test_whatever_ended_how_a_rerun_sends_what_was_asked_for_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, first: tuple[dict[int, str], ...], reruns_: list[Any]
) -> None:
    with destination() as one, destination() as two, patch("batch.retry._BACKOFF", NO_WAITS):
        theirs = {"one": one, "two": two}
        hooks = {name: to(there.base, settings={"batch_size": 1}) for name, there in theirs.items()}
        it = made(tmp_path_factory.mktemp("reruns"), **hooks)
        it.drop(FILE, people(len(ROWS)))

        def answering(ends: dict[str, dict[int, str]]) -> None:
            for name, there in theirs.items():
                there.calls.clear()
                there.script(then=by_row({row: ANSWERS[end] for row, end in ends[name].items()}))

        state = dict(zip(theirs, first, strict=True))
        answering(state)
        batch = it.one()["batch"]
        for only, outcomes, *now in reruns_:
            ends = dict(zip(theirs, now, strict=True))
            owed = {
                name: {row for row, end in state[name].items() if end in outcomes} if only in (None, name) else set()
                for name in theirs
            }
            answering(ends)
            if not any(owed.values()):
                assert planned(it, batch, *outcomes, integration=only).nothing
                continue
            receipt = rerun(it, batch, *outcomes, integration=only)
            for name, there in theirs.items():
                tries = Counter(map(int, there.rows()))
                assert tries.keys() == owed[name]
                state[name] = state[name] | {row: ends[name][row] for row in owed[name]}
                told = {end: n for end, n in counts(receipt, name).items() if end in ANSWERS}
                assert told == Counter(state[name].values())
            assert {line["_row"] for line in it.undelivered(receipt)} == {
                str(row) for ends in state.values() for row, end in ends.items() if end != "delivered"
            }


def test_one_integration_alone(tmp_path: Path, there: Destination) -> None:
    with destination(then=Answer(503)) as other:
        there.script(then=Answer(503))
        it = made(tmp_path, one=to(there.base), two=to(other.base))
        it.drop(FILE, people(3))
        first = it.one()
        there.script()
        other.script()
        there.calls.clear()
        other.calls.clear()
        receipt = rerun(it, first["batch"], integration="two")
    assert (there.calls, sorted(other.rows())) == ([], ["1", "2", "3"])
    assert counts(receipt, "one") == {"failed": 3}
    assert counts(receipt, "two") == {"delivered": 3}


def test_again_and_again_until_nothing_is_owed(tmp_path: Path, there: Destination) -> None:
    it, first = mixed(tmp_path, there)
    there.script(then=by_row({3: Answer(503)}))
    assert counts(rerun(it, first["batch"]), "hook")["failed"] == 1
    there.script()
    assert "failed" not in counts(rerun(it, first["batch"]), "hook")
    assert planned(it, first["batch"]).nothing


@pytest.mark.parametrize("outcome", ["failed", "unknown", "rejected"])
def test_a_delivered_batch_owes_nothing(tmp_path: Path, there: Destination, outcome: str) -> None:
    it = made(tmp_path, hook=to(there.base))
    it.drop(FILE, people(3))
    assert planned(it, it.one()["batch"], outcome).nothing


# --- what may be doubled


def test_what_is_unknown_goes_out_under_its_old_key_with_equal_bytes(tmp_path: Path, there: Destination) -> None:
    there.script(then=Answer(body=b"<p>"))
    it = made(tmp_path, hook=to(there.base, settings={"batch_size": 4}))
    it.drop(FILE, people(10))
    first = it.one()
    former = {call.key: call.body for call in there.calls}
    there.script()
    there.calls.clear()
    receipt = rerun(it, first["batch"], "unknown")
    assert {call.key: call.body for call in there.calls} == former
    assert counts(receipt, "hook") == {"delivered": 10, "possible_duplicates": 10}


def test_what_failed_with_an_error_that_may_have_been_a_yes_goes_out_under_its_old_key(
    tmp_path: Path, there: Destination
) -> None:
    """A destination that stored the records and then said 500 until we gave up must not get them under a new key."""
    there.script(then=Answer(500))
    it = made(tmp_path, hook=to(there.base))
    it.drop(FILE, people(3))
    first = it.one()
    assert counts(first, "hook") == {"failed": 3, "possible_duplicates": 3}
    former = {call.key for call in there.calls}
    share = planned(it, first["batch"]).shares["hook"]
    assert share.possible_duplicates == 3
    there.script()
    there.calls.clear()
    rerun(it, first["batch"])
    assert {call.key for call in there.calls} == former


def test_what_was_surely_not_taken_goes_out_afresh(tmp_path: Path, there: Destination) -> None:
    there.script(then=Answer(503))
    it = made(tmp_path, hook=to(there.base))
    it.drop(FILE, people(3))
    first = it.one()
    former = {call.key for call in there.calls}
    assert planned(it, first["batch"]).shares["hook"].possible_duplicates == 0
    there.script()
    there.calls.clear()
    assert counts(rerun(it, first["batch"]), "hook") == {"delivered": 3}
    assert former.isdisjoint(call.key for call in there.calls)


def test_a_bare_destination_is_sent_unknown_rows_only_when_an_operator_says_so(
    tmp_path: Path, there: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = replace(CATALOG["webhook"], resend=Resend.BARE)
    for place in ("batch.planning.CATALOG",):
        monkeypatch.setattr(place, {**CATALOG, "webhook": one})
    there.script(then=HANG)
    it = made(tmp_path, hook=to(there.base, settings={"timeout": 0.3}))
    it.drop(FILE, people(3))
    first = it.one()
    there.calls.clear()
    assert counts(first, "hook") == {"unknown": 3}
    assert planned(it, first["batch"], "failed").nothing
    share = planned(it, first["batch"], "unknown").shares["hook"]
    assert "may be doubled" in reruns.risk(share)
    there.script()
    receipt = rerun(it, first["batch"], "unknown")
    assert counts(receipt, "hook") == {"delivered": 3, "possible_duplicates": 3}
    assert sorted(there.rows()) == ["1", "2", "3"]


# --- by which configuration


def test_the_original_configuration_or_todays(tmp_path: Path, there: Destination) -> None:
    it, first = mixed(tmp_path, there, mapping={"id": "id", "word": "'old'"})
    url = {"settings": {"batch_size": 1}}
    it.group(integrations={"hook": to(there.base, mapping={"id": "id", "word": "'new'"}, **url)})
    rerun(it, first["batch"], "failed")
    assert there.rows("word") == ["old"]
    receipt = rerun(it, first["batch"], "rejected", current=True)
    assert there.rows("word") == ["old", "new", "new"]
    assert receipt["config"] != first["config"]
    assert recorded(it) == [
        ("first", first["config"]),
        ("rerun", first["config"]),
        ("rerun", receipt["config"]),
    ]


def recorded(it: Installation) -> list[tuple[str, str]]:
    """What the ledger says of each run: why it began, and by which configuration it went."""
    with it.opened() as runtime, database.read(runtime.ledger._engine) as connection:
        each = connection.execute(select(tables.runs).order_by(tables.runs.c.token))
        return [(row.trigger.value, row.config) for row in each]


def test_a_mapping_mended_in_between_mends_the_rows_that_it_broke(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base, mapping={"id": "id", "n": "cast(number as int)"}))
    it.drop(
        FILE, table([[n, f"p{n}@example.com", "one" if n == 2 else n] for n in range(1, 4)], ("id", "email", "number"))
    )
    first = it.one()
    assert counts(first, "hook") == {"delivered": 2, "invalid": 1}
    it.group(integrations={"hook": to(there.base, mapping={"id": "id", "n": "try_cast(number as int)"})})
    there.calls.clear()
    receipt = rerun(it, first["batch"], "invalid", current=True)
    assert there.rows() == ["2"]
    assert receipt["state"] == "delivered"


def test_rules_mended_in_between_let_rows_in_that_the_check_refused(tmp_path: Path, there: Destination) -> None:
    it, first = mixed(tmp_path, there)
    integrations = it.groups[KEY]["integrations"]
    it.group(integrations=integrations, attributes={"email": {"type": "string"}})
    assert planned(it, first["batch"], "invalid", current=True).unchecked == 1
    receipt = rerun(it, first["batch"], "invalid", current=True)
    assert there.rows() == ["1"]
    assert receipt["rows"] == {"read": 7, "valid": 7, "invalid": 0}
    assert counts(receipt, "hook")["delivered"] == 3


def test_rules_that_are_stricter_now_make_owed_rows_invalid_and_not_sent(tmp_path: Path, there: Destination) -> None:
    it, first = mixed(tmp_path, there)
    integrations = it.groups[KEY]["integrations"]
    it.group(integrations=integrations, attributes={"id": {"one_of": ["1", "2", "4", "5", "6", "7"]}, "email": {}})
    receipt = rerun(it, first["batch"], "failed", current=True)
    assert there.calls == []
    assert counts(receipt, "hook") == {"rejected": 2, "invalid": 1, "unknown": 1, "delivered": 2}


def test_an_integration_that_is_gone_can_be_rerun_as_it_was(tmp_path: Path, there: Destination) -> None:
    it, first = mixed(tmp_path, there)
    it.group(integrations={"another": to(there.base)})
    with pytest.raises(reruns.RerunError, match="use --config original"):
        planned(it, first["batch"], current=True)
    assert counts(rerun(it, first["batch"]), "hook")["delivered"] == 3


def test_a_failed_file_is_read_again_by_todays_configuration(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base))
    it.drop(FILE, "id;email;namn\n1;a@example.com;Åsa\n".encode("latin-1"))
    first = it.one()
    assert first["state"] == "failed"
    assert planned(it, first["batch"]).whole_file
    assert rerun(it, first["batch"])["state"] == "failed"  # by the original
    it.group(integrations=it.groups[KEY]["integrations"], files={"delimiter": ";", "encoding": "latin-1"})
    receipt = rerun(it, first["batch"], current=True)
    assert (receipt["state"], receipt["reason"], receipt["batch"]) == ("delivered", None, first["batch"])
    assert there.rows() == ["1"]


def test_row_numbers_may_not_come_to_mean_other_rows(tmp_path: Path, there: Destination) -> None:
    it, first = mixed(tmp_path, there)
    it.group(integrations=it.groups[KEY]["integrations"], files={"encoding": "utf-16-le"})
    receipt = rerun(it, first["batch"], current=True)
    assert receipt["reason"].startswith("file.")
    assert there.calls == []
    assert counts(receipt, "hook") == counts(first, "hook")


def test_a_file_that_has_changed_since_cannot_be_sent_again(tmp_path: Path, there: Destination) -> None:
    it, first = mixed(tmp_path, there)
    it.drop(FILE, people(2, 100))
    receipt = rerun(it, first["batch"], "failed", "unknown", "rejected")
    assert there.calls == []
    assert receipt["reason"].startswith("file.changed")
    # what was never answered is unknown as before, and not something that is safe to send again
    assert counts(receipt, "hook") == {"delivered": 2, "failed": 3, "unknown": 1}


# --- what is not possible


def test_what_is_being_processed_is_not_rerun(tmp_path: Path, there: Destination) -> None:
    it, first = mixed(tmp_path, there)
    with it.opened() as runtime:
        plan = reruns.plan(runtime, first["batch"])
        reruns.reopen(runtime, plan)
        with pytest.raises(reruns.RerunError, match="is not closed yet"):
            reruns.plan(runtime, first["batch"])
        assert runtime.ledger.claim(first["batch"], "somebody")
        with pytest.raises(reruns.RerunError, match="is being processed by somebody"):
            reruns.plan(runtime, first["batch"])
        with pytest.raises(reruns.RerunError, match="is being processed"):
            reruns.carry_out(runtime, plan, lambda _batch: silent)
    assert there.calls == []


def test_a_rerun_that_was_queued_and_killed_is_gone_on_with_by_a_run(tmp_path: Path, there: Destination) -> None:
    it, first = mixed(tmp_path, there)
    with it.opened() as runtime:
        reruns.reopen(runtime, reruns.plan(runtime, first["batch"]))
    assert counts(it.one(), "hook") == {"rejected": 2, "unknown": 1, "delivered": 3}
    assert there.rows() == ["3"]


@pytest.mark.parametrize(("batch", "integration"), [("nonsense", None), (None, "nobody")])
def test_what_is_not_there_is_told(
    tmp_path: Path, there: Destination, batch: str | None, integration: str | None
) -> None:
    it, first = mixed(tmp_path, there)
    with pytest.raises(reruns.RerunError, match="there is no batch nonsense" if batch else "no integration nobody"):
        planned(it, batch or first["batch"], integration=integration)


# --- what the plan says


@pytest.mark.parametrize(
    ("outcomes", "rows", "requests", "doubled"),
    [(["failed"], 1, 1, 0), (["unknown"], 1, 1, 1), (["rejected"], 2, 2, 0), (["failed", "unknown"], 2, 2, 1)],
)
def test_a_plan_says_rows_requests_and_risk_and_does_nothing(
    tmp_path: Path, there: Destination, outcomes: Collection[str], rows: int, requests: int, doubled: int
) -> None:
    it, first = mixed(tmp_path, there)
    share = planned(it, first["batch"], *outcomes).shares["hook"]
    assert (share.rows, share.requests, share.possible_duplicates) == (rows, requests, doubled)
    assert there.calls == []
    receipt = rerun(it, first["batch"], *outcomes)  # and it was true
    assert len(there.calls) == requests
    assert counts(receipt, "hook").get("possible_duplicates", 0) == doubled


def test_the_command_line(tmp_path: Path, there: Destination) -> None:
    it, first = mixed(tmp_path, there)
    said: list[str] = []

    def flatdrop(*words: str) -> tuple[int, Any]:
        process = it.flatdrop("rerun", *words, "--json")
        out, err = process.communicate(timeout=30)
        assert "Traceback" not in err
        said.append(err)
        return process.returncode, json.loads(out) if out else err

    code, plan = flatdrop(first["batch"], "--outcome", "failed,unknown", "--dry-run")
    assert (code, plan["integrations"]["hook"]["rows"], there.calls) == (0, 2, [])
    code, receipt = flatdrop(first["batch"], "--outcome", "failed,unknown")
    assert (code, sorted(there.rows())) == (0, ["3", "4"])
    assert "hook: 2 rows in 2 requests; 1 rows may reach it twice; it recognises them by" in said[-1]
    assert Counter(counts(receipt, "hook")) == Counter(delivered=4, rejected=2, possible_duplicates=1)
    code, receipt = flatdrop(first["batch"])
    assert (code, receipt["batch"], len(there.calls)) == (0, first["batch"], 2)  # nothing was owed
    assert flatdrop("nonsense")[0] == 2


def test_other_bytes_at_the_same_version_are_not_taken_for_those_that_were_read(
    tmp_path: Path, there: Destination
) -> None:
    it, receipt = mixed(tmp_path, there)
    (file,) = tmp_path.rglob("a.csv")
    before = file.stat()
    file.write_bytes(file.read_bytes().replace(b"p3@", b"q3@"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    again = rerun(it, receipt["batch"])
    assert again["reason"].startswith("file.changed")
    assert there.rows() == []
