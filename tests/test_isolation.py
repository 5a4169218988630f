"""Three groups, every command and every endpoint: what is done for one shows and changes nothing of the others."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.client import Answer as Told
from support.destination import Answer, Destination, destination
from support.installation import Installation, made, table, to
from support.served import Served, served
from support.server import take

from api.openapi.document import document
from jobs.commandline import commands

if TYPE_CHECKING:
    from support.commandline import Flatdrop  # pytest itself imports it, to rewrite its asserts

pytest_plugins = ("support.commandline",)

MINE, OTHERS = "abc", ("abc2", "ab")  # one begins as mine does, and mine begins as the other
GROUPS = (MINE, *OTHERS)

WORDS = {
    "run": ["run --group abc --json", "run --file abc/new.csv --json", "run --group abc"],
    "check": ["check abc.csv --group abc --json"],
    "preview": ["preview abc.csv --group abc --json"],
    "batches": ["batches --group abc --json", "batches --group abc"],
    "show": ["show BATCH --json", "show BATCH"],
    "audit": ["audit BATCH --export abc.csv --by email --json"],
    "rerun": ["rerun BATCH --outcome rejected --dry-run --json", "rerun BATCH --outcome rejected,invalid"],
    "forget": ["forget --group abc --match email=b-abc@example.com --json"],
    "connect test": ["connect test --group abc --json", "connect test --group abc"],
    "keys create": ["keys create --group abc --json"],
}
ALIKE_FOR_ALL = {  # what has no group: they show what is the operator's, or nothing that was sent
    *("", "demo", "init", "serve", "integrations", "sandbox", "keys list", "keys revoke"),
    *("config check", "config test", "config schema"),
}


def secret(group: str) -> str:
    """A word that stands in everything of a group, and nowhere else."""
    return f"canary-of-{group}-"


def people(group: str) -> bytes:
    rows = [[n, f"{who}-{group}@example.com", secret(group)] for n, who in enumerate("abc")]
    return table([*rows, [9, f"nobody-{secret(group)}", secret(group)]], ("id", "email", "name"))


def refusing(call: Any) -> Answer:
    """No to one person, in words that repeat what they are called."""
    places = [place for place, one in enumerate(call.records) if one["email"].startswith("b-")]
    words = [{"index": place, "message": f"{call.records[place]['name']} is on a list"} for place in places]
    return Answer.json({"errors": words})


@pytest.fixture
def theirs() -> Iterator[dict[str, Destination]]:
    with ExitStack() as stack:
        yield {group: stack.enter_context(destination(then=refusing)) for group in GROUPS}


@pytest.fixture
def it(tmp_path: Path, theirs: dict[str, Destination]) -> Installation:
    """All three have had a batch of a file and one of a record, and have a file that waits."""
    it = made(tmp_path)
    shutil.rmtree(tmp_path / "groups")
    it.groups.clear()
    for group in GROUPS:
        mapping = {"id": "id", "email": "email", "name": "name"}
        hook = {**to(theirs[group].base), "mapping": mapping}
        attributes = {"email": {"type": "email"}, "name": {}}
        it.group(group, name=secret(group), integrations={f"hook-{group}": hook}, attributes=attributes)
        it.drop(f"{group}/old.csv", people(group))
        (tmp_path / f"{group}.csv").write_bytes(people(group))
        with it.opened() as runtime:
            take(runtime, {"id": 1, "email": f"a-{group}@example.com", "name": secret(group)}, key=group)
    it.run()
    for group in GROUPS:
        it.drop(f"{group}/new.csv", people(group))
    return it


def of_others(it: Installation, theirs: dict[str, Destination]) -> dict[str, Any]:
    """Everything there is of the other groups: files, what the ledger knows, and what their destinations got."""
    found: dict[str, Any] = {group: len(theirs[group].calls) for group in OTHERS}
    for path in (it.home / "drop").rglob("*"):
        if path.is_file() and path.relative_to(it.home / "drop").parts[0] in OTHERS:
            found[str(path)] = path.read_bytes()
    with it.opened() as runtime:
        for batch in runtime.ledger.batches(OTHERS):
            found[batch.id] = batch, [(c.id, c.state, c.rows.tolist()) for c in runtime.ledger.chunks(batch.id)]
    return found


def test_every_command_is_tried_or_has_no_group() -> None:
    assert {name.removeprefix("flatdrop").strip() for name, _ in commands()} == WORDS.keys() | ALIKE_FOR_ALL


@pytest.mark.parametrize("words", [line for lines in WORDS.values() for line in lines])
def test_a_command_for_one_group_shows_and_changes_nothing_of_the_others(
    it: Installation,
    theirs: dict[str, Destination],
    flatdrop: Flatdrop,
    monkeypatch: pytest.MonkeyPatch,
    words: str,
) -> None:
    monkeypatch.chdir(it.home)
    with it.opened() as runtime:
        batch = next(one.id for one in runtime.ledger.batches(MINE) if one.file == f"{MINE}/old.csv")
    before = of_others(it, theirs)
    done = flatdrop(*words.replace("BATCH", batch).split())
    assert done.code in (0, 1), done.err
    assert of_others(it, theirs) == before
    for group in OTHERS:
        for word in (secret(group), f"{group}/", f"hook-{group}", f"-{group}@"):
            assert word not in (done.out + done.err).replace(f"{MINE}/", "").replace(f"hook-{MINE}", ""), word


ENDPOINTS = {
    "POST /v1/records": ("POST", "/v1/records", {"data": {"email": "x@example.com"}, "group_key": "GROUP"}),
    "GET /v1/records/{record_id}": ("GET", "/v1/records/RECORD", None),
    "GET /v1/batches": ("GET", "/v1/batches?group_key=GROUP", None),
    "GET /v1/batches/{batch}": ("GET", "/v1/batches/BATCH", None),
    "POST /v1/uploads": ("POST", "/v1/uploads", {"file": "x.csv", "group_key": "GROUP"}),
}
OPEN = {"GET /healthz", "GET /readyz", "GET /v1/openapi.json"}  # without a signature, and the same for everybody
BY_ADDRESS = {"PUT /v1/uploads"}  # the address is signed for one file; tests/api/test_uploads.py


def test_every_endpoint_is_tried_or_has_no_group() -> None:
    found = {
        f"{verb.upper()} {path}" for path, of in document()["paths"].items() for verb in of if verb != "parameters"
    }
    assert found - OPEN - BY_ADDRESS == set(ENDPOINTS)


@pytest.fixture
def server(it: Installation) -> Iterator[Served]:
    with served(it) as server:
        yield server


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_another_group_is_answered_as_one_that_is_not_there(
    it: Installation, server: Served, theirs: dict[str, Destination], endpoint: str
) -> None:
    method, path, body = ENDPOINTS[endpoint]
    client = server.client(MINE)

    def asked(group: str, record: str, batch: str) -> Told:
        target = path.replace("GROUP", group).replace("RECORD", record).replace("BATCH", batch)
        text = b"" if body is None else json.dumps(body).replace("GROUP", group).encode()
        headers = {"Content-Type": "application/json"} if body else {}
        return client.send(method, target, text, headers)

    def of(group: str) -> tuple[str, str, str]:
        batch = server.runtime.ledger.batches(group)[0]
        with it.opened() as runtime:
            packets = [p for b in runtime.ledger.batches(group) for p in runtime.ledger.packets.of(b.id)]
        return group, packets[0].record_id(1), batch.id

    before = of_others(it, theirs)
    assert asked(*of(MINE)).status in (200, 201, 202)
    nobody = asked("nobody", "20261123T000000000Z-aaaaaaaa-1", "20261123T000000Z-aaaaaaaa")
    assert nobody.status in (403, 404)
    for group in OTHERS:
        answer = asked(*of(group))
        assert (answer.status, answer.body) == (nobody.status, nobody.body)
        assert secret(group).encode() not in answer.body
    assert of_others(it, theirs) == before
