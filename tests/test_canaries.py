"""Fifty values of people and ten secrets, planted wherever there is room: nobody says them who should not."""

from __future__ import annotations

import base64
import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import select
from support.client import Client, raw
from support.destination import Answer, Call, Destination, destination
from support.failing import failing
from support.installation import KEY, Installation, enabled, made, to
from support.server import server

from batch import database, packing, tables

VALUES = [f"kanarie{n:02}xqz" for n in range(50)]
NUMBERS = [f"8471{n:02}90{n:02}31" for n in range(50)]  # for places that take digits only: of the same people
ATTRIBUTES: dict[str, Any] = {
    "email": {"type": "email", "required": True, "unique": True},
    "tel": {"type": "phone", "region": "SE"},
    "born": {"type": "date"},
    "when": {"type": "datetime"},
    "sum": {"type": "number", "max": 10},
    "count": {"type": "integer"},
    "yes": {"type": "boolean"},
    "kind": {"one_of": ["web", "store"]},
    "code": {"matches": "^[0-9]{3}$"},
    "short": {"max_length": 3},
    "tags": {"type": "list", "one_of": ["a", "b"]},
}
MAPPING = {"email": "email", "id": "id", "n": "CAST(note AS INT)", "d": "CAST(note AS DATE)"}

_values = itertools.cycle(VALUES)


def row(**more: str) -> dict[str, str]:
    return {"id": next(_values), "email": f"{next(_values)}@example.com", **more}


def rows() -> Iterator[dict[str, str]]:
    """One good record, and one for each rule that a value can break."""
    yield row()
    for name in ("tel", "born", "when", "sum", "count", "yes", "kind", "code", "short", "tags"):
        yield row(**{name: next(_values)})
    yield row(sum=NUMBERS[0], count=NUMBERS[1] * 3, tel=NUMBERS[2], born=NUMBERS[3])
    yield {"id": next(_values), "email": next(_values)}
    yield row(note=next(_values))  # the mapping fails on it


def csv_file() -> bytes:
    names = ["id", "note", *ATTRIBUTES]
    good = [",".join(one.get(name, "") for name in names) for one in rows()]
    bad = [
        f"{next(_values)},too,few",
        f'"{next(_values)}"x' + "," * (len(names) - 1),
        f"{next(_values)}\0" + "," * (len(names) - 1),
    ]
    return "\n".join([",".join(names), *good, *bad, good[0], ""]).encode()


def jsonl_file() -> bytes:
    bad = [
        '{"id": {"nested": "%s"}}', '{"id": "%s", "id": 1}', '{"id": "%s\\ud800"}', '{"id": "%s"', '"%s"',
        '{"%s": [[1]]}', '{"email": "x@example.com", "%s": "undeclared"}',
    ]  # fmt: skip
    lines = [json.dumps(one) for one in rows()] + [one % next(_values) for one in bad]
    return "\n".join(lines).encode()


FILES = {
    "people.csv": csv_file(),
    "people.jsonl": jsonl_file(),
    "headless.csv": f"{next(_values)},{next(_values)}@example.com\n1,2\n".encode(),  # a person where the header belongs
    "twice.csv": f"{VALUES[7]},{VALUES[7]}\n".encode(),
    "open.csv": f'id,email\n1,"{next(_values)}\n'.encode(),
    "latin.csv": f"id,email\n{next(_values)}å,x@example.com\n".encode("latin-1"),
}

SECRETS = {name: f"hemlighet{n}-{name.replace('_', '-')}-zqx" for n, name in enumerate(
    ["hook", "mail", "hubspot", "ledger_password", "s3", "query", "path", "aws_token"]
)}  # fmt: skip
SECRETS["vault"] = base64.b64encode(b"hemlig nyckel till valvet, 32 b.").decode()
HOOK = "whsec_" + base64.b64encode(SECRETS["hook"].encode()).decode()


def echo(call: Call) -> Answer:
    """Repeat what came, in every way in which a destination can, one after the other."""
    said = call.body.decode() + json.dumps(call.headers)
    turn = len(SEEN)
    SEEN.append(turn)
    kinds = [
        Answer.json({"errors": [{"index": 0, "code": "no", "message": said}]}),
        Answer.json({"message": said}, 400),
        Answer(500, said.encode(), {"content-type": "text/plain"}),
        Answer(200, b"<html>" + said.encode() + b"</html>"),
        Answer(302, b"", {"location": f"/{VALUES[0]}"}),
        Answer(200, b"{", {"x-said": VALUES[1]}),
    ]
    return kinds[turn % len(kinds)]


SEEN: list[int] = []


@dataclass
class Heard:
    """What was said, by whom."""

    texts: dict[str, str] = field(default_factory=dict)

    def holding(self, words: list[str]) -> list[tuple[str, str]]:
        return [(who, word) for who, text in self.texts.items() for word in words if word in text]


_DRIVER = """
import json, os, sys
from jobs.cli import main
for number, (words, env) in enumerate(json.load(sys.stdin)):
    os.environ.update(env)
    sys.argv = ["flatdrop", "-v", *words]
    for stream in (sys.stdout, sys.stderr):
        print(f"--- {number}", file=stream, flush=True)
    try:
        main()
    except SystemExit:
        pass
    for name in env:
        del os.environ[name]
"""


def commands(it: Installation, each: dict[str, tuple[str, dict[str, str]]], *orders: str) -> dict[str, str]:
    """Run commands one after the other, in a process of their own, and return what each says."""
    asked = json.dumps([(words.split(), env) for words, env in each.values()])
    env = {**os.environ, **SURROUNDINGS, **failing(*orders)}
    done = subprocess.run(
        [sys.executable, "-c", _DRIVER], input=asked, cwd=it.home, env=env, capture_output=True, text=True, check=True
    )
    streams = [re.split(r"^--- \d+\n", text, flags=re.MULTILINE)[1:] for text in (done.stdout, done.stderr)]
    return {name: out + err for name, out, err in zip(each, *streams, strict=True)}


def command(it: Installation, words: str, *orders: str, **env: str) -> str:
    return commands(it, {"it": (words, env)}, *orders)["it"]


SURROUNDINGS = {
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": SECRETS["s3"],
    "AWS_SESSION_TOKEN": SECRETS["aws_token"],
}


@pytest.fixture(scope="module")
def there() -> Iterator[Destination]:
    with destination(then=echo) as there:
        yield there


@pytest.fixture(scope="module")
def it(tmp_path_factory: pytest.TempPathFactory, there: Destination) -> Installation:
    it = made(tmp_path_factory.mktemp("canaries"))
    url = f"{there.base}/{SECRETS['path']}?token={SECRETS['query']}"
    settings = {"batch_size": 2}
    hook = {**to(url, settings=settings), "mapping": {name: MAPPING[name] for name in ("email", "id")}}
    others = {kind: enabled(kind, there.base) for kind in ("mailchimp", "hubspot")}
    for one in others.values():
        one["mapping"] = {name: sql for name, sql in one["mapping"].items() if sql == "email"}
    it.group(integrations={"it": hook, "casts": {**hook, "mapping": MAPPING}, **others}, attributes=ATTRIBUTES)
    it.delivery = {"tries": 1, "patience": 0, "timeout": 5}
    it.write()
    (it.home / "secrets" / "webhook.secret").write_text(HOOK)
    (it.home / "secrets" / "mailchimp.api_key").write_text(f"{SECRETS['mail']}-us1")
    (it.home / "secrets" / "hubspot.access_token").write_text(SECRETS["hubspot"])
    (it.home / "secrets" / "flatdrop.key").write_text(SECRETS["vault"])
    for name, content in FILES.items():
        it.drop(f"{KEY}/{name}", content)
        (it.home / f"local-{name}").write_bytes(content)
    return it


@pytest.fixture(scope="module")
def heard(it: Installation, there: Destination) -> Heard:
    """Everything is done once, and everything that goes wrong with it."""
    heard = Heard()
    heard.texts["a run that fails"] = command(it, "run", "ledger.put_chunks.before=fail:3")
    heard.texts["a run"] = command(it, "run")
    with it.opened() as runtime:
        batches = [batch.id for batch in runtime.ledger.batches()]
    each = {f"rerun {one}": f"rerun {one} --outcome failed,unknown,rejected,invalid" for one in batches}
    each |= {f"check {name}": f"check local-{name} --group {KEY}" for name in FILES}
    every = ("config check", "batches", "keys list", "audit none --export local-people.csv --by id")
    each |= {words: words for words in every}
    each |= {"forget": f"forget --group {KEY} --match id={VALUES[3]}"}
    each |= {f"show {one}": f"show {one}" for one in batches}
    heard.texts |= commands(it, {name: (words, {}) for name, words in each.items()})
    heard.texts |= _wrong_configurations(it)
    for name in (name for name in heard.texts if name.startswith(("show", "rerun", "a run"))):
        heard.texts[name] = _without_words(heard.texts[name])
    credential = key_for_vault(it)
    with server(it, lease=None, env={**os.environ, **SURROUNDINGS}) as one:
        _call(Client(one.base, credential), heard)
        assert one.stop() == 0
        heard.texts["serve"] = one.said
    SECRETS["api"] = credential.secret
    assert len(SEEN) > 12  # every answer came, and came again
    return heard


def key_for_vault(it: Installation) -> Any:
    from api.issuing import issue
    from api.vault import Vault

    with it.opened() as runtime:
        return issue(runtime.ledger, Vault(SECRETS["vault"]), [KEY])


def _without_words(shown: str) -> str:
    """A receipt repeats a destination's own words, as it declares; the column of these is left out."""
    return re.sub(r"(HTTP \d+:|\{).*", "", shown)


def _wrong_configurations(it: Installation) -> dict[str, str]:
    """What is said of secrets that are no good."""
    said = {}
    secret = it.home / "secrets" / "webhook.secret"
    for wrong in (SECRETS["hook"], f"{HOOK}\n{SECRETS['hook']}", f"whsec_{SECRETS['hook']}%"):
        secret.write_text(wrong)
        said[f"a secret that is {wrong[:9]}"] = command(it, "run")
    secret.write_text(HOOK)
    user = f"somebody:{SECRETS['ledger_password']}"
    nowhere = {"FLATDROP_DROP_ZONE": "s3://nowhere", "FLATDROP_S3__ENDPOINT_URL": "http://127.0.0.1:9"}
    return said | commands(
        it,
        {
            "a ledger that is not there": (
                "batches",
                {"FLATDROP_LEDGER": f"postgresql+psycopg://{user}@127.0.0.1:9/x"},
            ),
            "a ledger's wrong port": ("batches", {"FLATDROP_LEDGER": f"postgresql://{user}@h:x/d"}),
            "a ledger of another kind": ("batches", {"FLATDROP_LEDGER": f"mysql://{user}@h/d"}),
            "a vault's key that is none": ("keys list", {"FLATDROP_API__SECRET_KEY": SECRETS["vault"]}),
            "S3 that is not there": ("run", {**nowhere, "AWS_MAX_ATTEMPTS": "1"}),
        },
    )


def _call(client: Client, heard: Heard) -> None:
    """Send good records and all kinds of bad ones; answers are the caller's own, and repeat no values all the same."""
    answers = [client.post(one, headers={"Idempotency-Key": next(_values)}) for one in rows()]
    answers += [client.post(line) for line in jsonl_file().splitlines()]
    answers += [client.post({"email": "x@example.com"}, group=VALUES[4])]
    answers += [client.get(f"/v1/records/{VALUES[5]}"), client.get("/v1/batches", state=VALUES[6], group_key=VALUES[7])]
    answers += [client.get(f"/{VALUES[8]}"), client.send("POST", "/v1/uploads", b'{"file": "%b"}' % VALUES[9].encode())]
    wire = client.record({"email": f"{VALUES[10]}@example.com"})
    answers += [wire.but("X-Amz-Date", **{"X-Amz-Date": VALUES[11]}).to(client.base)]
    answers += [
        raw(client.base, b"GET /" + VALUES[12].encode() + b" HTTP/1.1\r\nHost: " + VALUES[13].encode() + b"\r\n\r\n")
    ]
    answers += [client.post(next(rows()), headers={"Prefer": "wait=20"})]
    assert {answer.status for answer in answers} >= {200, 202, 400, 403, 404, 422}
    heard.texts |= {
        f"answer {n} {answer.status}": answer.body.decode() + json.dumps(dict(answer.headers))
        for n, answer in enumerate(answers[:-1])  # the last one tells a destination's words, as it declares
    }


def test_no_value_is_said_by_anybody(heard: Heard) -> None:
    assert heard.holding([*VALUES, *NUMBERS]) == []


def test_no_secret_is_said_by_anybody(heard: Heard) -> None:
    assert len(SECRETS) == 10
    words = [*SECRETS.values(), HOOK, HOOK.removeprefix("whsec_"), base64.b64decode(SECRETS["vault"]).decode()]
    assert heard.holding(words) == []


def cells(it: Installation) -> Iterator[tuple[str, str]]:
    """Every cell of the ledger as text, findings unpacked; a file's name and a finding's words are declared."""
    with it.opened() as runtime, database.read(runtime.ledger._engine) as connection:
        for table in tables.metadata.tables.values():
            for line in connection.execute(select(table)).mappings():
                for name, cell in line.items():
                    if name == "findings":
                        for finding in packing.unpack_findings(cell):
                            yield "findings.code", finding.code
                            yield "findings.column", finding.column or ""
                            if not finding.code.startswith(("rejected.", "refused", "unavailable", "address", "bad_")):
                                yield f"findings.message of {finding.code}", finding.message
                    else:
                        yield f"{table.name}.{name}", cell.decode("latin-1") if isinstance(cell, bytes) else str(cell)


def test_no_value_and_no_secret_stands_in_a_column_of_the_ledger_that_does_not_say_so(
    it: Installation, heard: Heard
) -> None:
    words = [*VALUES, *NUMBERS, *SECRETS.values(), HOOK]
    # names that the customer chose, and what the operator wrote into a group's file
    declared = {"batches.file", "drops.file", "packets.file", "findings.column", "configs.document"}
    assert [
        (place, word) for place, cell in cells(it) for word in words if word in cell and place not in declared
    ] == []


def test_secrets_stand_in_no_file_but_their_own(it: Installation, heard: Heard) -> None:
    words = {word.encode() for word in (*SECRETS.values(), HOOK)} - {
        SECRETS["query"].encode(),
        SECRETS["path"].encode(),
    }
    own = {it.home / "secrets", it.home / "groups"}
    found = [
        (path.name, word)
        for path in it.home.rglob("*")
        if path.is_file() and path.parent not in own
        for word in words
        if word in path.read_bytes()
    ]
    assert found == []


def test_the_values_came_to_where_they_belong(it: Installation, heard: Heard, there: Destination) -> None:
    """Or the tests above would look for what was never there."""
    sent = b"".join(call.body for call in there.calls).decode()
    undelivered = "".join(path.read_text("utf-8") for path in (it.home / "drop").rglob("undelivered.*"))
    assert len([word for word in VALUES if word in sent]) > 10
    assert len([word for word in VALUES if word in sent + undelivered]) > 45
