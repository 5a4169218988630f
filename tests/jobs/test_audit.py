"""The audit: what is lost, doubled, stuck or miscounted is told, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.destination import destination
from support.installation import KEY, Installation, enabled, made, people, table, to

from batch.outcome import Outcome
from integrations.sandbox import running
from jobs.audit import Audit, AuditError, against_export, against_journal

if TYPE_CHECKING:
    from support.commandline import Flatdrop  # pytest itself imports it, to rewrite its asserts

pytest_plugins = ("support.commandline",)

FILE = f"{KEY}/a.csv"


@pytest.fixture
def it(tmp_path: Path) -> Iterator[Installation]:
    """A file of twenty people, two of whom are one, delivered to the sandbox."""
    with running(tmp_path / "journal.jsonl") as base:
        it = made(tmp_path, mail=enabled("mailchimp", base), hook=enabled("webhook", base))
        it.drop(FILE, table([[n, f"p{n}@example.com"] for n in [*range(1, 20), 1]] + [[0, "no"]]))
        it.run()
    return it


def audited(it: Installation, integration: str | None = None, by: str | None = None) -> Audit:
    with it.opened() as runtime:
        (batch,) = runtime.ledger.batches()
        return against_journal(runtime, batch, it.home / "journal.jsonl", by, integration)


def lines(it: Installation) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (it.home / "journal.jsonl").read_text().splitlines()]


def journal(it: Installation, *entries: dict[str, Any]) -> None:
    (it.home / "journal.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))


def a_line(number: int) -> dict[str, Any]:
    record = {"id": str(number), "email": f"p{number}@example.com"}
    return {"at": "now", "integration": "webhook", "key": None, "record": record}


def test_where_all_is_well_it_says_so(it: Installation) -> None:
    found = audited(it)
    assert found.good
    assert {name: (share.delivered, share.found) for name, share in found.shares.items()} == {
        "mail": (19, 19),  # of which one is two rows of one person
        "hook": (20, 20),
    }
    assert audited(it, "mail", by="email_address").good


def test_a_row_that_is_not_there_is_lost(it: Installation) -> None:
    entries = lines(it)
    missing = next(entry for entry in entries if entry["integration"] == "webhook" and entry["record"]["id"] == "7")
    journal(it, *(entry for entry in entries if entry is not missing))
    found = audited(it)
    assert not found.good
    assert {name: (share.lost, share.doubled) for name, share in found.shares.items()} == {
        "mail": (0, 0),
        "hook": (1, 0),
    }


def test_a_row_that_is_there_too_often_is_doubled_unless_it_came_under_one_key(it: Installation) -> None:
    entries = lines(it)
    twice = next(entry for entry in entries if entry["integration"] == "webhook")
    assert twice["key"]
    journal(it, *entries, {**twice, "at": "later"})
    assert audited(it).good
    journal(it, *entries, {**twice, "key": "another"})
    found = audited(it).shares["hook"]
    assert (found.lost, found.doubled, found.declared, found.undeclared) == (0, 1, 0, 1)
    journal(it, *({**entry, "key": None} for entry in (*entries, {**twice, "at": "later"})))
    assert audited(it).shares["hook"].undeclared == 1


def test_rows_in_doubt_may_be_there_or_not(tmp_path: Path) -> None:
    with destination() as there:
        it = made(tmp_path, hook=to(there.base, settings={"batch_size": 1}))
        it.drop(FILE, people(2))
        it.run()
    with it.opened() as runtime:
        (batch,) = runtime.ledger.batches()
        (chunk, _) = [one for one in runtime.ledger.chunks(batch.id, "hook") if one.key]
        claimed = replace(chunk, outcome=Outcome.UNKNOWN)
        runtime.ledger.reopen(batch, [], config=None)
        claim = runtime.ledger.claim(batch.id, "me")
        assert claim is not None
        runtime.ledger.put(claim, [claimed])
    for count in (0, 1):
        journal(it, *[a_line(1)] * count, a_line(2))
        found = audited(it)
        assert found.stuck
        share = found.shares["hook"]
        assert (share.delivered, share.unknown, share.found, share.lost, share.doubled) == (1, 1, 1 + count, 0, 0)


def test_a_receipt_that_says_otherwise_is_told(it: Installation) -> None:
    with it.opened() as runtime:
        (batch,) = runtime.ledger.batches()
    (receipt,) = (it.home / "drop").rglob("receipt.json")
    said = json.loads(receipt.read_text())
    receipt.write_text(json.dumps({**said, "rows": {**said["rows"], "valid": 21}}))
    assert audited(it).breaks == ["The receipt in the drop zone is not what the ledger says."]
    receipt.unlink()
    assert audited(it).breaks == ["There is no receipt in the drop zone."]
    assert batch.state == "partial"


def test_an_export_is_looked_up_by_one_field(it: Installation) -> None:
    export = it.home / "export.csv"
    with it.opened() as runtime:
        (batch,) = runtime.ledger.batches()
        export.write_text("email_address,other\n" + "".join(f"p{n}@example.com,x\n" for n in range(1, 19)))
        found = against_export(runtime, batch, export, "email_address", "mail")
        assert found.shares["mail"].lost == 1
        with pytest.raises(AuditError, match="has no field nothing; it has email_address, other"):
            against_export(runtime, batch, export, "nothing", "mail")
        with pytest.raises(AuditError, match="mail, hook"):
            against_export(runtime, batch, export, "email_address", None)


def test_a_file_that_was_overwritten_cannot_be_audited(it: Installation) -> None:
    it.drop(FILE, people(3))
    with pytest.raises(AuditError, match="not there any more"):
        audited(it)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--journal", "journal.jsonl"], 0, "Everything is where the receipt says."),
        (["--journal", "cut.jsonl"], 1, "Something is not as the receipt says."),
        (["--journal", "bad.jsonl"], 2, "line 1 is not JSON"),
        ([], 2, "--journal or --export"),
        (["--export", "journal.jsonl"], 2, "needs --by"),
        (["--journal", "nowhere"], 2, "does not exist"),
    ],
)
def test_the_command(
    it: Installation, words: list[str], code: int, said: str, monkeypatch: pytest.MonkeyPatch, flatdrop: Flatdrop
) -> None:
    (it.home / "cut.jsonl").write_text(json.dumps(lines(it)[0]) + "\n")
    (it.home / "bad.jsonl").write_text("no\n")
    monkeypatch.chdir(it.home)
    with it.opened() as runtime:
        (batch,) = runtime.ledger.batches()
    told = flatdrop("audit", batch.id, *words)
    assert (told.code, said in " ".join((told.out + told.err).split())) == (code, True), told
