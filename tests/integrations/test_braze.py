"""Braze's yes: errors by index beside a `success`, and a count that must fit; another word than success is no yes."""

from __future__ import annotations

import time

import pytest
from support.examples import a_record, items, request
from support.vendors import Vendor

from integrations.catalog import CATALOG
from integrations.errors import Ambiguous, DeliveryError, Refused, Retryable, Unauthorized
from integrations.exchange import JSON, Reply, Sent, Verdict
from integrations.reply import judge

BRAZE = CATALOG["braze"]
SENT = Sent(3, ("41", "42", "43"))


def error(index: JSON = 1, what: JSON = "'email' is not valid", array: JSON = "attributes") -> JSON:
    return {"type": what, "input_array": array, "index": index}


def answer(*errors: JSON, status: int = 201, **more: JSON) -> Reply:
    named = {"errors": errors} if errors else {}
    return Reply.of({"message": "success", **named, **more}, status)


def said(reply: Reply) -> dict[int, str]:
    return {it.index: it.outcome for it in judge(BRAZE, reply, SENT)}


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        pytest.param(answer(attributes_processed=3), {}, id="all queued"),
        pytest.param(answer(attributes_processed=3, status=200), {}, id="all queued, and 200"),
        pytest.param(answer(), {}, id="no count"),
        pytest.param(answer(attributes_processed=3, errors=[]), {}, id="errors, but none"),
        pytest.param(answer(attributes_processed=3, errors=None), {}, id="errors that are null"),
        pytest.param(answer(error(), attributes_processed=2), {1: "rejected"}, id="one refused"),
        pytest.param(answer(error()), {1: "rejected"}, id="one refused and no count"),
        pytest.param(answer(error(), error(what="'dob' is not valid")), {1: "rejected"}, id="one, for two reasons"),
        pytest.param(answer(error(0), error(2), attributes_processed=1), {0: "rejected", 2: "rejected"}, id="two"),
        pytest.param(answer(attributes_processed=2), dict.fromkeys(range(3), "unknown"), id="one short"),
        pytest.param(answer(attributes_processed=0), dict.fromkeys(range(3), "unknown"), id="a silent no-op"),
        pytest.param(answer(attributes_processed=4), dict.fromkeys(range(3), "unknown"), id="one over"),
        pytest.param(
            answer(error(), attributes_processed=1), {0: "unknown", 1: "rejected", 2: "unknown"}, id="short by two"
        ),
        pytest.param(
            answer(error(), attributes_processed=3), {0: "unknown", 1: "rejected", 2: "unknown"}, id="both yes and no"
        ),
    ],
)
def test_what_becomes_of_whom(reply: Reply, expected: dict[int, str]) -> None:
    assert said(reply) == expected


def test_the_reason_is_told_without_addresses() -> None:
    reply = answer(error(what="b@example.com is not valid"), attributes_processed=2)
    assert judge(BRAZE, reply, SENT) == (Verdict(1, "", "(address) is not valid"),)


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply.of({"message": "queued"}, 202), id="put aside during maintenance"),
        pytest.param(answer(error(), message="Valid data must be provided"), id="a fatal error in a yes"),
        pytest.param(Reply.of({"attributes_processed": 3}), id="no message"),
        pytest.param(Reply.of({"message": None}), id="a message that is none"),
        pytest.param(answer(error(array="events")), id="an error of events"),
        pytest.param(answer(error(array=None)), id="an error of nothing"),
        pytest.param(answer("minor error message"), id="an error that is text"),
        pytest.param(answer({"type": "'email' is not valid"}), id="no index"),
        pytest.param(answer(error(3)), id="one that was not sent"),
        pytest.param(answer(error(-1)), id="negative"),
        pytest.param(answer(error("1")), id="an index that is text"),
        pytest.param(answer(error(True)), id="an index that is a boolean"),
        pytest.param(answer(error(what=None)), id="no reason"),
        pytest.param(answer(attributes_processed="3"), id="a count that is text"),
        pytest.param(answer(attributes_processed=-3), id="a negative count"),
        pytest.param(answer(attributes_processed=None), id="a count that is none"),
        pytest.param(Reply.of([]), id="a list"),
        pytest.param(Reply.of("success"), id="a word"),
        pytest.param(Reply(201), id="an empty body"),
        pytest.param(Reply(204), id="no content"),
    ],
)
def test_anything_else_is_ambiguous(reply: Reply) -> None:
    with pytest.raises(Ambiguous):
        judge(BRAZE, reply, SENT)


@pytest.mark.parametrize(
    ("reply", "kind", "code"),
    [
        pytest.param(
            answer(error(0), error(1), error(2), message="Valid data must be provided", status=400),
            *(Refused, "refused"),
            id="all refused",
        ),
        pytest.param(Reply.of({"message": "Max Input Length Exceeded"}, 400), Refused, "refused", id="too many"),
        pytest.param(Reply(413), Refused, "refused", id="too large"),
        pytest.param(Reply.of({"message": "Invalid API key"}, 401), Unauthorized, "auth.refused", id="wrong key"),
        pytest.param(Reply(403), Unauthorized, "auth.refused", id="an account that is closed"),
        pytest.param(Reply(404), Unauthorized, "address.refused", id="wrong address"),
        pytest.param(Reply(500), Retryable, "unavailable", id="an error of theirs"),
    ],
)
def test_a_no_to_the_request(reply: Reply, kind: type[DeliveryError], code: str) -> None:
    with pytest.raises(kind) as found:
        judge(BRAZE, reply, SENT)
    assert found.value.code == code


def test_too_fast_is_told_by_the_moment_at_which_it_ends() -> None:
    headers = {
        "x-ratelimit-limit": "3000",
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": str(int(time.time()) + 40),
    }
    with pytest.raises(Retryable) as found:
        judge(BRAZE, Reply(429, headers), SENT)
    assert found.value.slow_down
    assert found.value.retry_after == pytest.approx(39, abs=3)


@pytest.mark.parametrize(
    ("mapped", "wrong"),
    [
        (["external_id", "email", "phone"], None),
        (["braze_id"], None),
        (["user_alias.alias_name", "user_alias.alias_label", "email"], None),
        (["external_id", "braze_id"], "maps external_id and braze_id, but "),
        (["braze_id", "user_alias.alias_name", "user_alias.alias_label"], "maps braze_id and user_alias.alias_name"),
        (["user_alias.alias_name"], "lacks user_alias.alias_label; "),
        (["email", "user_alias.alias_label"], "lacks user_alias.alias_name; "),
    ],
)
def test_a_user_is_known_by_one_thing(mapped: list[str], wrong: str | None) -> None:
    found = BRAZE.wrong(mapped)
    assert found is None if wrong is None else found is not None and found.startswith(wrong)


@pytest.mark.parametrize(
    ("mapped", "by"),
    [
        (["email", "external_id"], "external_id"),
        (["phone", "email"], "email"),
        (["phone", "first_name"], "phone"),
        (["first_name"], None),
    ],
)
def test_an_id_tells_users_apart_before_an_address_does(mapped: list[str], by: str | None) -> None:
    assert BRAZE.told_apart_by(mapped) == by


@pytest.mark.parametrize(
    ("name", "known_as"),
    [
        ("favourite colour", "*"),
        ("email_subscribe", "email_subscribe"),
        ("current_location.latitude", "current_location.*"),
        ("current_location.height", None),
        ("address.city", None),
        ("subscription_groups", None),
        ("push_tokens", None),
        ("push_token_import", None),
    ],
)
def test_what_would_drop_or_subscribe_cannot_be_mapped(name: str, known_as: str | None) -> None:
    """A null inside an object makes Braze drop the whole object."""
    field = BRAZE.field(name)
    assert (field.name if field else None) == known_as


def test_a_request_says_that_it_is_one_of_many() -> None:
    alias = {"user_alias.alias_name": "n", "user_alias.alias_label": "'kund'", "a": "a"}
    made = request(BRAZE, items(BRAZE, [{"n": "7", "a": "#N/A"}], alias))
    assert made.headers["x-braze-bulk"] == "true"
    assert made.body == b'{"attributes":[{"user_alias": {"alias_name": "7", "alias_label": "kund"}, "a": null}]}'


def test_the_stand_in_refuses_whole_where_everything_is_wrong() -> None:
    vendor = Vendor(BRAZE)
    with pytest.raises(Refused, match="Valid data must be provided"):
        vendor.deliver([a_record(BRAZE, "x@rejected.example")])
    assert vendor.deliver([a_record(BRAZE, "a@example.com"), a_record(BRAZE, "x@rejected.example")])[0].index == 1
