"""Salesforce's job and its three files: a record is delivered only if it stands among the stored, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.examples import a_record, text
from support.vendors import NOW, Vendor, exchanges

from integrations import request as requests
from integrations.catalog import CATALOG
from integrations.errors import Ambiguous, DeliveryError, Gone, Refused, Retryable, Unauthorized
from integrations.exchange import JSON, Connection, Reply, Sent, Verdict
from integrations.reply import accepted, trusted, understood
from integrations.steps import Call
from integrations.table import rows, table

SALESFORCE = CATALOG["salesforce"]
SENT = Sent(3, ("a-1", "b-2", "c-3"))
AT = "/services/data/v60.0/jobs/ingest"
FILES = ("successfulResults", "failedResults", "unprocessedrecords")
HEADINGS = ('"sf__Id","sf__Created",Shop_Id__c,Email', '"sf__Id","sf__Error",Shop_Id__c,Email', "Shop_Id__c,Email")


def connection(**settings: str) -> Connection:
    return Connection({**SALESFORCE.sample.settings, **settings}, SALESFORCE.sample.credentials)


def job(state: str, **more: JSON) -> Reply:
    return Reply.of({"id": "j1", "object": "Contact", "operation": "upsert", "state": state, **more})


def stored(*ids: str) -> str:
    return "".join(f'"003000000000001AAA","true",{one},{one}@example.com\n' for one in ids)


def refused(*ids: str, error: str = "INVALID_EMAIL_ADDRESS:Email: invalid address:Email --") -> str:
    return "".join(f'"","{error}",{one},\n' for one in ids)


def untried(*ids: str) -> str:
    return "".join(f"{one},\n" for one in ids)


def read(bodies: Sequence[str], *looks: Reply, sent: Sent = SENT) -> list[Verdict]:
    assert SALESFORCE.job is not None
    files = [
        (f"GET {AT}/j1/{name}", Reply(200, {}, f"{heading}\n{body}".encode()))
        for name, heading, body in zip(FILES, HEADINGS, bodies, strict=True)
    ]
    polled = [(f"GET {AT}/j1", look) for look in looks or (job("JobComplete"),)]
    steps = SALESFORCE.job.follow(connection(), "j1", sent)
    found = understood(SALESFORCE, Reply(200), lambda: exchanges(SALESFORCE, steps, [*polled, *files]))
    return list(trusted(found, sent))


def outcomes(verdicts: Sequence[Verdict]) -> dict[int, str]:
    return {it.index: it.outcome for it in verdicts}


@pytest.mark.parametrize(
    ("bodies", "expected"),
    [
        pytest.param((stored("A-1", "B-2", "C-3"), "", ""), {}, id="all stored"),
        pytest.param((stored("C-3", "A-1", "B-2"), "", ""), {}, id="in another order"),
        pytest.param((stored("a-1", "B-2", "C-3"), "", ""), {}, id="in another case"),
        pytest.param((stored("A-1", "C-3"), refused("B-2"), ""), {1: "rejected"}, id="one refused"),
        pytest.param(("", refused("A-1", "B-2", "C-3"), ""), dict.fromkeys(range(3), "rejected"), id="all refused"),
        pytest.param((stored("A-1"), "", untried("B-2", "C-3")), {1: "failed", 2: "failed"}, id="some never tried"),
        pytest.param((stored("A-1", "B-2"), "", ""), {2: "unknown"}, id="one named nowhere"),
        pytest.param(("", "", ""), dict.fromkeys(range(3), "unknown"), id="nobody named"),
        pytest.param((stored("A-1", "B-2", "X-9"), "", ""), {2: "unknown"}, id="another's id"),
        pytest.param((stored("A-1", "A-1", "B-2"), "", ""), {2: "unknown"}, id="one twice, one not at all"),
        pytest.param((stored("A-1", "B-2", "C-3"), refused("B-2"), ""), {1: "unknown"}, id="yes and no to one"),
        pytest.param((stored("A-1", "B-2", "C-3"), "", untried("C-3")), {2: "unknown"}, id="stored and never tried"),
        pytest.param((stored("A-1"), refused("B-2"), untried("B-2", "C-3")), {1: "rejected", 2: "failed"}, id="both"),
    ],
)
def test_what_the_files_say(bodies: Sequence[str], expected: dict[int, str]) -> None:
    assert outcomes(read(bodies)) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("DUPLICATE_VALUE:Taken by 003:--", Verdict(1, "duplicate_value", "Taken by 003:--")),
        ("REQUIRED_FIELD_MISSING:LastName", Verdict(1, "required_field_missing", "LastName")),
        ("UNABLE_TO_LOCK_ROW:Busy", Verdict(1, "unable_to_lock_row", "Busy", "failed")),
        ("Something else", Verdict(1, "something_else", "Something else")),
        ("", Verdict(1, "", "")),
    ],
)
def test_why_a_record_was_refused(error: str, expected: Verdict) -> None:
    assert read((stored("A-1", "C-3"), refused("B-2", error=error), "")) == [expected]


def test_a_job_is_asked_until_it_has_ended() -> None:
    looks = (job("UploadComplete"), job("InProgress"), job("InProgress"), job("JobComplete", numberRecordsFailed=0))
    assert read((stored("A-1", "B-2", "C-3"), "", ""), *looks) == []


def test_a_failed_job_has_stored_what_it_has_stored() -> None:
    failed = job("Failed", errorMessage="InvalidBatch : Field name not found : X__c")
    found = read((stored("A-1"), refused("B-2"), untried("C-3")), failed)
    assert outcomes(found) == {1: "rejected", 2: "failed"}
    assert Verdict(2, "", "InvalidBatch : Field name not found : X__c", "failed") in found


def test_a_failed_job_that_names_nobody_is_no_answer() -> None:
    assert outcomes(read(("", "", ""), job("Failed"))) == dict.fromkeys(range(3), "unknown")


def test_an_aborted_job_that_had_begun_tells_how_far_it_came() -> None:
    aborted = job("Aborted", numberRecordsProcessed=1)
    assert outcomes(read((stored("A-1"), "", untried("B-2", "C-3")), aborted)) == {1: "failed", 2: "failed"}


def test_a_job_that_was_left_open_is_aborted_and_sent_anew() -> None:
    assert SALESFORCE.job is not None
    answers = [(f"GET {AT}/j1", job("Open")), (f"PATCH {AT}/j1", job("Aborted", numberRecordsProcessed=0))]
    with pytest.raises(Gone, match="aborted before anything"):
        exchanges(SALESFORCE, SALESFORCE.job.follow(connection(), "j1", SENT), answers)


def test_a_job_that_was_aborted_before_it_began_is_sent_anew() -> None:
    assert SALESFORCE.job is not None
    with pytest.raises(Gone):
        exchanges(SALESFORCE, SALESFORCE.job.follow(connection(), "j1", SENT), [(f"GET {AT}/j1", job("Aborted"))])


@pytest.mark.parametrize("calls", [1, 2])
def test_after_a_kill_before_its_end_a_job_is_given_up_and_another_takes_its_place(calls: int) -> None:
    vendor, job, built = Vendor(SALESFORCE), SALESFORCE.job, [a_record(SALESFORCE, "A-1")]
    assert job is not None
    assert job.submit is not None
    steps, reply = job.submit(vendor.connection, text(built).encode()), None
    while len(vendor.talk) < calls:
        step = next(steps) if reply is None else steps.send(reply)
        if isinstance(step, Call):
            reply = vendor.ask(requests.call(SALESFORCE, vendor.connection, step, NOW))
    first = vendor.talk[0][1].json()["id"]
    with pytest.raises(Gone):
        vendor.play(job.follow(vendor.connection, first, Sent(1, ("a-1",))))
    assert (vendor.stand_in.desk.contacts, vendor.journalled()) == ({}, [])
    with pytest.raises(Gone):  # killed once more, before the other one was begun
        vendor.play(job.follow(vendor.connection, first, Sent(1, ("a-1",))))
    assert vendor.deliver(built) == ()
    assert list(vendor.stand_in.desk.contacts) == ["a-1"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param('"sf__Id","sf__Created"\n003,true\n', id="without the column of ids"),
        pytest.param('"sf__Id","sf__Created",Shop_Id__c\n003,true\n', id="a row that is too short"),
        pytest.param('"sf__Id","sf__Created",Shop_Id__c\n003,true,A-1,more\n', id="a row that is too long"),
        pytest.param("<html>\nLog in\n</html>", id="a page"),
        pytest.param('[{"errorCode": "X", "message": "Y"}]\n[]', id="JSON"),
    ],
)
def test_a_file_that_cannot_be_read_is_no_answer(body: str) -> None:
    assert SALESFORCE.job is not None
    answers = [(f"GET {AT}/j1", job("JobComplete")), (f"GET {AT}/j1/{FILES[0]}", Reply(200, {}, body.encode()))]
    steps = SALESFORCE.job.follow(connection(), "j1", SENT)
    with pytest.raises(Ambiguous):
        understood(SALESFORCE, Reply(200), lambda: exchanges(SALESFORCE, steps, answers))


def test_files_may_be_empty() -> None:
    assert SALESFORCE.job is not None
    files = [(f"GET {AT}/j1/{name}", Reply(204)) for name in FILES]
    steps = SALESFORCE.job.follow(connection(), "j1", SENT)
    found = exchanges(SALESFORCE, steps, [(f"GET {AT}/j1", job("JobComplete")), *files])
    assert outcomes(found) == dict.fromkeys(range(3), "unknown")


@given(*[st.sets(st.sampled_from(["A-1", "B-2", "C-3", "X-9"])) for _ in FILES])
def test_delivered_means_named_among_the_stored_only(yes: set[str], no: set[str], never: set[str]) -> None:
    found = outcomes(read((stored(*yes), refused(*no), untried(*never))))
    for index, one in enumerate(("A-1", "B-2", "C-3")):
        assert (index not in found) == (one in yes and one not in no | never)
        assert (found.get(index) == "rejected") == (one in no and one not in yes)


# --- other replies


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply.of([{"errorCode": "INVALID_SESSION_ID", "message": "Session expired"}], 401), Unauthorized),
        (Reply.of([{"errorCode": "INVALID_ACCESS", "message": "No"}], 403), Unauthorized),
        (Reply.of([{"errorCode": "INVALIDJOBSTATE", "message": "No more data"}], 400), Refused),
        (Reply.of([{"errorCode": "NOT_FOUND", "message": "No such resource"}], 404), Unauthorized),
        (Reply.of([{"errorCode": "SERVER_UNAVAILABLE", "message": "Later"}], 503), Retryable),
        (Reply(302), Unauthorized),
    ],
)
def test_replies_that_are_no_yes(reply: Reply, error: type[DeliveryError]) -> None:
    with pytest.raises(error):
        accepted(SALESFORCE, reply)


def test_the_words_of_a_refusal_are_told() -> None:
    reply = Reply.of([{"errorCode": "InvalidJob", "message": "Shop__c is no external id"}], 400)
    with pytest.raises(Refused, match="HTTP 400: Shop__c is no external id"):
        accepted(SALESFORCE, reply)


def test_used_up_requests_are_waited_for_though_they_are_a_403() -> None:
    reply = Reply.of([{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}], 403)
    with pytest.raises(Retryable) as error:
        accepted(SALESFORCE, reply)
    assert error.value.slow_down


# --- what is sent


def submitted(records: Sequence[JSON]) -> tuple[JSON, bytes, JSON]:
    vendor = Vendor(SALESFORCE)
    vendor.deliver(records)
    created, uploaded, closed = (made for made, _ in vendor.talk[:3])
    assert (created.method, uploaded.method, closed.method) == ("POST", "PUT", "PATCH")
    assert uploaded.headers["content-type"] == "text/csv"
    return json.loads(created.body), uploaded.body, json.loads(closed.body)


def test_a_job_is_opened_filled_and_closed() -> None:
    created, body, closed = submitted([{"external_id": "A-1", "Email": "a@example.com"}, {"external_id": "B-2"}])
    assert created == {
        "object": "Contact", "operation": "upsert", "externalIdFieldName": "Shop_Id__c",
        "contentType": "CSV", "lineEnding": "LF", "columnDelimiter": "COMMA",
    }  # fmt: skip
    assert body == b"Email,Shop_Id__c\na@example.com,A-1\n,B-2\n"
    assert closed == {"state": "UploadComplete"}


def test_the_id_is_remembered_before_anything_is_uploaded() -> None:
    assert SALESFORCE.job is not None
    assert SALESFORCE.job.submit is not None
    steps = SALESFORCE.job.submit(connection(), b'{"external_id":"A-1"}')
    kinds = [type(next(steps)).__name__, type(steps.send(job("Open"))).__name__, type(next(steps)).__name__]
    assert kinds == ["Call", "Started", "Call"]


@pytest.mark.parametrize("value", ["#N/A", 'say "hi"', "a,b", "two\nlines", "a\rb", " x ", "Åsa", "'", "", "a\r\nb"])
def test_any_text_comes_through_the_table(value: str) -> None:
    wrote = table([{"id": "1", "it": value}, {"id": "2"}, {"id": "3", "more": "x"}])
    assert rows(wrote) == [
        {"id": "1", "it": value, "more": ""},
        {"id": "2", "it": "", "more": ""},
        {"id": "3", "it": "", "more": "x"},
    ]
    assert b"\r" not in wrote.replace(value.encode(), b"")


def test_what_is_absent_is_an_empty_cell_that_is_not_quoted() -> None:
    assert table([{"a": "1", "b": "2"}, {"a": "3"}]) == b"a,b\n1,2\n3,\n"


# --- beforehand


def described(*names: str, keys: Sequence[str] = ("Shop_Id__c",)) -> Reply:
    listed = [
        {
            "name": it,
            "createable": it != "Id",
            "updateable": it != "Id",
            "externalId": it in keys,
            "idLookup": it == "Id",
        }
        for it in names
    ]
    return Reply.of({"name": "Contact", "fields": listed})


def prepared(fields: Sequence[str], reply: Reply) -> object:
    assert SALESFORCE.prepare is not None
    asked = [("GET /services/data/v60.0/sobjects/Contact/describe", reply)]
    return exchanges(SALESFORCE, SALESFORCE.prepare(connection(), fields), asked)


def test_fields_that_are_there_are_taken() -> None:
    assert prepared(["external_id", "Email"], described("Id", "Email", "Shop_Id__c")) == {}


@pytest.mark.parametrize(
    ("fields", "reply", "message"),
    [
        (["external_id", "Emial"], described("Email", "Shop_Id__c"), "did you mean Email"),
        (["external_id", "email"], described("Email", "Shop_Id__c"), "did you mean Email"),
        (["external_id", "Id"], described("Id", "Email", "Shop_Id__c"), "no other field to write to, Id"),
        (["external_id", "Shop_Id__c"], described("Email", "Shop_Id__c"), "no other field to write to, Shop_Id__c"),
        (["external_id"], described("Email", "Shop_Id__c", keys=()), "no external id field Shop_Id__c"),
        (["external_id"], described("Email", "shop_id__c", keys=("shop_id__c",)), "did you mean shop_id__c"),
    ],
)
def test_fields_that_are_not_are_refused(fields: Sequence[str], reply: Reply, message: str) -> None:
    with pytest.raises(Unauthorized, match=message) as error:
        prepared(fields, reply)
    assert error.value.code == "fields.unknown"


def test_the_records_of_one_job_are_one_batch_of_theirs_and_the_results_fit_into_a_reply() -> None:
    limits = SALESFORCE.limits
    assert limits.records == 10_000
    assert limits.bytes + 10_000 * (28 + 3 * 100) < 16 << 20, "an id, and a hundred empty cells, quoted, to each record"
