"""Conversations: what is asked in several calls, and of whom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from support.destination import HANG, Answer, Destination, destination

from batch import http
from batch.caller import Caller, Tally
from batch.lane import Lane
from batch.retry import Policy
from integrations.catalog import CATALOG
from integrations.errors import Ambiguous, Refused, Retryable, Unauthorized
from integrations.exchange import Connection
from integrations.steps import Pause, Started, Steps, get, send

WEBHOOK = CATALOG["webhook"]
LIMITS = replace(WEBHOOK.limits, per_second=10_000)


def played(base: str, steps: Steps[str], seconds: float = 5, **pace: float) -> tuple[str, Tally, list[str]]:
    connection, tally, started = Connection({"url": base}, WEBHOOK.sample.credentials), Tally(), list[str]()

    async def remember(job: str) -> None:
        started.append(job)

    async def go() -> str:
        lane = Lane("hook", WEBHOOK, connection, LIMITS)
        async with http.session(1) as client:
            caller = Caller(lane, client, Policy(tries=2, patience=1), http.Bounds(seconds))
            return await caller.play(steps, tally, started=remember, **pace)

    return asyncio.run(go()), tally, started


def conversation() -> Steps[str]:
    first = yield send("POST", "/start", {"a": 1})
    yield Started(first.json()["id"])
    yield Pause()
    second = yield send("POST", "/end/{job}", {}, job="a/b")
    return str(second.json()["id"])


def test_each_call_gets_its_reply_and_the_job_is_told_in_between() -> None:
    with destination(Answer.json({"id": "one"}), Answer.json({"id": "two"})) as there:
        said, tally, started = played(there.base, conversation(), every=0.01, patience=5)
    assert (said, started, tally.requests) == ("two", ["one"], 2)
    assert [call.path for call in there.calls] == ["/start", "/end/a%2Fb"]


def test_a_reply_that_cannot_be_read_is_ambiguous() -> None:
    with destination(then=Answer(body=b"<p>")) as there, pytest.raises(Ambiguous, match="bad_answer"):
        played(there.base, conversation())


@pytest.mark.parametrize(
    ("status", "error"), [(400, Refused), (401, Unauthorized), (503, Retryable), (302, Unauthorized), (429, Retryable)]
)
def test_what_is_no_yes_ends_it(status: int, error: type[Exception]) -> None:
    with destination(then=Answer(status)) as there, pytest.raises(error) as found:
        played(there.base, conversation())
    assert getattr(found.value, "status", None) == status


def test_patience_comes_to_an_end() -> None:
    def waiting() -> Steps[str]:
        while True:
            yield Pause()

    with destination() as there, pytest.raises(Ambiguous, match=r"job\.unfinished"):
        played(there.base, waiting(), every=0.01, patience=0.1)


def asking(address: str) -> Steps[str]:
    reply = yield get(address)
    return reply.body.decode()


def answering(there: Destination, answer: Callable[[], Answer]) -> list[dict[str, str]]:
    """Have a destination answer questions too, and return the headers of what it is asked."""
    heads: list[dict[str, str]] = []
    ask = there._next

    def said(call: object) -> Answer:
        heads.append(call.headers)  # type: ignore[attr-defined]
        return answer() if call.method == "GET" else ask(call)  # type: ignore[attr-defined,arg-type]

    there._next = said  # type: ignore[method-assign,assignment]
    return heads


def test_another_host_is_asked_without_our_credentials_and_as_its_address_is_written() -> None:
    with destination() as there, destination() as elsewhere:
        ours, theirs = (answering(one, lambda: Answer(body=b"content")) for one in (there, elsewhere))
        signed = f"{elsewhere.base}/file.csv?sig=a%2Fb%3D"
        assert played(there.base, asking(signed))[0] == "content"
        assert played(there.base, asking(f"{there.base}/own"))[0] == "content"
    assert not any(name.startswith("webhook-") for name in theirs[0])
    assert any(name.startswith("webhook-") for name in ours[0])


@pytest.mark.parametrize("status", [401, 403, 404])
def test_another_hosts_no_says_nothing_of_our_credentials(status: int) -> None:
    with destination() as there, destination() as elsewhere:
        answering(elsewhere, lambda: Answer(status))
        with pytest.raises(Ambiguous) as found:
            played(there.base, asking(f"{elsewhere.base}/file.csv"))
    assert found.value.status is None


def test_who_only_asks_may_ask_again() -> None:
    tries = iter([HANG, Answer(body=b"content")])
    with destination() as there:
        answering(there, lambda: next(tries))
        said, tally, _ = played(there.base, asking("/own"), seconds=0.3)
    assert (said, tally.requests, tally.maybe_taken) == ("content", 2, False)


def test_a_page_that_names_itself_as_the_next_is_not_turned_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    def turning() -> Steps[str]:
        while True:
            yield send("POST", "/page", {})

    monkeypatch.setattr("batch.caller._PAGES", 5)
    with destination() as there, pytest.raises(Ambiguous, match=r"bad_answer.*lead on after 5 calls"):
        played(there.base, turning())
    assert len(there.calls) == 5
