"""Records over HTTP: what is taken and delivered, what is refused and how, and that nothing comes of it twice."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.client import Answer, Client, Wire, at_once
from support.destination import Answer as Scripted
from support.destination import Destination, destination
from support.installation import Installation, made, to
from support.served import Served, served, until

from batch import results
from batch.checking import Checker
from batch.errors import BatchError
from batch.packets import Packets
from batch.reading import Reader
from config.group import Group

pytest_plugins = ("support.ledgers",)

ATTRIBUTES: dict[str, Any] = {
    "email": {"type": "email", "required": True},
    "id": {"unique": True},
    "name": {"min_length": 3, "matches": "^[a-z]+$"},
    "kind": {"one_of": ["web", "store"]},
    "count": {"type": "integer", "min": 0, "max": 10},
    "sum": {"type": "number"},
    "born": {"type": "date"},
    "seen": {"type": "datetime"},
    "yes": {"type": "boolean"},
    "phone": {"type": "phone", "region": "SE"},
    "tags": {"type": "list", "max_length": 2},
}
MAPPING = {name: name for name in (*ATTRIBUTES, "other", "x")}


@pytest.fixture(scope="module")
def there() -> Iterator[Destination]:
    with destination() as there:
        yield there


def installed(home: Path, base: str) -> Installation:
    it = made(home, hook=to(base))
    hook = {"hook": to(base, mapping=MAPPING)}
    it.group("abc", attributes=ATTRIBUTES, integrations=hook)
    known = {"hook": to(base, mapping={name: name for name in ATTRIBUTES})}
    it.group("closed", attributes=ATTRIBUTES, unknown_attributes="reject", integrations=known)
    it.group("dash", attributes=ATTRIBUTES, files={"clear": "-", "encoding": "latin-1"}, integrations=hook)
    it.group("åäö", integrations=hook)
    return it


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, there: Destination) -> Iterator[Served]:
    with served(installed(tmp_path_factory.mktemp("records"), there.base), delivers=True) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Served) -> Client:
    return server.client("abc", "closed", "dash", "åäö", "not-configured")


def outcome(client: Client, record: str) -> dict[str, Any]:
    """What became of a record, once it is known."""
    until(lambda: client.get(f"/v1/records/{record}").json["status"] not in ("accepted", "running"))
    found: dict[str, Any] = client.get(f"/v1/records/{record}").json
    return found


def came(there: Destination, client: Client, email: str, group: str = "abc") -> list[dict[str, Any]]:
    """What was sent for an address, once all is sent that was taken before now."""
    outcome(client, client.post({"email": "last@example.com"}, group).record)
    return [one for call in list(there.calls) for one in call.records if one.get("email") == email]


# Taken and delivered


def test_a_record_is_accepted_and_delivered(client: Client, there: Destination) -> None:
    said = client.post({"email": " Anna@Example.com", "count": 7, "other": "x"})
    assert said.status == 202
    assert said.json == {"record_id": said.record, "status": "accepted"}
    assert said.headers["content-type"] == "application/json"
    found = outcome(client, said.record)
    delivered = {"outcome": "delivered", "code": None, "message": None}
    assert found["integrations"] == {"hook": delivered}
    assert [found[name] for name in ("record_id", "group_key", "status", "reason", "details")] == [
        *(said.record, "abc", "delivered", None, [])
    ]
    assert came(there, client, "anna@example.com") == [{"email": "anna@example.com", "count": 7, "other": "x"}]


def test_who_prefers_to_wait_is_told_the_outcome(client: Client) -> None:
    said = client.post({"email": "wait@example.com"}, headers={"Prefer": "respond-async, wait=30"})
    assert (said.status, said.json["status"]) == (200, "delivered")
    assert said.headers["preference-applied"] == "wait=30"
    assert client.get(f"/v1/records/{said.record}").json == said.json


@pytest.mark.parametrize("prefer", ["wait=0", "wait", "wait=soon", "return=minimal", ""])
def test_what_cannot_be_preferred_is_passed_over(client: Client, prefer: str) -> None:
    said = client.post({"email": "nowait@example.com"}, headers={"Prefer": prefer})
    assert said.status == 202
    assert "preference-applied" not in said.headers


def test_who_waited_in_vain_is_told_how_far_it_is(tmp_path: Path) -> None:
    with served(installed(tmp_path, "http://127.0.0.1:9")) as server:  # nobody delivers
        said = server.client("abc").post({"email": "a@example.com"}, headers={"Prefer": "wait=1"})
        assert (said.status, said.json["status"]) == (202, "accepted")
        assert said.headers["preference-applied"] == "wait=1"


def test_a_record_that_the_destination_refuses_says_so(tmp_path: Path) -> None:
    no = {"errors": [{"index": 0, "code": "blocked", "message": "no such person"}]}
    with destination(then=Scripted.json(no)) as there, served(installed(tmp_path, there.base), delivers=True) as server:
        said = server.client("abc").post({"email": "a@example.com"}, headers={"Prefer": "wait=30"})
        assert (said.status, said.json["status"]) == (200, "partial")
        (hook,) = said.json["integrations"].values()
        assert hook["outcome"] == "rejected"
        assert "no such person" in hook["message"]


VALUES: list[tuple[bytes, Any]] = [
    (b'"00123"', "00123"),
    (b"9007199254740993", "9007199254740993"),
    (b"1" + b"0" * 6000, "1" + "0" * 6000),
    (b"1.50", "1.50"),
    (b"1E5", "1E5"),
    (b"-0", "-0"),
    (b"true", "true"),
    (b'"\\ud83d\\ude00"', "😀"),
    ('"å\u2028"'.encode(), "å\u2028"),
    (b'"a\\nb"', "a\nb"),
    (b'"{\\"group_key\\":\\"xyz\\"}"', '{"group_key":"xyz"}'),
    (b'["one", 2, true]', "one|2|true"),  # the attribute is not declared, so that it is text
]


def test_values_arrive_as_they_were_written(client: Client, there: Destination) -> None:
    """Whatever else is in the same batch."""
    wires = [
        client.record(b'\r\n {"email" :\n"v%d@example.com","x":\t%b }\r\n' % (n, text))
        for n, (text, _) in enumerate(VALUES)
    ]
    assert {said.status for said in at_once(wires, client.base)} == {202}
    came(there, client, "")
    sent = {one["email"]: one["x"] for call in there.calls for one in call.records if "x" in one}
    assert [sent[f"v{n}@example.com"] for n in range(len(VALUES))] == [value for _, value in VALUES]


def test_lists_and_clearing(client: Client, there: Destination) -> None:
    client.post({"email": "list@example.com", "tags": ["a", "b"], "name": None, "kind": "#N/A", "x": "", "id": " "})
    client.post({"email": "none@example.com", "tags": []})
    client.post({"email": "dash@example.com", "name": "-", "kind": None, "tags": ["ö"], "x": "#N/A"}, "dash")
    (listed,) = came(there, client, "list@example.com")
    assert listed == {"email": "list@example.com", "tags": ["a", "b"], "name": None, "kind": None}
    assert came(there, client, "none@example.com")[0].get("tags") in (None, [])
    (dashed,) = came(there, client, "dash@example.com", "dash")
    assert dashed == {"email": "dash@example.com", "name": None, "kind": None, "tags": ["ö"], "x": "#N/A"}


def test_a_group_key_may_hold_any_letters_escaped_or_not(client: Client) -> None:
    assert client.post({"email": "a@example.com"}, "åäö").status == 202
    body = '{"group_key": "åäö", "data": {"email": "a@example.com"}}'.encode()
    assert client.send("POST", "/v1/records", body).status == 202


def test_a_unique_value_may_come_in_many_records(client: Client, there: Destination) -> None:
    """Each record is a drop of its own; which of them share a commit is chance."""
    same = [client.record({"email": f"u{n}@example.com", "id": "one"}) for n in range(20)]
    assert [said.status for said in at_once(same, client.base)] == [202] * 20
    assert len(came(there, client, "u0@example.com")) == 1
    sent = [one for call in there.calls for one in call.records if one.get("id") == "one"]
    assert sorted(one["email"] for one in sent) == sorted(f"u{n}@example.com" for n in range(20))


def test_a_unique_value_may_come_in_a_file_too(tmp_path: Path, there: Destination) -> None:
    it = installed(tmp_path, there.base)
    with served(it) as server:
        client = server.client("abc")
        for _ in range(2):
            client.post({"email": "first@example.com", "id": "1"})
        it.drop("abc/a.csv", b"email,id\nsecond@example.com,1\n")
        receipts = it.run("abc").receipts
    assert [one["state"] for one in receipts] == ["delivered"] * 2
    assert sum(one["rows"]["valid"] for one in receipts) == 3


# Refused


def test_every_broken_rule_is_told_at_once(client: Client) -> None:
    said = client.post(
        {
            "email": "nobody",
            "name": "A1",
            "kind": "phone",
            "count": -1,
            "sum": "1,5",
            "born": "2026-02-30",
            "seen": "2026-02-03 10:00",
            "yes": "maybe",
            "phone": "12",
            "tags": ["a", "b", "c"],
        }
    )
    assert (said.status, said.code) == (422, "record.invalid")
    assert said.details == {
        *{("email", "email.format"), ("name", "min_length"), ("name", "matches"), ("kind", "one_of"), ("count", "min")},
        *{("sum", "number.format"), ("born", "date.format"), ("seen", "datetime.format"), ("yes", "boolean.format")},
        *{("phone", "phone.format"), ("tags", "max_length")},
    }
    assert said.json["error"]["message"] == "The record breaks 11 rules of the group."
    assert len(said.json["error"]["details"]) == 11
    assert all(set(one) == {"attribute", "code", "message"} and one["message"] for one in said.json["error"]["details"])


@pytest.mark.parametrize(
    ("data", "details"),
    [
        ({}, {("email", "required")}),
        ({"email": "  "}, {("email", "required")}),
        ({"email": None}, {("email", "required")}),
        ({"email": "#N/A"}, {("email", "required")}),
        ({"email": ["a@example.com", "b@example.com"]}, {("email", "string.list")}),
        ({"email": "a@example.com", "count": 1 << 64}, {("count", "integer.range")}),
        ({"email": "a@example.com", "count": 11, "kind": ""}, {("count", "max")}),
    ],
    ids=str,
)
def test_rules(client: Client, data: Mapping[str, Any], details: set[tuple[str, str]]) -> None:
    said = client.post(data)
    assert (said.status, said.details) == (422, details)


def test_a_closed_group_names_every_attribute_that_it_does_not_know(client: Client) -> None:
    said = client.post({"email": "no", "Email": "a@example.com", "x": 1, "gone": None}, "closed")
    assert said.status == 422
    unknown = {(name, "row.column.unknown") for name in ("Email", "x", "gone")}
    assert said.details == {("email", "email.format"), *unknown}
    assert client.post({"email": "a@example.com"}, "closed").status == 202


def test_what_is_refused_leaves_nothing_behind(client: Client, server: Served, there: Destination) -> None:
    zone = server.runtime.deployment.base / "drop"
    came(there, client, "nobody@example.com")
    before = {file for file in zone.rglob("*.jsonl") if "_records" in file.parts}
    for wire in (client.record({"email": "no"}), client.record(b"{"), client.record({}, "nobody")):
        assert wire.to(client.base).status in (400, 403, 422)
    assert {file for file in zone.rglob("*.jsonl") if "_records" in file.parts} == before


BODIES = [
    (b"", "body.json"),
    (b"x", "body.json"),
    (b"{", "body.json"),
    (b'{"data":{},"group_key":"abc"', "body.json"),
    (b'{"data":{},"group_key":"abc"}}', "body.json"),
    (b'{"data":{}},"group_key":"abc"}', "body.shape"),
    (b'{"data":{},"group_key":"abc"} {}', "body.json"),
    (b'\xef\xbb\xbf{"data":{},"group_key":"abc"}', "body.json"),
    (b'{"data":{},"group_key":"\xff"}', "body.json"),
    (b'{"data":{},"group_key":"\\ud800"}', "body.json"),
    (b'{"data":{},\x0c"group_key":"abc"}', "body.json"),
    (b'{"data":{}\x0b,"group_key":"abc"}', "body.json"),
    ('{"data":{},"group_key":"abc"}'.encode("utf-16"), "body.json"),
    (b"null", "body.shape"),
    (b"[]", "body.shape"),
    (b'"x"', "body.shape"),
    (b"{}", "body.shape"),
    (b'{"data":{}}', "body.shape"),
    (b'{"group_key":"abc"}', "body.shape"),
    (b'{"data":{},"group_key":1}', "body.shape"),
    (b'{"data":{},"group_key":null}', "body.shape"),
    (b'{"data":null,"group_key":"abc"}', "body.shape"),
    (b'{"data":[{}],"group_key":"abc"}', "body.shape"),
    (b'{"data":"{}","group_key":"abc"}', "body.shape"),
    (b'{"data":{},"group_key":"abc","more":1}', "body.shape"),
    (b'{"Data":{},"group_key":"abc"}', "body.shape"),
    (b'{"data":{},"group_key":"abc","group_key":"abc"}', "body.duplicate_key"),
    (b'{"data":{},"data":{},"group_key":"abc"}', "body.duplicate_key"),
    (b'{"data":{"a":1},"group_key":"abc","data":{"a":1}}', "body.duplicate_key"),
    (b'{"d\\u0061ta":{},"data":{},"group_key":"abc"}', "body.duplicate_key"),
    (b'{"group_key":"xyz","group_k\\u0065y":"abc","data":{}}', "body.duplicate_key"),
    (b'{"data":{"a":"\\"data\\":"},"data":{},"group_key":"abc"}', "body.duplicate_key"),
    (b"[" * 100_000, "body.shape"),
    (b'{"data":' + b'{"a":' * 100_000, "body.json"),
]


@pytest.mark.parametrize(("body", "code"), BODIES, ids=range(len(BODIES)))
def test_a_body_that_is_no_envelope(client: Client, body: bytes, code: str) -> None:
    said = client.send("POST", "/v1/records", body)
    assert (said.status, said.code) == (400, code)


RECORDS = [
    (b'{"email":"a@example.com","x":NaN}', "row.json"),
    (b'{"email":"a@example.com","x":-Infinity}', "row.json"),
    (b'{"email":"a@example.com","x":"a\nb"}', "row.json"),
    (b'{"email":"a@example.com","x":"a\rb"}', "row.json"),
    (b'{"email":"a@example.com","x":"a\tb"}', "row.json"),
    (b'{"email":"a@example.com","x":"\xff"}', "row.json"),
    (b'{"email":"a@example.com","x":"\xed\xa0\x80"}', "row.json"),
    (b'{"email":"a@example.com","x":01}', "row.json"),
    (b'{"email":"a@example.com",}', "row.json"),
    (b'{"email":"a@example.com","x":{}}', "row.nested"),
    (b'{"email":"a@example.com","x":[[]]}', "row.nested"),
    (b'{"email":"a@example.com","x":[null]}', "row.nested"),
    (b'{"email":"a@example.com","x":' + b"[" * 500 + b"]" * 500 + b"}", "row.nested"),
    (b'{"email":"a@example.com","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "row.nested"),
    (b'{"email":"a@example.com","x":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001, "row.nested"),
    (b'{"email":"a@example.com","email":"a@example.com"}', "row.duplicate_key"),
    (b'{"email":"a@example.com","\\u0065mail":"b@example.com"}', "row.duplicate_key"),
    (b'{"email":"a@example.com","x":"\\ud800"}', "row.surrogate"),
    (b'{"email":"a@example.com","\\udfff":1}', "row.surrogate"),
    (b'{"email":"a@example.com","x":"\\u0000"}', "row.nul"),
    (b'{"email":"a@example.com","x":"\x00"}', "row.nul"),
]


@pytest.mark.parametrize(("data", "code"), RECORDS, ids=range(len(RECORDS)))
def test_a_record_that_is_none_has_the_code_of_a_line_in_a_file(client: Client, data: bytes, code: str) -> None:
    said = client.post(data)
    assert (said.status, said.code) == (400, code)
    assert said.details == {(None, code)}


def in_a_file(home: Path, group: Group, line: bytes) -> set[tuple[str | None, str]]:
    """What a line is refused for in a file."""
    file = home / "a.jsonl"
    file.write_bytes(line + b"\n")
    checker = Checker(group)
    try:
        found = [
            finding
            for block in Reader(file, file.name, group.files)
            for finding in (*block.findings, *checker.check(block.frame).findings)
        ]
    except BatchError as error:
        return {(None, error.code)}
    assert all(np.array_equal(finding.rows, [1]) for finding in found)
    return {(finding.column, finding.code) for finding in found}


def test_json_test_suite_as_a_value(client: Client, server: Served, tmp_path: Path, shared: Path) -> None:
    group = server.runtime.groups["abc"]
    files = sorted((shared / "corpora/JSONTestSuite/test_parsing").glob("*.json"))
    assert len(files) > 300
    for file in files:
        text = file.read_bytes().strip(b"\r\n")
        if b"\n" in text or b"\r" in text:
            continue  # these are several lines of a file
        data = b'{"email":"suite@example.com","x":%b}' % text
        said, wanted = client.post(data), in_a_file(tmp_path, group, data)
        assert said.status == (400 if wanted else 202), file.name
        # Some bytes spoil a file as a whole, and one value closes the envelope.
        if wanted != {(None, "file.encoding")} and text != b"{}}":
            assert (said.details if wanted else set()) == wanted, file.name


def test_json_test_suite_as_a_body(client: Client, shared: Path) -> None:
    for file in sorted((shared / "corpora/JSONTestSuite/test_parsing").glob("*.json")):
        said = client.send("POST", "/v1/records", file.read_bytes())
        assert said.status == 400, file.name
        assert said.code in ("body.json", "body.shape"), file.name
        assert said.code == "body.shape" or not file.name.startswith("y_"), file.name


def test_naughty_strings_arrive_as_they_are(client: Client, there: Destination, shared: Path) -> None:
    texts = json.loads((shared / "corpora/blns/blns.json").read_text("utf-8"))
    posts = [client.record({"email": f"n{n}@example.com", "other": text}) for n, text in enumerate(texts)]
    said = at_once(posts, client.base)
    came(there, client, "")
    sent = {one["email"]: one.get("other") for call in there.calls for one in call.records if "email" in one}
    for n, (text, answer) in enumerate(zip(texts, said, strict=True)):
        assert answer.status == 202, (text, answer.body)
        assert sent[f"n{n}@example.com"] == (text if text.strip() else None)


def test_a_group_of_somebody_else_looks_like_one_that_is_not_there(server: Served, client: Client) -> None:
    other = server.client("closed")
    good = {"email": "a@example.com"}
    answers = [other.post(good, group) for group in ("abc", "nobody", "", "closed/", "Closed", "abc\u0000", "_records")]
    answers.append(client.post(good, "not-configured"))
    answers += [
        other.post({"email": "no"}, "abc"),
        other.post(b'{"x":[[]]}', "abc"),
        other.post(b'{"x":NaN}', "nobody"),
    ]
    assert {(said.status, said.body) for said in answers} == {(403, answers[0].body)}
    assert len({tuple(name for name in said.headers if name != "date") for said in answers}) == 1
    assert answers[0].code == "group"


# Once, however often it comes


def same(*answers: Answer) -> str:
    """The one record that all answers tell of."""
    assert {(said.status, said.body) for said in answers} == {(202, answers[0].body)}, answers
    return answers[0].record


def test_the_very_same_bytes_make_one_record(client: Client, there: Destination) -> None:
    wire = client.record({"email": "replayed@example.com"})
    same(*at_once([wire] * 200, client.base), wire.to(client.base))
    assert len(came(there, client, "replayed@example.com")) == 1


def test_equal_records_that_were_signed_apart_are_several(client: Client, there: Destination) -> None:
    wires = [client.record({"email": "equal@example.com"}) for _ in range(3)]
    assert len({said.record for said in at_once(wires, client.base)}) == 3
    assert len(came(there, client, "equal@example.com")) == 3


def keyed(client: Client, email: str, key: str, group: str = "abc") -> Wire:
    return client.record({"email": email}, group, {"Idempotency-Key": key})


def test_an_idempotency_key_makes_a_retry_safe(client: Client, there: Destination) -> None:
    first = keyed(client, "key@example.com", "k-1").to(client.base)
    again = keyed(client, "key@example.com", '"k-1"').to(client.base)
    same(first, again)
    assert len(came(there, client, "key@example.com")) == 1


def test_fifty_retries_at_once_have_one_effect(client: Client, there: Destination) -> None:
    same(*at_once([keyed(client, "fifty@example.com", "k-50") for _ in range(50)], client.base))
    assert len(came(there, client, "fifty@example.com")) == 1


def test_an_idempotency_key_with_another_body_is_refused(client: Client, there: Destination) -> None:
    first = keyed(client, "a@key.example.com", "k-2").to(client.base)
    other = keyed(client, "b@key.example.com", "k-2").to(client.base)
    assert (other.status, other.code) == (422, "idempotency.reused")
    assert keyed(client, "a@key.example.com", "k-2").to(client.base).record == first.record
    assert came(there, client, "b@key.example.com") == []


def test_of_two_bodies_under_one_key_at_once_one_is_taken(client: Client, there: Destination) -> None:
    wires = [keyed(client, f"{n % 2}@race.example.com", "k-3") for n in range(20)]
    answers = at_once(wires, client.base)
    taken = [n % 2 for n, said in enumerate(answers) if said.status == 202]
    assert len(set(taken)) == 1
    same(*(said for said in answers if said.status == 202))
    assert {said.code for said in answers if said.status != 202} == {"idempotency.reused"}
    assert [len(came(there, client, f"{n}@race.example.com")) for n in (0, 1)] == [1 - taken[0], taken[0]]


def test_a_record_that_was_refused_leaves_its_key_free(client: Client) -> None:
    assert keyed(client, "no", "k-4").to(client.base).status == 422
    answers = at_once([keyed(client, "no", "k-4"), keyed(client, "free@example.com", "k-4")], client.base)
    assert [said.status for said in answers] == [422, 202]


def test_idempotency_keys_are_those_of_a_group(client: Client, server: Served) -> None:
    here, there = (keyed(client, "a@example.com", "k-5", group).to(client.base) for group in ("abc", "closed"))
    assert here.record != there.record
    colleague = server.client("abc")
    assert keyed(colleague, "a@example.com", "k-5").to(client.base).record == here.record


@pytest.mark.parametrize("key", ["", " ", "a b", 'a"b', '"', '""', "k" * 256, "a\tb", "å"])
def test_an_idempotency_key_that_is_none(client: Client, key: str) -> None:
    wire = client.record({"email": "a@example.com"}).but(**{"Idempotency-Key": key})  # nobody has to sign it
    said = wire.to(client.base)
    assert (said.status, said.code) == (400, "idempotency.key")


def test_two_idempotency_keys_are_none(client: Client) -> None:
    wire = client.record({"email": "a@example.com"})
    twice = Wire(
        wire.method, wire.target, (*wire.headers, ("Idempotency-Key", "a"), ("Idempotency-Key", "b")), wire.body
    )
    said = twice.to(client.base)
    assert (said.status, said.code) == (400, "idempotency.key")


def test_a_replay_without_its_key_or_with_another_is_still_a_replay(client: Client, there: Destination) -> None:
    """The header need not be signed, so that who listens could change it."""
    first = keyed(client, "stripped@example.com", "k-6")
    retry = client.record({"email": "stripped@example.com"}).but(**{"Idempotency-Key": "k-6"})
    record = same(first.to(client.base), retry.to(client.base))
    stolen = retry.but("Idempotency-Key")
    other = stolen.but(**{"Idempotency-Key": "k-7"})
    assert same(stolen.to(client.base), other.to(client.base)) == record
    assert len(came(there, client, "stripped@example.com")) == 1


def test_what_came_before_a_restart_is_remembered(tmp_path: Path) -> None:
    with destination() as there:
        it = installed(tmp_path, there.base)
        with served(it) as server:
            client = server.client("abc")
            wires = [client.record({"email": "a@example.com"}), keyed(client, "b@example.com", "k-1")]
            before = [wire.to(server.base) for wire in wires]
        with served(it, delivers=True) as server:
            wires.append(keyed(client, "b@example.com", "k-1"))
            answers = [wire.to(server.base) for wire in wires]
            assert [said.body for said in answers] == [said.body for said in (*before, before[1])]
            outcome(Client(server.base, client.credential), answers[-1].record)
        assert sorted(there.rows("email")) == ["a@example.com", "b@example.com"]


def test_two_servers_on_one_ledger_take_a_record_once(tmp_path: Path, ledger_url: str) -> None:
    with destination() as there, ExitStack() as stack:
        it = installed(tmp_path, there.base)
        it.ledger = ledger_url
        it.write()
        one, two = (stack.enter_context(served(it, delivers=True)) for _ in range(2))
        client = one.client("abc")
        two.ring.refresh()
        replay = client.record({"email": "replay@example.com"})
        retries = [keyed(client, "retry@example.com", "k-1") for _ in range(50)]
        answers = at_once([replay] * 200, one.base, two.base)
        record = same(*answers)
        assert same(*at_once([replay, replay, *retries][::-1], two.base, one.base)[:50]) != record
        outcome(client, client.post({"email": "last@example.com"}).record)
        until(lambda: len(there.rows("email")) >= 3)
    assert sorted(there.rows("email")) == ["last@example.com", "replay@example.com", "retry@example.com"]


def test_clients_that_leave_do_not_leave_a_commit_behind(
    tmp_path: Path, there: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller goes while its record is being written: it is taken, and a retry is told so."""
    began, go_on = threading.Event(), threading.Event()
    take = Packets.take

    def slow(*args: Any) -> bool:
        began.set()
        go_on.wait(30)
        return take(*args)

    with served(installed(tmp_path, there.base)) as server:
        client = server.client("abc")
        wire = keyed(client, "left@example.com", "k-1")
        monkeypatch.setattr(Packets, "take", slow)
        leaving = threading.Thread(target=wire.sent_and_left, args=[server.base, began])
        leaving.start()
        leaving.join(30)
        go_on.set()
        record = same(keyed(client, "left@example.com", "k-1").to(server.base), wire.to(server.base))
        assert client.get(f"/v1/records/{record}").json["status"] == "accepted"
        assert server.runtime.ledger.packets.waiting() == ["abc"]
        batch = server.runtime.ledger.packets.gather("abc")
        assert batch is not None
        assert sum(packet.rows for packet in server.runtime.ledger.packets.of(batch.id)) == 1


def test_the_receipt_of_a_batch_of_records_lies_in_the_drop_zone(client: Client, server: Served) -> None:
    said = client.post({"email": "receipt@example.com"}, headers={"Prefer": "wait=30"})
    batch = server.runtime.ledger.batch(said.json["batch"])
    assert batch is not None
    assert batch.file.startswith("abc/_records/")
    place = results.folder("abc", batch.file, batch.id)
    receipt = json.loads(server.runtime.zone.read(f"{place}/receipt.json"))
    assert receipt["rows"]["read"] >= said.json["row"] >= 1
