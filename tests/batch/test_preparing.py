"""What is asked beforehand: once, for a while; and whose no is final."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from support.records import a_group

from batch import preparing
from batch.caller import Caller
from batch.planning import Planner, planner
from batch.preparing import Known, prepared
from integrations.errors import Ambiguous, DeliveryError, Refused, Retryable, Unauthorized
from integrations.exchange import Connection
from integrations.preparing import Names

HUBSPOT = {"type": "hubspot", "credentials": {"access_token": "env:T"}, "mapping": {"email": "name"}}
CONNECTION = Connection({}, {"access_token": "t"})


class Told(Caller):
    """Answers what was written down, and counts the questions."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.asked = list(answers), 0

    async def play(self, steps: Any, *_: Any, **__: Any) -> Any:
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def plan() -> Planner:
    return planner(a_group({}, integrations={"it": HUBSPOT}), "it")


def ask(plan: Planner, told: Told, known: Known, connection: Connection = CONNECTION) -> Names:
    return asyncio.run(prepared(plan, connection, told, known))


def test_it_is_asked_once_for_each_connection_and_mapping() -> None:
    told, known = Told({"a": 1}, {"a": 2}, {"a": 3}), Known()
    assert [ask(plan(), told, known) for _ in range(3)] == [{"a": 1}] * 3
    assert ask(plan(), told, known, Connection({}, {"access_token": "other"})) == {"a": 2}
    assert ask(plan(), told, known, Connection({"base_url": "x"}, {"access_token": "t"})) == {"a": 3}
    assert told.asked == 3
    assert not any("access_token" in repr(one) for one in known.answers.items())


def test_after_a_while_it_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    told, known, now = Told({"a": 1}, {"a": 2}), Known(), [100.0]
    monkeypatch.setattr(preparing.time, "monotonic", lambda: now[0])
    assert ask(plan(), told, known) == {"a": 1}
    now[0] += 599
    assert ask(plan(), told, known) == {"a": 1}
    now[0] += 2
    assert ask(plan(), told, known) == {"a": 2}


def with_status(error: DeliveryError, status: int | None) -> DeliveryError:
    error.status = status
    return error


@pytest.mark.parametrize(
    ("error", "final"),
    [
        (Unauthorized("fields.unknown", "no such field"), True),
        (with_status(Unauthorized("auth.refused", "HTTP 401"), 401), True),
        (with_status(Unauthorized("auth.refused", "HTTP 403"), 403), False),
        (with_status(Unauthorized("address.refused", "HTTP 404"), 404), False),
        (with_status(Retryable("unavailable", "HTTP 500"), 500), False),
        (with_status(Refused("refused", "HTTP 400"), 400), False),
        (Ambiguous("bad_answer", "HTML"), False),
    ],
)
def test_whose_no_is_final(error: DeliveryError, final: bool) -> None:
    told, known = Told(error, {"a": 1}), Known()
    if final:
        with pytest.raises(type(error)):
            ask(plan(), told, known)
        assert ask(plan(), told, known) == {"a": 1}, "it may have been mended"
    else:
        assert [ask(plan(), told, known), ask(plan(), told, known)] == [{}, {}]
        assert told.asked == 1, "not with every record that comes by the API"


def test_where_names_have_to_be_known_every_no_is_final() -> None:
    one = plan()
    needing = replace(one, integration=replace(one.integration, names=one.integration.prepare))
    with pytest.raises(Retryable):
        ask(needing, Told(Retryable("unavailable", "HTTP 500")), Known())
