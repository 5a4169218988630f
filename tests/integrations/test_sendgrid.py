"""SendGrid's jobs: a contact was taken if all counts add up and the file of errors does not name it."""

from __future__ import annotations

import gzip
import json
import time

import pytest
from support.examples import a_record, sample
from support.vendors import NOW, Vendor, exchanges

from integrations import request as requests
from integrations.catalog import CATALOG
from integrations.errors import Ambiguous, Refused, Retryable, Unauthorized
from integrations.exchange import JSON, Reply, Sent, Verdict
from integrations.reply import accepted, understood
from integrations.steps import get

SENDGRID = CATALOG["sendgrid"]
SENT = Sent(3, ("a@example.com", "b@example.com", "c@example.com"))
JOB, FILE = "/v3/marketing/contacts/imports/j1", "https://files.example/errors?sig=a%2Fb"
Answer = tuple[str, Reply]


def job(status: JSON, created: JSON = 0, updated: JSON = 0, errored: JSON = 0, **more: JSON) -> Answer:
    counts = {"requested_count": 3, "created_count": created, "updated_count": updated, "errored_count": errored}
    return f"GET {JOB}", Reply.of({"id": "j1", "status": status, "results": {**counts, **more}})


def told(*entries: JSON) -> Answer:
    return f"GET {FILE}", Reply.of(entries)


def file(body: str | bytes) -> Answer:
    return f"GET {FILE}", Reply(200, {}, body.encode() if isinstance(body, str) else body)


def error(name: str) -> JSON:
    return {"email": f"{name}@example.com", "error": "Invalid"}


def follow(*answers: Answer, sent: Sent = SENT) -> list[Verdict]:
    assert SENDGRID.job is not None
    return list(exchanges(SENDGRID, SENDGRID.job.follow(sample(SENDGRID), "j1", sent), answers))


ONE = job("errored", 1, 1, 1, errors_url=FILE)
ALL = job("failed", 0, 0, 3, errors_url=FILE)
UNKNOWN = dict.fromkeys(range(3), "unknown")
REST = {0: "unknown", 1: "rejected", 2: "unknown"}


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        pytest.param([job("completed", 3)], {}, id="all new"),
        pytest.param([job("completed", 1, 2)], {}, id="new and known"),
        pytest.param([job("pending"), job("pending", 2), job("completed", 3)], {}, id="after a while"),
        pytest.param([job("a new state"), job("completed", 3)], {}, id="a state that nobody told of"),
        pytest.param([ONE, told(error("b"))], {1: "rejected"}, id="one refused"),
        pytest.param([ONE, told(error("B"))], {1: "rejected"}, id="in capitals"),
        pytest.param([ONE, told({"contact": error("b")})], {1: "rejected"}, id="nested"),
        pytest.param([ONE, told("b@example.com")], {1: "rejected"}, id="only an address"),
        pytest.param([ONE, told(error("b"), error("b"))], {1: "rejected"}, id="two errors on one"),
        pytest.param([ONE, file("email,error\nb@example.com,Invalid\n")], {1: "rejected"}, id="csv"),
        pytest.param([ONE, file("b@example.com,Invalid\n")], {1: "rejected"}, id="csv without names"),
        pytest.param([ONE, file(gzip.compress(b"email\nb@example.com\n"))], {1: "rejected"}, id="gzip"),
        pytest.param([ALL, told(*map(error, "abc"))], dict.fromkeys(range(3), "rejected"), id="all refused"),
        pytest.param([ALL, told()], dict.fromkeys(range(3), "rejected"), id="all refused, nobody named"),
        pytest.param([job("failed", 0, 0, 3)], dict.fromkeys(range(3), "rejected"), id="all refused, no file"),
        pytest.param([job("failed")], dict.fromkeys(range(3), "failed"), id="could not be processed"),
        pytest.param([job("failed", 1)], UNKNOWN, id="failed, and yet one was taken"),
        pytest.param([job("errored", 2, 0, 1)], UNKNOWN, id="one refused, no file"),
        pytest.param([job("errored", 2, 0, 1, errors_url=None)], UNKNOWN, id="a file that is none"),
        pytest.param([job("errored", 2, 0, 1, errors_url=5)], UNKNOWN, id="an address that is a number"),
        pytest.param([job("errored", 2, 0, 1, errors_url="errors.csv")], UNKNOWN, id="an address that is none"),
        pytest.param([ONE, told()], UNKNOWN, id="a refusal that is not told"),
        pytest.param([ONE, told(error("x"))], UNKNOWN, id="another's refusal"),
        pytest.param([ONE, told([error("a"), error("b")])], UNKNOWN, id="one entry on two"),
        pytest.param(
            [ONE, told(error("a"), error("b"))], {0: "rejected", 1: "rejected", 2: "unknown"}, id="one too many"
        ),
        pytest.param([ONE, file("<html>Expired</html>")], UNKNOWN, id="a page instead of the file"),
        pytest.param([ONE, file("")], UNKNOWN, id="an empty file"),
        pytest.param([job("errored", 1, 0, 2, errors_url=FILE), told(error("b"))], REST, id="one of two is told"),
        pytest.param([job("errored", 1, 0, 1, errors_url=FILE), told(error("b"))], REST, id="one short"),
        pytest.param([job("errored", 3, 0, 1, errors_url=FILE), told(error("b"))], REST, id="one over"),
        pytest.param([job("completed", 2)], UNKNOWN, id="completed, one short"),
        pytest.param([job("completed", 4)], UNKNOWN, id="completed, one over"),
        pytest.param([job("completed", 3, requested_count=4)], UNKNOWN, id="another number was requested"),
        pytest.param([job("completed")], UNKNOWN, id="a silent no-op"),
        pytest.param([(f"GET {JOB}", Reply.of({"status": "completed"}))], UNKNOWN, id="no results"),
        pytest.param([(f"GET {JOB}", Reply.of({"status": "failed"}))], dict.fromkeys(range(3), "failed"), id="failed"),
    ],
)
def test_what_a_job_means(answers: list[Answer], expected: dict[int, str]) -> None:
    assert {it.index: it.outcome for it in follow(*answers)} == expected


@pytest.mark.parametrize(
    "entry",
    [
        {"email": "b@example.com", "error": "Too long"},
        {"contact": {"email": "b@example.com"}, "Error Message": "Too long"},
        {"email": "b@example.com", "errors": [{"field": "Too long"}]},
        {"email": "b@example.com", "failure_reason": "Too long"},
    ],
)
def test_the_reason_is_the_vendors(entry: JSON) -> None:
    assert follow(ONE, told(entry)) == [Verdict(1, "", "Too long")]


def test_contacts_with_one_address_between_them_are_unknown() -> None:
    twice = Sent(3, ("b@example.com", "b@example.com", "c@example.com"))
    assert [it.outcome for it in follow(ONE, told(error("b")), sent=twice)] == ["unknown"] * 3


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([job("completed", -3, 6)], id="negative"),
        pytest.param([job("completed", "3")], id="text"),
        pytest.param([job("completed", 3.0)], id="fraction"),
        pytest.param([job("completed", True, 2)], id="boolean"),
        pytest.param([(f"GET {JOB}", Reply.of({}))], id="an empty object"),
        pytest.param([(f"GET {JOB}", Reply.of([]))], id="a list"),
        pytest.param([(f"GET {JOB}", Reply(200))], id="an empty body"),
        pytest.param([(f"GET {JOB}", Reply.of({"status": "completed", "results": [3]}))], id="results in a list"),
        pytest.param([ONE, file(b"\x1f\x8bbroken")], id="a broken file"),
        pytest.param([ONE, file(b"\xff\xfe")], id="a file that is no text"),
    ],
)
def test_nonsense_is_never_a_yes(answers: list[Answer]) -> None:
    with pytest.raises((Ambiguous, LookupError, TypeError, ValueError, AttributeError)):  # all end as ambiguous
        follow(*answers)


@pytest.mark.parametrize("answer", [{}, {"job_id": None}, {"job_id": ""}, {"job_id": ["j1"]}, [], "j1", None])
def test_a_job_without_an_id_is_ambiguous(answer: JSON) -> None:
    assert SENDGRID.job is not None
    started = SENDGRID.job.started
    assert started is not None
    assert started(Reply.of({"job_id": "j1"}, 202)) == "j1"
    with pytest.raises(Ambiguous):
        understood(SENDGRID, Reply(202), lambda: started(Reply.of(answer, 202)))


def test_too_fast_until_a_moment() -> None:
    with pytest.raises(Retryable) as found:
        accepted(SENDGRID, Reply(429, {"x-ratelimit-reset": str(int(time.time()) + 30)}, b'{"errors": []}'))
    assert found.value.slow_down
    assert found.value.retry_after is not None
    assert 25 < found.value.retry_after <= 30


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (400, Refused, "refused: HTTP 400: first name is too long"),
        (413, Refused, "refused: HTTP 413: first name is too long"),
        (401, Unauthorized, r"auth\.refused"),
        (403, Unauthorized, r"auth\.refused"),
    ],
)
def test_requests_refused_whole(status: int, kind: type[Exception], said: str) -> None:
    body = {"errors": [{"field": "contacts[1]", "message": "first name is too long", "error_id": "x"}]}
    with pytest.raises(kind, match=said):
        accepted(SENDGRID, Reply.of(body, status))


NAMES = {
    "custom_fields": [{"id": "e1_T", "name": "shoe_size"}, {"id": "e2_N", "name": "points"}],
    "reserved_fields": [],
}


def names(document: JSON, *fields: str) -> JSON:
    assert SENDGRID.names is not None
    answers = [("GET /v3/marketing/field_definitions", Reply.of(document))]
    return exchanges(SENDGRID, SENDGRID.names(sample(SENDGRID), fields), answers)


def test_custom_fields_go_by_their_ids() -> None:
    found = names(NAMES, "email", "custom_fields.points", "custom_fields.shoe_size")
    assert found == {"custom_fields.points": "e2_N", "custom_fields.shoe_size": "e1_T"}
    assert names({}, "email") == {}


@pytest.mark.parametrize("document", [NAMES, {"custom_fields": None}, {}])
def test_a_custom_field_that_is_not_there_is_refused(document: JSON) -> None:
    with pytest.raises(Unauthorized, match=r"fields\.unknown: There is no custom field shoesize"):
        names(document, "custom_fields.shoesize")


def test_a_list_stands_in_the_envelope_only_if_it_is_set() -> None:
    one = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
    for settings, there in (({}, None), ({"list_id": one}, [one])):
        made = requests.build(SENDGRID, sample(SENDGRID, **settings), b'{"email": "a@example.com"}', "key", NOW)
        assert json.loads(made.body).get("list_ids") == there
        assert json.loads(made.body)["contacts"] == [{"email": "a@example.com"}]


def test_the_key_does_not_go_to_where_the_file_is() -> None:
    made = requests.call(SENDGRID, sample(SENDGRID), get(FILE), NOW)
    assert made.url == FILE
    assert "authorization" not in made.headers


def test_nothing_but_contacts_is_put_and_all_else_is_only_asked_for() -> None:
    vendor = Vendor(SENDGRID)
    vendor.deliver([a_record(SENDGRID, f"{name}@{name}.example") for name in ("good", "rejected")])
    said = [(made.method, made.url.removeprefix(vendor.base)) for made, _ in vendor.talk]
    assert said[0] == ("PUT", "/v3/marketing/contacts")
    assert {method for method, _ in said[1:]} == {"GET"}
    assert not any("?" in url or "delete" in url for _, url in said)
