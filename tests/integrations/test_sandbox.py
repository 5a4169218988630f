"""The sandbox over HTTP: it plays every integration, goes wrong on demand, and keeps account."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request as Call
from urllib.request import urlopen

import pytest
from support.examples import a_record, sent

from integrations.catalog import CATALOG
from integrations.errors import Ambiguous, DeliveryError, Refused, Retryable, Unauthorized
from integrations.exchange import JSON, Connection, Reply
from integrations.integration import Integration
from integrations.reply import accepted, judge, understood
from integrations.request import Request, build, call
from integrations.sandbox import Faults, running, settings_for
from integrations.steps import get as get_call

OLD = [CATALOG[name] for name in ("hubspot", "mailchimp", "webhook")]
ALL = pytest.mark.parametrize("integration", CATALOG.values(), ids=list(CATALOG))


@pytest.fixture
def sandbox() -> Iterator[str]:
    with running() as base:
        yield base


def made_connection(integration: Integration, base: str, **credentials: str) -> Connection:
    return Connection(settings_for(integration.name, base), {**integration.sample.credentials, **credentials})


def made(integration: Integration, base: str, built: list[JSON] | None = None, **credentials: str) -> Request:
    if built is None:
        built = [record(integration, "asa@example.com")]
    connection = made_connection(integration, base, **credentials)
    return build(integration, connection, ",".join(map(json.dumps, built)).encode(), "chunk-1", int(time.time()))


def post(request: Request, timeout: float = 10) -> Reply:
    call = Call(request.url, request.body, dict(request.headers), method=request.method)
    try:
        with urlopen(call, timeout=timeout) as answer:
            return Reply(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read())
    except HTTPError as error:
        with error:
            return Reply(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read())


def get(address: str) -> bytes:
    with urlopen(address, timeout=10) as answer:
        return bytes(answer.read())


def journal(base: str, name: str = "") -> list[JSON]:
    return [
        json.loads(line)
        for line in get(f"{base}/_journal?integration={name}" if name else f"{base}/_journal").splitlines()
    ]


record = a_record


@ALL
def test_what_is_taken_is_in_the_journal_and_among_the_contacts(integration: Integration, sandbox: str) -> None:
    if integration.job is not None and integration.job.submit is not None:
        pytest.skip("it takes more calls than this one")
    built = [record(integration, "asa@example.com"), record(integration, "bo@example.com")]
    assert 200 <= post(made(integration, sandbox, built)).status < 300
    stamped = integration.stamp(",".join(map(json.dumps, built)).encode(), "chunk-1")
    assert [line["record"] for line in journal(sandbox)] == json.loads(b"[%s]" % stamped)
    assert {line["integration"] for line in journal(sandbox)} == {integration.name}
    contacts = json.loads(get(f"{sandbox}/_contacts?integration={integration.name}"))
    assert len(contacts) == (2 if integration.identity else 0)


def test_the_journal_knows_keys_and_integrations(sandbox: str) -> None:
    for integration in OLD:
        post(made(integration, sandbox, [record(integration, "asa@example.com")]))
    assert len(journal(sandbox)) == 3
    (line,) = journal(sandbox, "webhook")
    assert line.keys() == {"at", "integration", "key", "record"}
    assert line["key"] == "chunk-1"
    assert line["record"] == {"email": "asa@example.com"}
    assert journal(sandbox, "hubspot")[0]["key"] is None
    counts = json.loads(get(f"{sandbox}/_requests"))
    assert counts.keys() == CATALOG.keys()
    assert {name: count for name, count in counts.items() if count} == {"mailchimp": 1, "hubspot": 1, "webhook": 1}
    with pytest.raises(HTTPError):
        get(f"{sandbox}/_contacts?integration=mailchump")


def test_the_journal_is_a_file_that_is_kept(tmp_path: Path) -> None:
    webhook = CATALOG["webhook"]
    file = tmp_path / "journal.jsonl"
    for email in ("a@example.com", "b@example.com"):
        with running(file) as base:
            post(made(webhook, base, [record(webhook, email)]))
    lines = [json.loads(line)["record"]["email"] for line in file.read_text("utf-8").splitlines()]
    assert lines == ["a@example.com", "b@example.com"]


def test_one_address_at_conflict_makes_hubspot_refuse_the_request(sandbox: str) -> None:
    for integration in OLD:
        built = [record(integration, "asa@example.com"), record(integration, "bo@conflict.example")]
        reply = post(made(integration, sandbox, built))
        assert reply.status == (409 if integration.name == "hubspot" else 200)
    assert journal(sandbox, "hubspot") == []
    assert len(journal(sandbox)) == 4


@ALL
def test_other_credentials_are_refused(integration: Integration, sandbox: str) -> None:
    wrong = {name: value[:-4] + "AAA=" for name, value in integration.sample.credentials.items()}
    reply = post(made(integration, sandbox, None, **wrong))
    with pytest.raises(Unauthorized, match=r"auth\.refused: HTTP 401"):
        accepted(integration, reply)
    assert journal(sandbox) == []


@ALL
def test_a_sandbox_may_take_any_credentials_but_not_none(integration: Integration) -> None:
    other = {name: value[:-4] + "AAA=" for name, value in integration.sample.credentials.items()}
    with running(credentials={}) as base:
        request = made(integration, base, None, **other)
        assert 200 <= post(request).status < 300
        assert (
            post(Request(request.method, request.url, {"content-type": "application/json"}, request.body)).status == 401
        )


def test_own_credentials() -> None:
    with running(credentials={"hubspot": {"access_token": "mine"}}) as base:
        assert post(made(CATALOG["hubspot"], base, [], access_token="mine")).status == 200
        assert post(made(CATALOG["hubspot"], base, [])).status == 401


@ALL
def test_what_no_destination_would_take(integration: Integration, sandbox: str) -> None:
    assert post(made(integration, sandbox, [record(integration, "a" * integration.limits.bytes)])).status == 413
    good = made(integration, sandbox)
    assert post(Request("OPTIONS", good.url, good.headers, good.body)).status == 405
    assert journal(sandbox) == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"members": 5}', b'{"inputs": [5]}', b"\xff"])
def test_a_body_that_is_none(body: bytes) -> None:
    with running(credentials={}) as base:
        for integration in OLD:
            good = made(integration, base, [])
            assert post(Request("POST", good.url, good.headers, body)).status == 400


def test_addresses_that_are_none(sandbox: str) -> None:
    mailchimp = made(CATALOG["mailchimp"], sandbox, [])
    for url in (f"{sandbox}/mailchimp/lists", f"{sandbox}/mailchimp/lists/a/b", f"{sandbox}/mailchump", sandbox):
        assert post(Request("POST", url, mailchimp.headers, mailchimp.body)).status == 404
    assert post(Request("POST", f"{sandbox}/mailchimp/3.0/lists/x", mailchimp.headers, mailchimp.body)).status == 200


def read(integration: Integration, reply: Reply) -> object:
    """Return what the answer to one record means; where a job is started, only whether it is a yes."""
    if integration.job is None:
        return judge(integration, reply, sent(integration, [record(integration)]))
    started = integration.job.started or (lambda reply: reply.json()["id"])
    return understood(integration, accepted(integration, reply), lambda: started(reply))


ERRORS: list[tuple[str, type[DeliveryError]]] = [
    *((fault, Retryable) for fault in ("503", "down", "429", "500")),
    *((fault, Unauthorized) for fault in ("401", "403", "404")),
    *((fault, Refused) for fault in ("400", "409")),
    ("html", Ambiguous),
]


@pytest.mark.parametrize(("fault", "error"), ERRORS)
@ALL
def test_faults(integration: Integration, fault: str, error: type[DeliveryError]) -> None:
    with running(faults=Faults.parse(f"{integration.name}={fault}x1")) as base:
        request = made(integration, base)
        with pytest.raises(error):
            read(integration, post(request))
        assert 200 <= post(request).status < 300


def test_slow_down_comes_with_a_time() -> None:
    with running(faults=Faults.parse("webhook=429")) as base:
        assert post(made(CATALOG["webhook"], base, [])).headers["retry-after"] == "1"


def test_an_empty_answer() -> None:
    with running(faults=Faults.parse("hubspot=empty")) as base:
        reply = post(made(CATALOG["hubspot"], base, []))
    assert (reply.status, reply.body) == (200, b"")


def test_a_huge_answer() -> None:
    with running(faults=Faults.parse("webhook=huge")) as base:
        assert len(post(made(CATALOG["webhook"], base, [])).body) == 100 << 20


def test_a_sender_may_hang_up_on_a_huge_answer() -> None:
    with running(faults=Faults.parse("webhook=huge")) as base:
        request = made(CATALOG["webhook"], base, [])
        with urlopen(Call(request.url, request.body, dict(request.headers)), timeout=10) as answer:
            assert answer.read(10)


def test_an_answer_that_never_ends() -> None:
    with running(faults=Faults.parse("webhook=drip")) as base:
        request = made(CATALOG["webhook"], base, [])
        with urlopen(Call(request.url, request.body, dict(request.headers)), timeout=10) as answer:
            assert answer.read(3) == b"   "


@pytest.mark.parametrize("fault", ["hang", "reset"])
@ALL
def test_taken_and_not_answered(integration: Integration, fault: str) -> None:
    with running(faults=Faults.parse(f"{integration.name}={fault}x1")) as base:
        request = made(integration, base, [record(integration, "asa@example.com")])
        with pytest.raises((TimeoutError, ConnectionError, http.client.HTTPException, OSError)):
            post(request, timeout=0.3)
        assert len(journal(base)) == (0 if integration.name == "salesforce" else 1)  # which only makes a job


def test_who_only_asks_uses_up_no_fault_and_is_not_counted() -> None:
    mailchimp = CATALOG["mailchimp"]

    def ask(base: str) -> int:
        made_ = call(mailchimp, made_connection(mailchimp, base), get_call("/lists/{list_id}/merge-fields"), 1)
        return post(made_).status

    with running(faults=Faults.parse("mailchimp=503x1")) as base:
        assert [ask(base), ask(base)] == [200, 200]
        assert json.loads(get(f"{base}/_requests"))["mailchimp"] == 0
        assert [post(made(mailchimp, base)).status for _ in range(2)] == [503, 200]
    for fault, status in (("401", 401), ("down", 503), ("hang", 200), ("html", 200)):
        with running(faults=Faults.parse(f"mailchimp={fault}")) as base:
            assert ask(base) == status


def test_faults_can_be_changed_while_it_runs() -> None:
    with running(faults=Faults.parse("webhook=down")) as base:
        request = made(CATALOG["webhook"], base, [])
        assert post(request).status == 503
        assert post(Request("PUT", f"{base}/_faults", {}, b"")).status == 204
        assert post(request).status == 200
        assert post(Request("PUT", f"{base}/_faults", {}, b"webhook=hnag")).status == 400


def test_a_taken_port_is_an_error(sandbox: str) -> None:
    threads = threading.active_count()
    with pytest.raises(OSError, match="in use"), running(port=int(sandbox.rpartition(":")[2])):
        pass
    assert threading.active_count() == threads


def test_it_listens_on_this_machine_only(sandbox: str) -> None:
    assert sandbox.startswith("http://127.0.0.1:")


def test_nothing_is_left_running() -> None:
    with running() as base:
        port = int(base.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1).close()


def test_settings_point_at_the_sandbox() -> None:
    assert settings_for("mailchimp", "http://h/")["base_url"] == "http://h/mailchimp"
    assert settings_for("mailchimp", "http://h")["list_id"] == "a1b2c3d4e5"
    assert settings_for("webhook", "http://h")["url"] == "http://h/webhook"
