"""Customer.io's 200 and 207: who is not named by index was taken; and the one identifier that a mapping may have."""

from __future__ import annotations

import pytest
from support.examples import a_record, items
from support.vendors import Vendor, exchanges

from integrations.catalog import CATALOG
from integrations.errors import Ambiguous, DeliveryError, Refused, Retryable, Unauthorized
from integrations.exchange import JSON, Connection, Reply, Sent, Verdict
from integrations.reply import judge

CUSTOMERIO = CATALOG["customerio"]
SENT = Sent(3, ("a@example.com", "b@example.com", "c@example.com"))
US, EU = "https://track.customer.io", "https://track-eu.customer.io"
REGION = "GET /api/v1/accounts/region"


def error(index: JSON = 1, **more: JSON) -> JSON:
    return {"batch_index": index, "reason": "invalid", "field": "email", "message": "b@example.com is not one", **more}


def answer(*errors: JSON, status: int = 207, **more: JSON) -> Reply:
    return Reply.of({"errors": errors, **more}, status)


WHY = "email: (address) is not one"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        pytest.param(Reply.of({}), (), id="all taken"),
        pytest.param(answer(status=200), (), id="all taken, and no errors"),
        pytest.param(answer(error()), (Verdict(1, "invalid", WHY),), id="one refused"),
        pytest.param(answer(error(), status=200), (Verdict(1, "invalid", WHY),), id="one refused in a 200"),
        pytest.param(
            answer(error(2), error(0, reason="Required")),
            (Verdict(2, "invalid", WHY), Verdict(0, "required", WHY)),
            id="two refused",
        ),
        pytest.param(answer(error(), error(reason="required")), (Verdict(1, "required", WHY),), id="for two reasons"),
        pytest.param(answer({"batch_index": 0}), (Verdict(0, "", "item:"),), id="for no reason that is told"),
    ],
)
def test_what_becomes_of_whom(reply: Reply, expected: tuple[Verdict, ...]) -> None:
    assert judge(CUSTOMERIO, reply, SENT) == expected


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(answer(), id="207 and nobody is named"),
        pytest.param(Reply.of({}, 207), id="207 and an empty object"),
        pytest.param(Reply.of({}, 202), id="another yes"),
        pytest.param(answer(error(3)), id="one who was not sent"),
        pytest.param(answer(error(-1)), id="negative"),
        pytest.param(answer(error("1")), id="text"),
        pytest.param(answer(error(True)), id="boolean"),
        pytest.param(answer(error(1.0)), id="fraction"),
        pytest.param(answer({"reason": "invalid"}), id="no index"),
        pytest.param(answer("invalid"), id="an error that is text"),
        pytest.param(answer(error(reason=5)), id="a reason that is a number"),
        pytest.param(Reply.of({"errors": None}), id="errors that are none"),
        pytest.param(Reply.of({"meta": {"error": "Over capacity"}}), id="an error of the other sort"),
        pytest.param(answer(error(), meta={"errors": ["more"]}), id="errors of two sorts"),
        pytest.param(Reply.of([]), id="a list"),
        pytest.param(Reply(200), id="an empty body"),
        pytest.param(Reply(204), id="no content"),
    ],
)
def test_anything_else_is_ambiguous(reply: Reply) -> None:
    with pytest.raises(Ambiguous):
        judge(CUSTOMERIO, reply, SENT)


@pytest.mark.parametrize(
    ("reply", "kind", "code"),
    [
        pytest.param(answer(error(), status=400), Refused, "refused", id="refused whole"),
        pytest.param(Reply(413), Refused, "refused", id="too large"),
        pytest.param(Reply(401), Unauthorized, "auth.refused", id="wrong keys, or a US workspace at the EU address"),
        pytest.param(Reply(301), Unauthorized, "address.refused", id="sent elsewhere"),
        pytest.param(Reply(429), Retryable, "slow_down", id="too fast"),
        pytest.param(Reply(503), Retryable, "unavailable", id="down"),
    ],
)
def test_a_no_to_the_request(reply: Reply, kind: type[DeliveryError], code: str) -> None:
    with pytest.raises(kind) as found:
        judge(CUSTOMERIO, reply, SENT)
    assert found.value.code == code


@pytest.mark.parametrize(
    ("base", "region", "right"),
    [
        (US, US, True),
        (EU, EU, True),
        (f"{EU}/", EU, True),
        (US, EU, False),
        (EU, US, False),
        (f"{EU}/", US, False),
        ("https://proxy.example", EU, True),
        (US, "https://track-au.customer.io", True),
    ],
)
def test_a_wrong_region_is_told(base: str, region: str, right: bool) -> None:
    assert CUSTOMERIO.prepare is not None
    steps = CUSTOMERIO.prepare(Connection({"base_url": base}, CUSTOMERIO.sample.credentials), [])
    answers = [(REGION, Reply.of({"url": region, "region": "?", "environment_id": 3}))]
    if right:
        assert exchanges(CUSTOMERIO, steps, answers) == {}
        return
    with pytest.raises(Unauthorized, match=rf"address\.refused: .* `base_url` must be {region}$"):
        exchanges(CUSTOMERIO, steps, answers)


@pytest.mark.parametrize(
    ("mapped", "wrong"),
    [
        (["identifiers.id"], None),
        (["identifiers.email", "attributes.id"], None),
        (["identifiers.cio_id", "attributes.email"], None),
        (["attributes.a", "identifiers.email", "identifiers.id"], "maps identifiers.id and identifiers.email, but "),
        (list(CUSTOMERIO.identity), "maps identifiers.id and identifiers.email and identifiers.cio_id, but "),
    ],
)
def test_a_record_has_one_identifier(mapped: list[str], wrong: str | None) -> None:
    said = CUSTOMERIO.wrong(mapped)
    assert said is None if wrong is None else said is not None and said.startswith(wrong)


@pytest.mark.parametrize(
    ("name", "known_as"),
    [
        ("attributes.first_name", "attributes.*"),
        ("attributes.unsubscribed", "attributes.unsubscribed"),
        ("attributes._update", "attributes._update"),
        ("attributes.address.city", None),
        ("attributes.cio_subscription_preferences", None),
        ("attributes.cio_subscription_preferences.topics.topic_1", None),
        ("identifiers.phone", None),
        ("action", None),
        ("type", None),
    ],
)
def test_what_would_replace_other_topics_cannot_be_mapped(name: str, known_as: str | None) -> None:
    field = CUSTOMERIO.field(name)
    assert (field.name if field else None) == known_as


def test_everybody_is_identified_and_nothing_else_is_done_to_them() -> None:
    built = items(CUSTOMERIO, [{"i": "7", "u": True}], {"identifiers.id": "i", "attributes.unsubscribed": "u"})
    assert built == [
        {"type": "person", "action": "identify", "identifiers": {"id": "7"}, "attributes": {"unsubscribed": True}}
    ]


def test_the_stand_in_refuses_by_index_in_a_207() -> None:
    vendor = Vendor(CUSTOMERIO)
    vendor.deliver([a_record(CUSTOMERIO, address) for address in ("x@rejected.example", "a@example.com")])
    ((_, reply),) = vendor.talk
    assert (reply.status, [it["batch_index"] for it in reply.json()["errors"]]) == (207, [0])
