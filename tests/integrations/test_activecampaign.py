"""ActiveCampaign's imports: all of a request is queued or nothing, and failures are told by address only."""

from __future__ import annotations

import json

import pytest
from support.examples import a_record, sample
from support.vendors import NOW, Vendor, exchanges

from integrations import request as requests
from integrations.catalog import CATALOG
from integrations.errors import Ambiguous, Refused, Retryable, Unauthorized
from integrations.exchange import JSON, Reply, Sent
from integrations.reply import accepted, understood

AC = CATALOG["activecampaign"]
SENT = Sent(3, ("a@example.com", "b@example.com", "c@example.com"))
UNKNOWN = dict.fromkeys(range(3), "unknown")
REST = {0: "unknown", 1: "rejected", 2: "unknown"}


def state(status: JSON, *failed: str, **more: JSON) -> JSON:
    return {"status": status, "success": ["1"], "failure": [f"{it}@example.com" for it in failed], **more}


def follow(*documents: JSON, job: str = "b1/3", sent: Sent = SENT) -> dict[int, str]:
    assert AC.job is not None
    answers = [("GET /api/3/import/info?batchId=b1", Reply.of(it)) for it in documents]
    return {it.index: it.outcome for it in exchanges(AC, AC.job.follow(sample(AC), job, sent), answers)}


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        pytest.param([state("completed")], {}, id="all taken"),
        pytest.param([state("completed", success=[])], {}, id="all known before"),
        pytest.param([{"status": False}, state("completed")], {}, id="asked in the first second"),
        pytest.param([state(it) for it in ("waiting", "claimed", "active", "completed")], {}, id="one by one"),
        pytest.param([state("a new state"), state("completed")], {}, id="a state that nobody told of"),
        pytest.param([state("completed", "b")], {1: "rejected"}, id="one refused"),
        pytest.param([state("completed", "B")], {1: "rejected"}, id="in capitals"),
        pytest.param([state("completed", *"abc")], dict.fromkeys(range(3), "rejected"), id="all refused"),
        pytest.param([state("completed", "x")], UNKNOWN, id="another's address"),
        pytest.param([state("completed", "b", "x")], REST, id="one refused, and another's"),
        pytest.param([state("completed", "b", "b")], REST, id="one refused twice"),
        pytest.param([state("completed", failure=[None])], UNKNOWN, id="a failure that is nobody's"),
        pytest.param([state("failed")], UNKNOWN, id="failed"),
        pytest.param([{"status": "failed"}], UNKNOWN, id="failed, and nothing else"),
        pytest.param([state("failed", "b")], REST, id="failed, one told"),
        pytest.param([state("interrupted")], UNKNOWN, id="interrupted"),
        pytest.param([state("interrupted", *"abc")], dict.fromkeys(range(3), "rejected"), id="interrupted, all told"),
        pytest.param([state("active", "b"), state("completed", "b")], {1: "rejected"}, id="told before the end"),
    ],
)
def test_what_an_import_means(documents: list[JSON], expected: dict[int, str]) -> None:
    assert follow(*documents) == expected


@pytest.mark.parametrize("queued", [0, 2, 4])
def test_another_number_that_was_queued_leaves_all_in_doubt(queued: int) -> None:
    assert follow(state("completed"), job=f"b1/{queued}") == UNKNOWN
    assert follow(state("completed", "b"), job=f"b1/{queued}") == REST


def test_contacts_with_one_address_between_them_are_unknown() -> None:
    twice = Sent(3, ("b@example.com", "b@example.com", "c@example.com"))
    assert follow(state("completed", "b"), sent=twice) == UNKNOWN


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"status": "completed"}, id="completed, without a word on failures"),
        pytest.param({"status": "completed", "failure": None}, id="failures that are none"),
        pytest.param({"status": "completed", "failure": 0}, id="failures that are a number"),
        pytest.param({"success": 1}, id="no state"),
        pytest.param({}, id="an empty object"),
        pytest.param([], id="a list"),
        pytest.param("completed", id="a text"),
    ],
)
def test_nonsense_is_never_a_yes(document: JSON) -> None:
    with pytest.raises((Ambiguous, LookupError, TypeError, ValueError, AttributeError)):  # all end as ambiguous
        follow(document)


def started(document: JSON) -> str:
    assert AC.job is not None
    start = AC.job.started
    assert start is not None
    return understood(AC, Reply(200), lambda: start(Reply.of(document)))


QUEUED = {"Success": 1, "queued_contacts": 3, "batchId": "0641-fb", "message": "Contact import queued"}


def test_the_number_that_was_queued_is_remembered_with_the_id() -> None:
    assert started(QUEUED) == "0641-fb/3"
    assert started(QUEUED | {"batchId": 5}) == "5/3"


@pytest.mark.parametrize(
    "document",
    [
        *({**QUEUED, "batchId": it} for it in (None, "", " ", False, ["b1"])),
        *({**QUEUED, "queued_contacts": it} for it in (None, "3", -1, True, 3.0)),
        {name: it for name, it in QUEUED.items() if name != "batchId"},
        {name: it for name, it in QUEUED.items() if name != "queued_contacts"},
        {"Success": 0, "message": "No"},
        [],
    ],
)
def test_a_yes_without_a_batch_is_ambiguous(document: JSON) -> None:
    with pytest.raises(Ambiguous):
        started(document)


@pytest.mark.parametrize(
    "document",
    [
        {"message": "Rate limit exceeded.", "failureReasons": ["Up to 100 imports may be requested per minute."]},
        {"message": "Rate limit exceeded."},
        {"message": "Rate limit exceeded.", "failureReasons": None},
        {"message": "", "failureReasons": ["Batch contacts, or retry this request in a minute."]},
    ],
)
def test_a_400_may_mean_too_fast(document: JSON) -> None:
    with pytest.raises(Retryable) as error:
        accepted(AC, Reply.of({"success": 0, **document}, 400))
    assert (error.value.code, error.value.slow_down, error.value.retry_after) == ("slow_down", True, 60)


@pytest.mark.parametrize(
    ("reasons", "said"),
    [
        (
            [{"contact": 230, "failureReason": "Field email of a@example.com is wrong"}],
            "Field email of (address) is wrong",
        ),
        ([{"contact": 0, "failureReason": "Not per minute"}], "Not per minute"),
        (["The payload is too large"], "The payload is too large"),
        ([], "Not valid"),
        ("none", "Not valid"),
        ([5, None], "Not valid"),
        (None, "Not valid"),
    ],
)
def test_a_400_about_contacts_refuses_the_request(reasons: JSON, said: str) -> None:
    with pytest.raises(Refused) as error:
        accepted(AC, Reply.of({"success": 0, "message": "Not valid", "failureReasons": reasons}, 400))
    assert (error.value.code, error.value.message) == ("refused", f"HTTP 400: {said}")


@pytest.mark.parametrize("body", [b"", b"<html></html>", b"[]", b'"Rate limit exceeded"', b"{"])
def test_a_400_in_another_shape_refuses_the_request(body: bytes) -> None:
    with pytest.raises(Refused):
        accepted(AC, Reply(400, {}, body))


def test_too_fast_as_usual() -> None:
    with pytest.raises(Retryable) as error:
        accepted(AC, Reply(429, {"retry-after": "2", "ratelimit-remaining": "0"}))
    assert (error.value.slow_down, error.value.retry_after) == (True, 2)


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_refused(status: int) -> None:
    with pytest.raises(Unauthorized, match=rf"auth\.refused: HTTP {status}: No"):
        accepted(AC, Reply.of({"message": "No"}, status))


def page(start: int, end: int, total: int) -> Reply:
    fields = [{"id": str(it), "title": "Shoe", "perstag": f"TAG{it}"} for it in range(start, end)]
    return Reply.of({"fields": fields, "meta": {"total": str(total)}})


def names(*answers: tuple[str, Reply], fields: tuple[str, ...]) -> JSON:
    assert AC.names is not None
    return exchanges(AC, AC.names(sample(AC), fields), answers)


def test_custom_fields_go_by_their_numbers_however_many_there_are() -> None:
    first = ("GET /api/3/fields?limit=100", page(0, 100, 201))
    more = [
        ("GET /api/3/fields?limit=100&offset=100", page(100, 200, 201)),
        ("GET /api/3/fields?limit=100&offset=200", page(200, 201, 201)),
    ]
    found = names(first, *more, fields=("email", "fields.TAG5", "fields.TAG200"))
    assert found == {"fields.TAG5": 5, "fields.TAG200": 200}
    assert names(("GET /api/3/fields?limit=100", page(0, 100, 100)), fields=("fields.TAG9",)) == {"fields.TAG9": 9}
    with pytest.raises(Unauthorized, match=r"fields\.unknown: There is no custom field tag9"):
        names(("GET /api/3/fields?limit=100", page(0, 100, 100)), fields=("fields.tag9",))


@pytest.mark.parametrize(("settings", "there"), [({}, None), ({"automations": "run"}, None)])
def test_automations_run_unless_they_are_excluded(settings: dict[str, str], there: JSON) -> None:
    made = requests.build(AC, sample(AC, **settings), b'{"email": "a@example.com"}', "key", NOW)
    assert json.loads(made.body).get("exclude_automations") is there
    made = requests.build(AC, sample(AC, automations="exclude"), b'{"email": "a@example.com"}', "key", NOW)
    assert json.loads(made.body) == {"contacts": [{"email": "a@example.com"}], "exclude_automations": True}


def test_values_lists_and_tags_reach_the_contact() -> None:
    vendor = Vendor(AC)
    one = a_record(AC, called={"fields.X": 7}, **{"fields.X": ["ski", "sauna"]}, tags=["a"], subscribe=["12"])
    assert one["fields"] == [{"id": 7, "value": "||ski||sauna||"}]
    assert one["subscribe"] == [{"listid": "12"}]
    assert vendor.deliver([one]) == ()
    vendor.deliver([a_record(AC, called={"fields.Y": 8}, **{"fields.Y": True}, tags=["b"], unsubscribe=[4])])
    (contact,) = vendor.stand_in.desk.contacts.values()
    assert contact == {
        "email": "asa@example.com", "fields.7": "||ski||sauna||", "fields.8": "true",
        "tags": ["a", "b"], "subscribe": ["12"], "unsubscribe": [4],
    }  # fmt: skip


@pytest.mark.parametrize("bad", ["b@conflict.example", "no address"])
def test_one_bad_contact_refuses_the_request_with_its_reason(bad: str) -> None:
    vendor = Vendor(AC)
    with pytest.raises(Refused, match="refused: HTTP 400: The field email has a wrong format"):
        vendor.deliver([a_record(AC), a_record(AC, bad)])
    assert vendor.journalled() == []


def test_tags_stay_a_list_and_may_hold_what_joins_other_lists() -> None:
    assert AC.separator("fields.INTERESTS") == "||"
    assert AC.separator("tags") is None
    assert AC.separator("first_name") is None
