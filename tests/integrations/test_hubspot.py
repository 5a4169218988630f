"""HubSpot's 200 and 207: a record is delivered only if the answer names it among the stored, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.catalog import CATALOG
from integrations.errors import Ambiguous, Refused
from integrations.exchange import JSON, Reply, Sent, Verdict
from integrations.reply import judge

HUBSPOT = CATALOG["hubspot"]
SENT = Sent(3, ("a@example.com", "b@example.com", "c@example.com"))


def answer(stored: str, refused: str = "", status: str = "COMPLETE", **more: JSON) -> Reply:
    results = [{"id": "1", "properties": {"email": f"{name}@example.com"}} for name in stored]
    errors = [error({"objectWriteTraceId": [f"{name}@example.com"]}) for name in refused]
    return Reply.of({"status": status, "results": results, "errors": errors, **more}, 207 if refused else 200)


def error(context: JSON) -> dict[str, JSON]:
    return {"status": "error", "category": "VALIDATION_ERROR", "message": "No such property", "context": context}


def outcomes(reply: Reply) -> dict[int, str]:
    return {verdict.index: verdict.outcome for verdict in judge(HUBSPOT, reply, SENT)}


def test_all_stored_in_any_order_and_case() -> None:
    assert judge(HUBSPOT, answer("cab"), SENT) == ()
    assert judge(HUBSPOT, answer("CaB"), SENT) == ()


def test_mixed() -> None:
    assert judge(HUBSPOT, answer("ac", "b"), SENT) == (Verdict(1, "validation_error", "No such property"),)


@pytest.mark.parametrize(
    "context",
    [
        {"objectWriteTraceId": ["b@example.com"]},
        {"objectWriteTraceId": ["b@example.com"], "existing": ["a@example.com"]},
        {"ids": ["B@example.com"]},
        {"propertyName": ["email"], "email": ["b@example.com"]},
    ],
)
def test_a_refused_record_is_found_by_the_context(context: JSON) -> None:
    reply = answer("ac", errors=[error(context)])
    assert outcomes(reply) == {1: "rejected"}


def test_one_error_may_name_several_records() -> None:
    reply = answer("a", errors=[error({"ids": ["b@example.com", "c@example.com"]})])
    assert outcomes(reply) == {1: "rejected", 2: "rejected"}


def test_a_stored_record_is_known_by_its_trace_where_its_address_is_missing() -> None:
    results = [{"id": "1", "properties": {}, "objectWriteTraceId": name} for name in SENT.identities]
    assert outcomes(answer("", results=results)) == {}


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        pytest.param(answer("ac"), {1: "unknown"}, id="one is not named"),
        pytest.param(answer(""), dict.fromkeys(range(3), "unknown"), id="a silent no-op"),
        pytest.param(answer("acx"), {1: "unknown"}, id="another's address"),
        pytest.param(answer("aac"), {1: "unknown"}, id="one twice, one not at all"),
        pytest.param(answer("ac", errors=[error({})]), {1: "unknown"}, id="an error that names nobody"),
        pytest.param(answer("ac", errors=[error({"ids": ["x"]})]), {1: "unknown"}, id="an error that names another"),
        pytest.param(answer("ac", "bb"), {1: "rejected"}, id="two errors on one"),
    ],
)
def test_records_that_are_not_named_are_unknown(reply: Reply, expected: dict[int, str]) -> None:
    assert outcomes(reply) == expected


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(answer("abc", "b"), id="yes and no to one record"),
        pytest.param(answer("abc", status="PENDING"), id="pending"),
        pytest.param(answer("abc", status="CANCELED"), id="cancelled"),
        pytest.param(Reply.of({"status": "COMPLETE"}), id="no results"),
        pytest.param(Reply.of({"results": []}), id="no status"),
        pytest.param(answer("", results=[{"id": "1"}]), id="a result without properties"),
        pytest.param(answer("", results=[None]), id="a result that is none"),
        pytest.param(answer("", results=[{"properties": {"email": 5}}]), id="an address that is a number"),
        pytest.param(answer("ab", errors=[error({"ids": [5]})]), id="an id that is a number"),
        pytest.param(answer("ab", errors=[error({"ids": None})]), id="ids that are none"),
        pytest.param(answer("ab", errors=[error([])]), id="a context that is a list"),
        pytest.param(Reply(200), id="an empty body"),
        pytest.param(Reply(204), id="no content"),
    ],
)
def test_anything_else_is_ambiguous(reply: Reply) -> None:
    with pytest.raises(Ambiguous):
        judge(HUBSPOT, reply, SENT)


@given(stored=st.text("abcdx", max_size=5), refused=st.text("abcdx", max_size=3))
def test_delivered_means_named_among_the_stored_only(stored: str, refused: str) -> None:
    try:
        found = outcomes(answer(stored, refused))
    except Ambiguous:
        assert set(stored) & set(refused) & set("abc")
        return
    for index, name in enumerate("abc"):
        assert (index not in found) == (name in stored)
        assert (found.get(index) == "rejected") == (name in refused)


def test_records_with_one_address_between_them_are_unknown() -> None:
    sent = Sent(2, ("a@example.com", "a@example.com"))
    assert [verdict.outcome for verdict in judge(HUBSPOT, answer("a"), sent)] == ["unknown", "unknown"]


@pytest.mark.parametrize("status", [400, 409])
def test_a_request_refused_whole(status: int) -> None:
    body = {"category": "CONFLICT", "message": "Contact a@example.com exists", "correlationId": "x"}
    with pytest.raises(Refused, match=r"^refused: HTTP \d+: Contact \(address\) exists$"):
        judge(HUBSPOT, Reply.of(body, status), SENT)
