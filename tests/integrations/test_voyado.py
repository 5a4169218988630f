"""Voyado Engage: a batch updates or creates, has an id, and nothing is read into what nobody has documented."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from support.examples import a_record, sample
from support.vendors import Vendor, exchanges

from integrations.catalog import CATALOG
from integrations.errors import Ambiguous, DeliveryError, Refused, Retryable, Unauthorized
from integrations.exchange import JSON, Reply, Sent
from integrations.reply import accepted, understood
from integrations.settings import problem
from integrations.steps import Started

VOYADO = CATALOG["voyado"]
JOB = VOYADO.job
assert JOB is not None
BULK = "/api/v3/contacts/bulk"
BATCH = "7d3c1f0a-0c1e-4c55-9d8a-3b8f6f0c2a11"


def started(reply: Reply) -> str:
    """Return the id under which a batch is remembered after this answer to it."""
    assert JOB is not None
    assert JOB.submit is not None
    steps = JOB.submit(sample(VOYADO), b"{}")
    next(steps)
    step = understood(VOYADO, reply, lambda: steps.send(accepted(VOYADO, reply)))
    assert isinstance(step, Started)
    return step.job


@pytest.mark.parametrize("status", [200, 201, 202])
def test_a_batch_is_known_by_its_id(status: int) -> None:
    assert started(Reply.of(BATCH, status)) == BATCH


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply(202), id="an empty body"),
        pytest.param(Reply.of(""), id="an empty text"),
        pytest.param(Reply.of("  "), id="blanks"),
        pytest.param(Reply.of(None), id="null"),
        pytest.param(Reply.of(True), id="a boolean"),
        pytest.param(Reply.of({"errors": []}), id="an object"),
        pytest.param(Reply.of([BATCH]), id="a list"),
        pytest.param(Reply(200, {}, b"<html>Log in</html>"), id="a page"),
    ],
)
def test_without_an_id_nobody_knows(reply: Reply) -> None:
    with pytest.raises(Ambiguous, match="bad_answer"):
        started(reply)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(400, Refused), (409, Refused), (413, Refused), (401, Unauthorized), (403, Unauthorized), (500, Retryable)],
)
def test_refused(status: int, expected: type[DeliveryError]) -> None:
    with pytest.raises(expected, match="InvalidContactType"):
        started(Reply.of({"message": "InvalidContactType"}, status))


def test_too_fast() -> None:
    with pytest.raises(Retryable) as error:
        started(Reply(429, {"retry-after": "3"}))
    assert (error.value.slow_down, error.value.retry_after) == (True, 3)


def test_what_a_batch_comes_to_is_asked_of_nobody_and_no_yes_is_read_into_it() -> None:
    assert JOB is not None
    found = exchanges(VOYADO, JOB.follow(sample(VOYADO), BATCH, Sent(1, ("a@example.com",))), [])
    assert (found, VOYADO.answers) == ([], "the request")
    assert any("not documented" in note for note in VOYADO.notes)


@pytest.mark.parametrize(
    ("settings", "call"),
    [
        ({}, f"PATCH {BULK}"),
        ({"mode": "update"}, f"PATCH {BULK}"),
        ({"contact_type": "Member"}, f"PATCH {BULK}?contactType=Member"),
        ({"avoid_triggering_export": "true"}, f"PATCH {BULK}?avoidTriggeringExport=true"),
        (
            {"contact_type": "Member", "avoid_triggering_export": "false"},
            f"PATCH {BULK}?contactType=Member&avoidTriggeringExport=false",
        ),
        ({"mode": "create"}, f"POST {BULK}"),
        (
            {"mode": "create", "contact_type": "Contact", "avoid_triggering_export": "true"},
            f"POST {BULK}?contactType=Contact",
        ),
    ],
)
def test_a_batch_either_updates_or_creates(settings: Mapping[str, str], call: str) -> None:
    vendor = Vendor(VOYADO, settings)
    built = [a_record(VOYADO, preferred="x")]
    assert vendor.deliver(built) == ()
    ((made, _),) = vendor.talk
    assert f"{made.method} {made.url.removeprefix(vendor.base)}" == call
    assert json.loads(made.body) == built
    assert made.headers["apikey"] == "sandbox-key"
    assert len(vendor.jobs) == 1


@pytest.mark.parametrize(("name", "value"), [("mode", "upsert"), ("contact_type", "a b"), ("mode", "")])
def test_settings(name: str, value: str) -> None:
    assert problem(next(it for it in VOYADO.settings if it.name == name), value) is not None


@pytest.mark.parametrize(
    ("name", "consent"),
    [
        ("preferences.acceptsEmail", True),
        ("preferences.acceptsSms", True),
        ("preferences.anything", None),
        ("preferences", None),
        ("consents", None),
        ("Consents", None),
        ("acceptsEmail", None),
        ("contactType", None),
        ("id", None),
        ("firstName", False),
        ("idealStore", False),
        ("email", False),
    ],
)
def test_consent_comes_in_by_preferences_only(name: str, consent: bool | None) -> None:
    known = VOYADO.field(name)
    assert (known.consent if known else None) == consent


def test_preferences_are_nested() -> None:
    built = a_record(VOYADO, **{"preferences.acceptsEmail": True})
    assert built["preferences"] == {"acceptsEmail": True}


def test_the_key_least_likely_to_be_shared_tells_people_apart() -> None:
    assert VOYADO.told_apart_by(["mobilePhone", "email", "externalId"]) == "externalId"
    assert VOYADO.told_apart_by(["mobilePhone", "email"]) == "email"
    assert VOYADO.told_apart_by(["firstName"]) is None


def test_questions_say_that_they_are_json_and_look_at_no_contact() -> None:
    vendor = Vendor(VOYADO)
    assert VOYADO.prepare is not None
    vendor.play(VOYADO.prepare(vendor.connection, ["email"]))
    ((made, reply),) = vendor.talk
    window: JSON = "changeType=Created&fromDate=2000-01-01&toDate=2000-01-02"
    assert made.url == f"{vendor.base}/api/v3/contacts/changes?{window}"
    assert made.headers["content-type"] == "application/json"
    assert reply.json() == []
