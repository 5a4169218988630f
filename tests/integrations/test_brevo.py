"""Brevo's import and its reports: a contact is delivered only if the import is complete, and each report is read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial

import pytest
from support.examples import a_record, text
from support.vendors import Vendor, exchanges

from integrations.catalog import CATALOG
from integrations.errors import Ambiguous, DeliveryError, Refused, Retryable, Unauthorized
from integrations.exchange import JSON, Connection, Reply, Sent, Verdict
from integrations.reply import accepted, trusted, understood
from integrations.request import around, call
from integrations.steps import Call, Pause, Started

BREVO = CATALOG["brevo"]
SENT = Sent(3, ("a@example.com", "b@example.com", "c@example.com"))
EVERYBODY_UNKNOWN = dict.fromkeys(range(3), "unknown")
REPORTS = ("invalid_emails", "duplicate_contact_id", "duplicate_ext_id", "duplicate_email_id", "duplicate_phone_id")
NONE = dict.fromkeys(REPORTS)
HERE = "https://vendor.example"


def connection(**settings: str) -> Connection:
    return Connection({**BREVO.sample.settings, "list_ids": "2", **settings}, BREVO.sample.credentials)


def process(status: JSON, reports: JSON = None, **more: JSON) -> Reply:
    info = {} if reports is None else {"info": {"import": reports}}
    return Reply.of({"id": 78, "name": "IMPORTUSER", "status": status, **info, **more})


def followed(looks: Sequence[Reply], files: Mapping[str, str]) -> list[Verdict]:
    assert BREVO.job is not None
    answers = [("GET /processes/78", look) for look in looks]
    answers += [(f"GET {where}", Reply(200, {}, body.encode())) for where, body in files.items()]
    steps = BREVO.job.follow(connection(), "78", SENT)
    return list(trusted(understood(BREVO, Reply(200), lambda: exchanges(BREVO, steps, answers)), SENT))


def outcomes(*looks: Reply, files: Mapping[str, str] = {}) -> dict[int, str]:
    return {it.index: it.outcome for it in followed(looks, files)}


@pytest.mark.parametrize("on_the_way", [[], ["queued"], ["queued", "in_process", "processing"], ["brand_new"]])
def test_a_complete_import_without_reports_has_taken_everybody(on_the_way: Sequence[str]) -> None:
    assert outcomes(*map(process, on_the_way), process("completed", NONE)) == {}


@pytest.mark.parametrize(
    "ended",
    [
        pytest.param(process("completed"), id="without a word on reports"),
        pytest.param(process("completed", {}), id="without any report"),
        pytest.param(process("completed", {"duplicate_phone_id": None}), id="without the report of addresses"),
        pytest.param(process("completed", info=None), id="no info"),
        pytest.param(process("completed", {**NONE, "invalid_emails": 1}), id="a count that names nobody"),
        pytest.param(process("completed", {**NONE, "duplicate_ext_id": [f"{HERE}/1.csv"]}), id="a list"),
        pytest.param(process("completed", {**NONE, "invalid_emails": "see the page"}), id="no address"),
        *(pytest.param(process(it, NONE), id=it) for it in ("failed", "cancelled", "error", "aborted")),
        *(pytest.param(process(it), id=f"{it}, no reports") for it in ("failed", "cancelled")),
    ],
)
def test_what_is_not_said_is_not_known(ended: Reply) -> None:
    assert outcomes(ended) == EVERYBODY_UNKNOWN


def one_report(body: str, **more: JSON) -> dict[int, str]:
    reports = {**NONE, "invalid_emails": f"{HERE}/1.csv", **more}
    return outcomes(process("completed", reports), files={"/1.csv": body})


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param("EMAIL\nb@example.com\n", {1: "rejected"}, id="one"),
        pytest.param("b@example.com\n", {1: "rejected"}, id="without a heading"),
        pytest.param("\ufeffEMAIL;SMS\r\nB@Example.com;46701234567\r\n", {1: "rejected"}, id="semicolons"),
        pytest.param('"EMAIL","NAME"\n"b@example.com","B;B"\n', {1: "rejected"}, id="commas"),
        pytest.param("EMAIL\nb@example.com\nb@example.com\n", {1: "rejected"}, id="one twice"),
        pytest.param("EMAIL\na@example.com\nc@example.com\n", {0: "rejected", 2: "rejected"}, id="two"),
        pytest.param(
            "EMAIL\nb@example.com\nx@example.com\n", {0: "unknown", 1: "rejected", 2: "unknown"}, id="another"
        ),
        pytest.param("x@example.com\nb@example.com\n", {0: "unknown", 1: "rejected", 2: "unknown"}, id="another first"),
        pytest.param("EMAIL;SMS\n;46701234567\n", EVERYBODY_UNKNOWN, id="by a number only"),
        pytest.param("EMAIL;OTHER\na@example.com;b@example.com\n", EVERYBODY_UNKNOWN, id="two in one row"),
        pytest.param("EMAIL\n", EVERYBODY_UNKNOWN, id="a heading only"),
        pytest.param("", EVERYBODY_UNKNOWN, id="empty"),
        pytest.param("<html><body>Log in</body></html>", EVERYBODY_UNKNOWN, id="a page"),
    ],
)
def test_what_a_report_says(body: str, expected: dict[int, str]) -> None:
    assert one_report(body) == expected


def test_several_reports_and_the_first_word_on_a_contact_stands() -> None:
    reports = {**NONE, "invalid_emails": f"{HERE}/1.csv", "duplicate_phone_id": f"{HERE}/2.csv"}
    files = {"/1.csv": "EMAIL\na@example.com\n", "/2.csv": "EMAIL\na@example.com\nb@example.com\n"}
    assert followed([process("completed", reports)], files) == [
        Verdict(0, "invalid_emails", "Brevo's report of invalid emails names the contact."),
        Verdict(1, "duplicate_phone_id", "Brevo's report of duplicate phone id names the contact."),
    ]


def test_a_failed_import_with_a_report_refuses_whom_it_names_and_knows_no_more() -> None:
    reports = {**NONE, "invalid_emails": f"{HERE}/1.csv"}
    found = outcomes(process("failed", reports), files={"/1.csv": "EMAIL\nb@example.com\n"})
    assert found == {0: "unknown", 1: "rejected", 2: "unknown"}


@pytest.mark.parametrize("reply", [Reply.of([]), Reply.of({"id": 78}), Reply(200, {}, b"<html>"), Reply(200)])
def test_an_answer_of_another_kind_is_none(reply: Reply) -> None:
    with pytest.raises(Ambiguous):
        outcomes(reply)


def test_it_is_asked_no_more_than_a_hundred_times_an_hour() -> None:
    assert BREVO.job is not None
    assert BREVO.job.every * 100 >= 3600
    assert BREVO.limits.in_flight == 1
    assert isinstance(next(BREVO.job.follow(connection(), "78", SENT)), Pause), "or each job would ask twice at once"


# --- what is sent


def submitted(items: str, **settings: str) -> JSON:
    assert BREVO.job is not None
    assert BREVO.job.submit is not None
    steps = BREVO.job.submit(connection(**settings), items.encode())
    made = next(steps)
    assert isinstance(made, Call)
    assert steps.send(Reply.of({"processId": 78}, 202)) == Started("78")
    assert len(made.body) <= sum(map(len, around(BREVO, {"list_ids": "2", **settings}))) + len(items.encode())
    return json.loads(made.body)


@pytest.mark.parametrize(
    ("items", "erases"),
    [
        ('{"email":"a@example.com","attributes":{"CITY":"Umeå"}}', False),
        ('{"email":"a@example.com","attributes":{"CITY":""}}', True),
        ('{"email":"a@example.com","attributes":{"CITY": ""}},{"email":"b@example.com"}', True),
        ('{"email":"a@example.com","attributes":{"CITY":":\\"\\""}}', False),
        ('{"email":"a@example.com","attributes":{"CITY":"a:","TOWN":"b"}}', False),
        ('{"email":"a@example.com","attributes":{"TAGS":["",":"]}}', False),
    ],
)
def test_it_asks_to_erase_only_where_something_is_cleared(items: str, *, erases: bool) -> None:
    body = submitted(items)
    assert body.pop("jsonBody") == json.loads(f"[{items}]")
    assert body == {
        "listIds": [2],
        "updateExistingContacts": True,
        "emptyContactsAttributes": erases,
        "disableNotification": True,
    }


def test_several_lists() -> None:
    assert submitted('{"email":"a@example.com"}', list_ids="2,40")["listIds"] == [2, 40]


def test_the_stand_in_erases_nothing_unless_it_is_asked_to() -> None:
    vendor = Vendor(BREVO)
    vendor.deliver([a_record(BREVO, **{"attributes.CITY": "Umeå"})])
    body = {"listIds": [2], "emptyContactsAttributes": False, "jsonBody": [a_record(BREVO, **{"attributes.CITY": ""})]}
    asked = Call("POST", "/contacts/import", body=json.dumps(body).encode())
    assert vendor.ask(call(BREVO, vendor.connection, asked, 1)).status == 202
    assert vendor.stand_in.desk.contacts["asa@example.com"]["attributes.CITY"] == "Umeå"


def test_blocklists_are_never_spoken_of() -> None:
    vendor = Vendor(BREVO)
    vendor.deliver([a_record(BREVO)])
    assert b"lacklist" not in b"".join(made.body for made, _ in vendor.talk)
    assert BREVO.field("attributes.EMAIL") is None


@pytest.mark.parametrize(("name", "known"), [("FIRSTNAME", True), ("DOUBLE_OPT-IN", True), ("firstname", False)])
def test_attributes_are_in_capitals(name: str, *, known: bool) -> None:
    assert (BREVO.field(f"attributes.{name}") is not None) == known


def test_a_start_without_an_id_is_no_answer() -> None:
    assert BREVO.job is not None
    assert BREVO.job.submit is not None
    documents: list[JSON] = [{}, {"processId": None}, [], {"processId": ""}]
    for document in documents:
        steps = BREVO.job.submit(connection(), text([a_record(BREVO)]).encode())
        next(steps)
        with pytest.raises(Ambiguous):
            understood(BREVO, Reply(202), partial(steps.send, Reply.of(document, 202)))


# --- other replies


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply.of({"code": "unauthorized", "message": "Key not found"}, 401), Unauthorized),
        (Reply.of({"code": "permission_denied", "message": "No"}, 403), Unauthorized),
        (Reply.of({"code": "not_enough_credits", "message": "No"}, 402), Refused),
        (Reply.of({"code": "invalid_parameter", "message": "No lists"}, 400), Refused),
        (Reply.of({"code": "document_not_found", "message": "processId is invalid"}, 404), Unauthorized),
        (Reply(500), Retryable),
    ],
)
def test_replies_that_are_no_yes(reply: Reply, error: type[DeliveryError]) -> None:
    with pytest.raises(error):
        accepted(BREVO, reply)


def test_how_long_to_wait_stands_in_a_header_of_its_own() -> None:
    with pytest.raises(Retryable) as error:
        accepted(BREVO, Reply(429, {"x-sib-ratelimit-reset": "17", "x-sib-ratelimit-remaining": "0"}, b"{}"))
    assert (error.value.slow_down, error.value.retry_after) == (True, 17)


def test_a_report_is_fetched_without_our_key() -> None:
    there = call(BREVO, connection(), Call("GET", "https://files.example/1.csv"), 1)
    assert "api-key" not in there.headers
    assert "api-key" in call(BREVO, connection(), Call("GET", "/processes/78"), 1).headers


# --- beforehand


def prepared(fields: Sequence[str], *listed: tuple[str, str], lists: str = "2") -> object:
    assert BREVO.prepare is not None
    attributes = {"attributes": [{"name": name, "category": category} for name, category in listed]}
    asked = [("GET /contacts/attributes", Reply.of(attributes))]
    asked += [(f"GET /contacts/lists/{one}", Reply.of({"id": int(one)})) for one in lists.split(",")]
    return exchanges(BREVO, BREVO.prepare(connection(list_ids=lists), fields), asked)


def test_attributes_and_lists_that_are_there() -> None:
    known = (("FIRSTNAME", "normal"), ("GENDER", "category"))
    assert (
        prepared(["email", "attributes.FIRSTNAME", "attributes.GENDER", "attributes.SMS"], *known, lists="2,40") == {}
    )


@pytest.mark.parametrize("listed", [("FIRSTNAME", "normal"), ("FNAME", "calculated"), ("FNAME", "global")])
def test_attributes_that_would_be_ignored_are_refused(listed: tuple[str, str]) -> None:
    with pytest.raises(Unauthorized, match="no attribute FNAME") as error:
        prepared(["email", "attributes.FNAME"], listed)
    assert error.value.code == "fields.unknown"
