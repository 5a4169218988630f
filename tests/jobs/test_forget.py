"""Forgetting a person: nothing that the program keeps holds them any more, and no rerun brings them back."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.destination import Answer, Call, Destination, destination
from support.failing import failing
from support.installation import KEY, Installation, counts, made, to
from support.zones import Bucket

from batch.failpoints import NAMES
from batch.outcome import Outcome
from batch.taking import Offer, Taker
from jobs import audit, rerun
from jobs.forget import ForgetError, forget

pytest_plugins = ("support.ledgers",)

WHO = "jane.doe@example.com"
CANARY = b"jane"
ATTRIBUTES = {
    "email": {"type": "email", "required": True},
    "tel": {"type": "phone", "region": "SE"},
    "tags": {"type": "list"},
}
ROWS = [
    "id,email,tel,tags",
    "1,john@example.com,,",
    "2, Jane.Doe@Example.com ,,VIP",  # rejected by the destination
    "3,ann@example.com,,",  # rejected too
    "4,jane.doe@example.com,070,",  # a number that is none
    "5,jane.doe@example.com,,,,x",  # too many fields
    '6,"jane.doe@example.com"x,,',  # a misplaced quote
    "7,bob@example.com,070-123 45 67,",
]


def refusing(*addresses: str) -> Any:
    """A webhook that says no to some, and repeats their data."""

    def answer(call: Call) -> Answer:
        errors = [
            {"index": place, "code": "bad", "message": f"{one['email']} ({one['email'][:4]}) is on a list"}
            for place, one in enumerate(call.records)
            if one["email"] in addresses
        ]
        return Answer.json({"errors": errors})

    return answer


@pytest.fixture
def there() -> Iterator[Destination]:
    with destination(then=refusing(WHO, "ann@example.com")) as found:
        yield found


def installed(home: Path, base: str, ledger: str = "sqlite:///ledger.db") -> Installation:
    it = made(home)
    it.ledger = ledger
    mapping = {"id": "id", "email": "email", "tel": "tel"}
    it.group(integrations={"it": {**to(base), "mapping": mapping}}, attributes=dict(ATTRIBUTES))
    return it


def forgotten(it: Installation, value: str = WHO, attribute: str = "email") -> Any:
    with it.opened() as runtime:
        return forget(runtime, KEY, attribute, value)


def kept(it: Installation) -> dict[str, bytes]:
    """Every byte that the program keeps below the installation, the customer's own drops left out."""
    own = [path for path in it.home.rglob("*") if path.is_file() and path.parent != it.home / "drop" / KEY]
    return {str(path.relative_to(it.home)): path.read_bytes() for path in own}


def holding(it: Installation, canary: bytes = CANARY) -> list[str]:
    with it.opened() as runtime:
        said = [f.message for b in runtime.ledger.batches() for c in runtime.ledger.chunks(b.id) for f in c.findings]
    found = [name for name, content in kept(it).items() if canary in content.lower()]
    return found + [text for text in said if canary.decode() in text.lower()]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz"])
def test_a_person_of_a_file_is_erased_and_the_others_stay(
    tmp_path: Path, there: Destination, ledger_url: str, name: str
) -> None:
    (tmp_path / "home").mkdir()
    it = installed(tmp_path / "home", there.base, ledger_url)
    text = "\n".join([*ROWS, ""])
    content = (text.replace(",", "\t") if name == "a.tsv" else text).encode()
    if name.endswith("gz"):
        content = gzip.compress(content)
    it.drop(f"{KEY}/{name}", content)
    before = it.one()
    assert counts(before, "it") == {"delivered": 2, "rejected": 2}
    assert before["rows"]["invalid"] == 3
    assert holding(it)
    told = forgotten(it)
    assert (told.undelivered, told.records, told.open) == (4, 0, [])
    assert not holding(it)
    with it.opened() as runtime:
        (batch,) = runtime.ledger.batches()
        receipt = json.loads(it.zone.read(f"{KEY}/_results/a.{batch.id}/receipt.json"))
        assert audit.audit(runtime, batch, {}, None).breaks == []
    assert counts(receipt, "it") == {"delivered": 2, "rejected": 1, "filtered": 1}
    assert [row["_row"] for row in it.undelivered(receipt)] == ["3"] if name != "a.tsv" else True


def test_a_rerun_does_not_bring_them_back(tmp_path: Path, there: Destination) -> None:
    it = installed(tmp_path, there.base)
    it.drop(f"{KEY}/a.csv", "\n".join([*ROWS, ""]).encode())
    batch = it.one()["batch"]
    forgotten(it)
    there.script()
    calls = len(there.calls)
    it.groups[KEY]["attributes"]["tel"] = {"type": "string"}  # by which row 4 would be good
    it.write()
    with it.opened() as runtime:
        plan = rerun.plan(runtime, batch, outcomes=(Outcome.REJECTED, Outcome.INVALID), current=True)
        receipt = rerun.carry_out(runtime, plan, lambda _batch: lambda _what, _rows: None)
    assert [one["id"] for call in there.calls[calls:] for one in call.records] == ["3"]
    assert counts(receipt, "it") == {"delivered": 3, "filtered": 2}
    assert not holding(it)


def test_what_is_dropped_later_is_a_new_matter(tmp_path: Path, there: Destination) -> None:
    it = installed(tmp_path, there.base)
    forgotten(it)
    there.script()
    it.drop(f"{KEY}/a.csv", b"id,email\n1,jane.doe@example.com\n")
    assert counts(it.one(), "it") == {"delivered": 1}


@pytest.mark.parametrize("written", ["+46701234567", "070-123 45 67", "0701234567"])
def test_a_value_is_known_however_it_is_written(tmp_path: Path, there: Destination, written: str) -> None:
    it = installed(tmp_path, there.base)
    there.script(then=refusing("bob@example.com"))
    it.drop(f"{KEY}/a.csv", "\n".join([*ROWS, ""]).encode())
    it.one()
    assert forgotten(it, "0701234567" if written.startswith("+") else written, "tel").undelivered == 1
    assert not holding(it, b"bob")


def took(it: Installation, *records: dict[str, Any]) -> None:
    with it.opened() as runtime:
        taker = Taker(runtime.ledger.packets, runtime.zone, runtime.groups)
        lines = [json.dumps(one).encode() for one in records]
        taker.take([Offer(KEY, line, {b"\xff%d" % hash(line): 2**33}, line) for line in lines])


def test_a_record_of_the_api_is_erased_and_its_neighbours_can_be_sent_again(tmp_path: Path, there: Destination) -> None:
    it = installed(tmp_path, there.base)
    took(
        it, {"id": 1, "email": WHO, "note": "jane"}, {"id": 2, "email": "ann@example.com"}, {"id": 3, "email": "j@b.se"}
    )
    assert forgotten(it).open == ["records that wait for their batch"]
    batch = it.one()["batch"]
    assert forgotten(it).records == 1
    assert not holding(it)
    assert forgotten(it).records == 0
    there.script()
    with it.opened() as runtime:
        receipt = rerun.carry_out(
            runtime, rerun.plan(runtime, batch, outcomes=(Outcome.REJECTED,)), lambda _batch: lambda _what, _rows: None
        )
    assert counts(receipt, "it") == {"delivered": 2, "filtered": 1}
    assert there.rows()[-1] in (2, "2")


def test_nobody_else_is_touched(tmp_path: Path, there: Destination) -> None:
    it = installed(tmp_path, there.base)
    it.group("other", integrations=it.groups[KEY]["integrations"], attributes=dict(ATTRIBUTES))
    content = "\n".join([*ROWS, ""]).encode()
    it.drop(f"{KEY}/a.csv", content)
    it.drop("other/a.csv", content)
    it.run()
    theirs = {name: text for name, text in kept(it).items() if "other/" in name}
    forgotten(it)
    assert {name: text for name, text in kept(it).items() if "other/" in name} == theirs
    assert forgotten(it, "jane.doe@example.org").undelivered == 0


def test_two_are_forgotten_one_after_the_other(tmp_path: Path, there: Destination) -> None:
    it = installed(tmp_path, there.base)
    it.drop(f"{KEY}/a.csv", "\n".join([*ROWS, ""]).encode())
    it.one()
    forgotten(it)
    assert forgotten(it, "ann@example.com").undelivered == 1
    assert not holding(it)
    assert not holding(it, b"ann@")
    with it.opened() as runtime:
        (batch,) = runtime.ledger.batches()
    assert batch.state == "partial"  # three rows were never read, and that is still so


def test_a_batch_that_owes_nothing_more_is_delivered(tmp_path: Path, there: Destination) -> None:
    it = installed(tmp_path, there.base)
    it.drop(f"{KEY}/a.csv", b"id,email\n1,jane.doe@example.com\n2,x@example.com\n")
    assert it.one()["state"] == "partial"
    forgotten(it)
    with it.opened() as runtime:
        (batch,) = runtime.ledger.batches()
    assert batch.state == "delivered"


def test_jsonl_with_lines_that_are_no_records(tmp_path: Path, there: Destination) -> None:
    it = installed(tmp_path, there.base)
    lines = [
        {"id": 1, "email": "ann@example.com"},
        {"id": 2, "email": WHO},
        {"id": 3, "email": WHO, "x": {"nested": 1}},
        {"id": 4, "email": "bob@example.com", "tags": {"nested": 1}},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines) + '{"email":"jane.doe@example.com"\n'
    it.drop(f"{KEY}/a.jsonl", text.encode())
    receipt = it.one()
    assert forgotten(it).undelivered == 3
    assert not holding(it)
    assert [row["_row"] for row in it.undelivered(receipt)] == [4, 1] or [
        row["_row"] for row in it.undelivered(receipt)
    ] == [1, 4]


@pytest.mark.parametrize(
    ("attribute", "value", "said"),
    [("tags", "VIP", "is a list"), ("email", "  ", "write --match email=VALUE")],
)
def test_what_cannot_be_looked_for(tmp_path: Path, there: Destination, attribute: str, value: str, said: str) -> None:
    it = installed(tmp_path, there.base)
    with pytest.raises(ForgetError, match=re.escape(said)):
        forgotten(it, value, attribute)


def test_an_attribute_that_a_closed_group_does_not_have(tmp_path: Path, there: Destination) -> None:
    it = installed(tmp_path, there.base)
    it.groups[KEY]["unknown_attributes"] = "reject"
    it.groups[KEY]["attributes"]["id"] = {}
    it.write()
    with pytest.raises(ForgetError, match=r"no attribute emial \(did you mean email\?\)"):
        forgotten(it, WHO, "emial")


def test_on_s3(tmp_path: Path, there: Destination, monkeypatch: pytest.MonkeyPatch) -> None:
    it = made(tmp_path, Bucket.make(monkeypatch))
    it.group(integrations={"it": to(there.base)}, attributes=dict(ATTRIBUTES))
    it.drop(f"{KEY}/a.csv", "\n".join([*ROWS, ""]).encode())
    receipt = it.one()
    took(it, {"id": 1, "email": WHO})
    it.run()
    told = forgotten(it)
    assert (told.undelivered, told.records) == (5, 1)
    assert [row["_row"] for row in it.undelivered(receipt)] == ["3"]


def command(it: Installation, *orders: str, words: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    code = "from jobs.cli import main; main()"
    line = [sys.executable, "-c", code, "forget", "--group", KEY, "--match", f"email={WHO}", *words]
    return subprocess.run(
        line,
        cwd=it.home,
        env={**__import__("os").environ, **failing(*orders)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "point", [n for n in NAMES if n.startswith(("ledger.forget.", "ledger.amend.", "zone.write."))]
)
def test_a_call_that_dies_is_made_good_by_another(tmp_path: Path, there: Destination, point: str) -> None:
    it = installed(tmp_path, there.base)
    it.drop(f"{KEY}/a.csv", "\n".join([*ROWS, ""]).encode())
    took(it, {"id": 1, "email": WHO}, {"id": 2, "email": "ann@example.com"})
    it.run()
    assert command(it, f"{point}=kill").returncode == -9
    done = command(it, words=("--json",))
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)) == {"group_key", "attribute", "undelivered", "records", "messages", "open"}
    assert not holding(it)
    there.script()
    with it.opened() as runtime:
        for batch in runtime.ledger.batches():
            assert audit.audit(runtime, batch, {}, None).breaks == []
            plan = rerun.plan(runtime, batch.id, outcomes=(Outcome.REJECTED,))
            receipt = rerun.carry_out(runtime, plan, lambda _batch: lambda _what, _rows: None)
            assert counts(receipt, "it").keys() == {"delivered", "filtered"}
    assert not holding(it)


def test_what_the_command_says(tmp_path: Path, there: Destination) -> None:
    it = installed(tmp_path, there.base)
    it.drop(f"{KEY}/a.csv", "\n".join([*ROWS, ""]).encode())
    it.run()
    done = command(it)
    assert done.returncode == 0
    assert done.stdout.startswith(
        "Erased 4 lines of undelivered files, 0 records of the API and 1 message in the ledger."
    )
    took(it, {"id": 1, "email": WHO})
    waits = command(it)
    assert waits.returncode == 1
    assert "not looked at, because it is not closed: records that wait" in waits.stderr
    assert WHO not in done.stdout + done.stderr + waits.stdout + waits.stderr
