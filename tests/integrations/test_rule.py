"""Rule: one answer for a request, whose counts name nobody; tags in the envelope; waits by Stockholm's clocks."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from support.examples import a_record, request, sample
from support.vendors import Vendor

from integrations.catalog import CATALOG
from integrations.errors import Ambiguous, Refused, Retryable, Unauthorized
from integrations.exchange import JSON, Reply, Sent, Verdict
from integrations.reply import judge
from integrations.settings import problem

RULE = CATALOG["rule"]
SENT = Sent(3, ("a@example.com", "b@example.com", "c@example.com"))


def answer(created: JSON = 0, updated: JSON = 0, suppressed: JSON = 0, **more: JSON) -> Reply:
    counts = {"subscribers_created": created, "subscribers_updated": updated, "subscribers_suppressed": suppressed}
    return Reply.of({"message": "Success", **counts, **more})


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(answer(1, 2), id="all counted"),
        pytest.param(Reply.of({"message": "Success"}), id="nothing counted"),
        pytest.param(answer(1), id="the rest comes later"),
        pytest.param(answer(1, 1, 1), id="one is left out, and nobody says who"),
    ],
)
def test_received(reply: Reply) -> None:
    assert RULE.answers == "the request"
    assert judge(RULE, reply, SENT) == ()


def test_if_all_are_left_out_it_is_known_who() -> None:
    found = judge(RULE, answer(suppressed=3), SENT)
    assert found == tuple(Verdict(n, "consent.suppressed", "Rule has suppressed the person") for n in range(3))
    assert [it.index for it in judge(RULE, answer(suppressed=1), Sent(1, ("a@example.com",)))] == [0]


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(answer(4), id="one over"),
        pytest.param(answer(1, 1, 2), id="one over in all"),
        pytest.param(answer(-1), id="negative"),
        pytest.param(answer("3"), id="text"),
        pytest.param(answer(None), id="null"),
        pytest.param(answer(updated=True), id="boolean"),
        pytest.param(answer(3, error="UnexpectedError"), id="an error"),
        pytest.param(Reply.of([]), id="a list"),
        pytest.param(Reply.of("Success"), id="a text"),
        pytest.param(Reply(200), id="an empty body"),
        pytest.param(Reply(204), id="no content"),
    ],
)
def test_anything_else_is_ambiguous(reply: Reply) -> None:
    with pytest.raises(Ambiguous):
        judge(RULE, reply, SENT)


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        (400, "ValidationError", Refused),
        (409, "Conflict", Refused),
        (413, "TooMany", Refused),
        (404, "TagNotFound", Unauthorized),
        (401, "NotAuthorized", Unauthorized),
        (500, "UnexpectedError", Retryable),
    ],
)
def test_refused_whole(status: int, error: str, expected: type[Exception]) -> None:
    with pytest.raises(expected, match=error):
        judge(RULE, Reply.of({"error": error}, status), SENT)


@pytest.mark.parametrize(
    ("given", "now", "seconds"),
    [
        ("2026-07-01 14:00:30", "2026-07-01T12:00:00", 30),
        ("2026-12-01 13:00:30", "2026-12-01T12:00:00", 30),
        ("2026-12-01 12:59:30", "2026-12-01T12:00:00", 0),
        ("45", "2026-12-01T12:00:00", 45),
        ("soon", "2026-12-01T12:00:00", None),
    ],
)
def test_how_long_to_wait(given: str, now: str, seconds: float | None) -> None:
    assert RULE.wait({"retry-after": given}, datetime.fromisoformat(now).replace(tzinfo=UTC)) == seconds


def test_too_fast() -> None:
    with pytest.raises(Retryable) as error:
        judge(RULE, Reply(429, {"retry-after": "2020-01-01 00:00:00"}), SENT)
    assert (error.value.slow_down, error.value.retry_after) == (True, 0)


def test_tags_stand_in_the_envelope_or_nowhere() -> None:
    built = [a_record(RULE)]
    common = {"update_on_duplicate": True, "sync_subscribers": False, "subscribers": built}
    assert json.loads(request(RULE, built, shared=["vip", "1"]).body) == {**common, "tags": ["vip", "1"]}
    assert json.loads(request(RULE, built).body) == common


@pytest.mark.parametrize("people", [1, 19, 20, 1000])
def test_no_size_of_a_request_starts_automations(people: int) -> None:
    body = json.loads(request(RULE, [a_record(RULE, f"p{n}@example.com") for n in range(people)]).body)
    assert body["sync_subscribers"] is False
    assert "automation" not in body


def test_opt_in_is_asked_for_only_where_it_is_set() -> None:
    built = [a_record(RULE)]
    chosen = json.loads(request(RULE, built, sample(RULE, require_opt_in="yes"), shared=["vip"]).body)
    assert (chosen["require_opt_in"], chosen["tags"]) == (True, ["vip"])
    setting = next(it for it in RULE.settings if it.name == "require_opt_in")
    assert problem(setting, "no") is not None, "leave it out"


def test_fields_are_pairs_of_group_and_field() -> None:
    assert a_record(RULE, **{"fields.Profile.City": "Åre", "fields.Order.Total": "5"})["fields"] == [
        {"key": "Profile.City", "value": "Åre"},
        {"key": "Order.Total", "value": "5"},
    ]
    names = ("fields.Profile.City", "fields.City", "fields.A.B.C", "fields.")
    assert [RULE.field(name) is not None for name in names] == [True, False, False, False]


def test_who_is_suppressed_is_left_out_and_the_others_are_taken() -> None:
    vendor = Vendor(RULE)
    built = [a_record(RULE, address) for address in ("a@example.com", "b@unsubscribed.example")]
    assert vendor.deliver(built, ["vip"]) == ()
    assert vendor.stand_in.desk.contacts == {"a@example.com": {"email": "a@example.com", "tags": ["vip"]}}
    assert [it.code for it in vendor.deliver(built[1:])] == ["consent.suppressed"]


def test_one_wrong_address_refuses_the_request() -> None:
    vendor = Vendor(RULE)
    with pytest.raises(Refused):
        vendor.deliver([a_record(RULE), a_record(RULE, "no longer")])
    assert vendor.journalled() == []
