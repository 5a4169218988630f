"""Segment's yes, which is one to the request; and the messageId, by which it knows an event that comes again."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.examples import a_record, items, request, text

from integrations.catalog import CATALOG
from integrations.errors import Ambiguous, DeliveryError, Refused, Retryable, Unauthorized
from integrations.exchange import JSON, Reply, Sent
from integrations.integration import Answers
from integrations.reply import judge

SEGMENT = CATALOG["segment"]
SENT = Sent(3, ("41", "42", "43"))
KEY = "5f0c1d2e3a4b4c5d8e9fa0b1c2d3e4f5"


def test_a_yes_is_to_the_request_alone() -> None:
    assert judge(SEGMENT, Reply.of({"success": True}), SENT) == ()
    assert SEGMENT.answers is Answers.REQUESTS


@pytest.mark.parametrize(
    "document",
    [{"success": False}, {"success": "true"}, {"success": 1}, {"success": None}, {}, [], "success", True, None],
)
def test_another_word_than_success_is_ambiguous(document: JSON) -> None:
    with pytest.raises(Ambiguous):
        judge(SEGMENT, Reply.of(document), SENT)


@pytest.mark.parametrize("reply", [Reply(200), Reply(204), Reply(200, {}, b"ok"), Reply(200, {}, b"<html></html>")])
def test_a_yes_without_a_word_is_ambiguous(reply: Reply) -> None:
    with pytest.raises(Ambiguous):
        judge(SEGMENT, reply, SENT)


@pytest.mark.parametrize(
    ("reply", "kind", "code"),
    [
        pytest.param(Reply.of({"success": False, "message": "too large"}, 400), Refused, "refused", id="too large"),
        pytest.param(Reply(413), Refused, "refused", id="too large for a proxy"),
        pytest.param(Reply(401), Unauthorized, "auth.refused", id="wrong key"),
        pytest.param(Reply(404), Unauthorized, "address.refused", id="wrong address"),
        pytest.param(Reply(502), Retryable, "unavailable", id="down"),
    ],
)
def test_a_no_to_the_request(reply: Reply, kind: type[DeliveryError], code: str) -> None:
    with pytest.raises(kind) as found:
        judge(SEGMENT, reply, SENT)
    assert found.value.code == code


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-ratelimit-reset": "7"}, 7),
        ({"retry-after": "5", "x-ratelimit-reset": "7"}, 5),
        ({"x-ratelimit-reset": "soon"}, None),
        ({}, None),
    ],
)
def test_too_fast_is_told_in_seconds(headers: dict[str, str], seconds: float | None) -> None:
    with pytest.raises(Retryable) as found:
        judge(SEGMENT, Reply(429, headers), SENT)
    assert (found.value.slow_down, found.value.retry_after) == (True, seconds)


def messages(stamped: bytes) -> list[str]:
    return [it["messageId"] for it in json.loads(b"[" + stamped + b"]")]


@given(st.integers(min_value=0, max_value=30), st.sampled_from([KEY, "chunk-1", KEY * 2]))
def test_every_event_has_a_message_of_its_own_and_the_size_stays(count: int, key: str) -> None:
    built = text([a_record(SEGMENT, f"p{n}") for n in range(count)]).encode()
    stamped = SEGMENT.stamp(built, key)
    found = messages(stamped)
    assert len(stamped) == len(built)
    assert len(set(found)) == count
    assert all(len(it) == 37 and key[-32:] in it for it in found)
    assert SEGMENT.stamp(built, key) == stamped, "the same request again has the same messages"
    assert not set(messages(SEGMENT.stamp(built, key[:-1] + "x"))) & set(found)


def test_a_full_request_has_as_many_messages_as_events() -> None:
    built = text([a_record(SEGMENT, f"p{n}") for n in range(SEGMENT.limits.records)]).encode()
    found = messages(SEGMENT.stamp(built, KEY))
    assert len(set(found)) == SEGMENT.limits.records == 2500
    assert {len(it) for it in found} == {37}
    assert found[-1] == f"{KEY}-2499"


def test_only_the_message_is_stamped() -> None:
    (built,) = items(SEGMENT, [{"i": "7"}], {"userId": "i"})
    unstamped = built["messageId"]
    lookalike = f'{{"type":"identify","messageId":"{unstamped}"'
    traits = {"messageId": unstamped, "quoted": lookalike, "id": unstamped}
    packed = json.dumps({**built, "traits": traits}, separators=(",", ":")).encode()
    (stamped,) = json.loads(b"[" + SEGMENT.stamp(packed, KEY) + b"]")
    assert stamped == {**built, "traits": traits, "messageId": f"{KEY}-0000"}


def test_an_event_is_known_by_a_user_or_an_anonymous_id() -> None:
    assert SEGMENT.told_apart_by(["anonymousId", "userId"]) == "userId"
    assert SEGMENT.told_apart_by(["anonymousId"]) == "anonymousId"
    assert SEGMENT.told_apart_by(["traits.email"]) is None


def test_the_key_is_in_the_body_that_leaves() -> None:
    made = request(SEGMENT, [a_record(SEGMENT, "41")])
    assert [it["messageId"] for it in json.loads(made.body)["batch"]] == ["chunk-1-0000".rjust(37, "0")]
    assert made.headers["authorization"].startswith("Basic ")
