"""The edge: what is let in, how long it is waited for, what is said when something is broken, and what is logged."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs
from support.client import Answer, Client, Wire, at_once, raw
from support.destination import destination
from support.installation import SECRET_KEY, Installation, made, to
from support.served import Served, served, until

from api.issuing import issue
from api.vault import Vault
from batch import database
from batch.ledger import Ledger
from batch.packets import Packets

pytest_plugins = ("support.ledgers",)

MOST = 4096
POST = b"POST /v1/records HTTP/1.1\r\nHost: x\r\n"
GOOD = {"email": "a@example.com"}


def installed(home: Path, **api: Any) -> Installation:
    it = made(home, hook=to("http://127.0.0.1:9"))
    it.api |= {"max_body": MOST, **api}
    it.write()
    return it


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(installed(tmp_path_factory.mktemp("gate"))) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Served) -> Client:
    return server.client("abc")


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.gate._PATIENCE", 0.2)


# Bodies


def padded(client: Client, size: int) -> Wire:
    """A good record whose body has so many bytes."""
    body = b'{"data":{"email":"a@example.com"},"group_key":"abc"}'
    return client.signed("POST", "/v1/records", body + b" " * (size - len(body)))


def test_a_body_may_have_as_many_bytes_as_are_allowed(client: Client) -> None:
    assert padded(client, MOST).to(client.base).status == 202
    over = padded(client, MOST + 1).to(client.base)
    assert (over.status, over.code) == (413, "body.size")


@pytest.mark.parametrize("length", [MOST + 1, 10**15, 10**17, 10**18])
def test_a_body_that_says_to_be_too_large_is_refused_before_it_comes(client: Client, length: int) -> None:
    said = raw(client.base, POST + b"Content-Length: %d\r\n\r\n" % length)
    assert (said.status, said.code) == (413, "body.size")


def test_a_chunked_body_is_cut_off_where_it_becomes_too_large(client: Client) -> None:
    chunk = b"400\r\n" + b"x" * 1024 + b"\r\n"
    said = raw(client.base, POST + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * (MOST // 1024), b"1\r\nx\r\n")
    assert (said.status, said.code) == (413, "body.size")
    said = raw(client.base, POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * (MOST // 1024 + 1) + b"0\r\n\r\n")
    assert (said.status, said.code) == (413, "body.size")


def chunked(wire: Wire) -> bytes:
    head = wire.bytes.partition(b"\r\n\r\n")[0].replace(
        b"Content-Length: %d" % len(wire.body), b"Transfer-Encoding: Chunked"
    )
    return head + b"\r\n\r\n" + b"".join(b"1\r\n%c\r\n" % byte for byte in wire.body) + b"0\r\n\r\n"


def test_a_chunked_body_is_signed_like_any_other(client: Client) -> None:
    wire = client.record(GOOD)
    assert raw(client.base, chunked(wire)).status == 202
    assert raw(client.base, chunked(Wire(wire.method, wire.target, wire.headers, wire.body + b" "))).status == 403


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    "rest",
    [b"Content-Length: 3\r\n\r\na", b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n", b"Content-Length: 1\r\n\r\n"],
)
def test_a_body_that_does_not_come_is_given_up(client: Client, rest: bytes) -> None:
    said = raw(client.base, POST + rest)
    assert (said.status, said.code) == (408, "body.timeout")
    assert said.headers["connection"] == "close"


def test_a_body_that_is_shorter_than_was_signed_is_refused(client: Client) -> None:
    wire = client.record(GOOD)
    said = raw(client.base, Wire(wire.method, wire.target, wire.headers, wire.body[:-1]).bytes)
    assert said.status == 403


def test_who_hangs_up_in_the_middle_is_not_answered_and_nothing_is_taken(client: Client, server: Served) -> None:
    before = len(server.lines)
    wire = client.record({"email": "half@example.com"})
    with pytest.raises(ConnectionError):
        raw(client.base, wire.bytes[:-1], then=lambda: (_ for _ in ()).throw(ConnectionResetError))
    assert client.get("/v1/batches").status == 200
    assert [line["method"] for line in server.logged(before + 1)[before:]] == ["GET"]


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
        b"Content-Length: 1\r\nContent-Length: 2\r\n",
        b"Content-Length: 0\r\nContent-Length: 0\r\n",
        b"Content-Length: 0, 0\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: +1\r\n",
        b"Content-Length: 0x1\r\n",
        b"Content-Length: 99999999999999999999999\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b" Content-Length: 0\r\n",
    ],
)
def test_a_length_that_can_be_read_in_two_ways_is_refused(client: Client, headers: bytes) -> None:
    said = raw(client.base, POST + headers + b"\r\n0\r\n\r\n")
    assert said.status == 400


@pytest.mark.parametrize("encoding", ["gzip", "br", "gzip, identity", "x"])
def test_a_compressed_body_is_refused(client: Client, encoding: str) -> None:
    said = client.record(GOOD, headers={"Content-Encoding": encoding}).to(client.base)
    assert (said.status, said.code) == (400, "body.encoding")
    assert client.record(GOOD, headers={"Content-Encoding": "Identity"}).to(client.base).status == 202


@pytest.mark.parametrize("name", ["Host", "X-Amz-Date", "Authorization", "Content-Type"])
def test_a_header_that_must_come_once(client: Client, name: str) -> None:
    wire = client.record(GOOD)
    (value,) = [value for given, value in wire.headers if given.lower() == name.lower()]
    for twice in ((name, value), (name.lower(), "x")):
        for headers in ((*wire.headers, twice), (twice, *wire.headers)):
            said = Wire(wire.method, wire.target, headers, wire.body).to(client.base)
            assert (said.status, said.code) == (400, "request.header.twice")


def test_a_list_in_two_headers_is_one_list(client: Client) -> None:
    wire = client.record(GOOD).but(Prefer="respond-async")
    lists = Wire(wire.method, wire.target, (*wire.headers, ("prefer", "wait=1"), ("Prefer", "x")), wire.body)
    assert lists.to(client.base).headers["preference-applied"] == "wait=1"


# Paths and methods


@pytest.mark.parametrize(
    "target", ["/", "/v1", "/v1/records/", "/v1/records/a/b", "/V1/records", "/v1/../healthz", "/%ff", "*"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_there_is_nothing_at_other_paths(client: Client, server: Served, method: str, target: str) -> None:
    before = len(server.lines)
    said = Wire(method, target, (("Host", "x"),), b"").to(client.base)
    assert (said.status, said.code) == (404, "path")
    assert said.headers["content-type"] == "application/json"
    assert not {"server", "location"} & said.headers.keys()
    (line,) = server.logged(before + 1)[before:]
    assert (line["method"], line["route"], line["status"]) == (method, "*", 404)


METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
ROUTES = {
    "/v1/records": {"POST"},
    "/v1/records/x-1": {"GET"},
    "/v1/batches": {"GET"},
    "/v1/batches/x": {"GET"},
    "/v1/uploads": {"POST", "PUT"},
    "/healthz": {"GET"},
    "/readyz": {"GET"},
}


def test_every_path_takes_its_own_methods_only(client: Client) -> None:
    for target, takes in ROUTES.items():
        for method in METHODS:
            said = Wire(method, target, (("Host", "x"),), b"").to(client.base)
            assert (said.status == 405) == (method not in takes), (method, target)
            if said.status == 405:
                assert set(said.headers["allow"].split(", ")) == takes
                assert method == "HEAD" or said.code == "request.method"
            elif target.startswith("/v1"):
                assert said.status == 403, (method, target)  # nothing is open, and nothing was signed


def test_no_answer_names_the_program(client: Client) -> None:
    answers = [
        *(client.post(GOOD), client.post({}), client.get("/v1/batches"), client.get("/nothing")),
        *(raw(client.base, b"GET /healthz HTTP/1.1\r\n\r\n"), raw(client.base, b"x\r\n\r\n")),
    ]
    for said in answers:
        assert not {"server", "x-powered-by", "via"} & said.headers.keys()
        assert not re.search(rb"uvicorn|starlette|python|httptools|flatdrop", said.body, re.IGNORECASE)


def test_what_is_not_http_is_no_matter(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    garbage = [
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nA\0: b\r\n\r\n",
    ]
    assert [raw(client.base, said).status for said in garbage] == [400] * 3
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n"
    assert raw(client.base, b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + upgrade).status == 200
    assert caplog.text == ""


# The pace of a key


def test_a_key_that_asks_too_often_is_told_to_wait_and_others_are_not(tmp_path: Path) -> None:
    with served(installed(tmp_path, requests_per_second=3)) as server:
        fast, slow = server.client("abc"), server.client("abc")
        forged = [Wire("GET", "/v1/batches", fast.signed("GET", "/v1/records").headers, b"") for _ in range(10)]
        assert {said.status for said in at_once(forged, server.base)} == {403}
        answers = at_once([fast.signed("GET", "/v1/batches") for _ in range(20)], server.base)
        refused = [said for said in answers if said.status == 429]
        assert len(refused) >= 10
        assert {said.status for said in answers} == {200, 429}
        assert {said.code for said in refused} == {"rate"}
        assert all(int(said.headers["retry-after"]) >= 1 for said in refused)
        assert slow.get("/v1/batches").status == 200
        until(lambda: fast.get("/v1/batches").status == 200)


# What is logged


def test_a_line_for_every_request_that_names_what_it_was_and_nothing_of_what_it_held(server: Served) -> None:
    client, before = server.client("abc"), len(server.lines)
    record = client.post({"email": "canary@example.com", "x": "canary"}, headers={"Idempotency-Key": "canary"}).record
    assert client.get(f"/v1/records/{record}").status == 200
    assert client.post({"email": "canary", "canary": "canary"}).status == 422
    assert client.post(GOOD, "canary").status == 403
    assert client.get("/v1/batches", group_key="abc", limit=17).status == 200
    assert client.get("/v1/batches/canary").status == 404
    assert client.send("POST", "/v1/uploads", b'{"group_key":"abc","file":"canary.csv"}').status == 201
    assert (
        Wire("POST", "/v1/records", (("Host", "canary"), ("User-Agent", "canary")), b"canary").to(client.base).status
        == 403
    )
    assert raw(client.base, b"GET /canary?canary=canary HTTP/1.1\r\nHost: x\r\n\r\n").status == 404
    lines = server.logged(before + 9)[before:]
    mine = {"key": client.credential.id}
    wanted: list[dict[str, Any]] = [
        {"method": "POST", "route": "/v1/records", "status": 202, "record": record, "group": "abc", **mine},
        {"method": "GET", "route": "/v1/records/{record_id}", "status": 200, "record": record, **mine},
        {"method": "POST", "route": "/v1/records", "status": 422, "code": "record.invalid", **mine},
        {"method": "POST", "route": "/v1/records", "status": 403, "code": "group", **mine},
        {"method": "GET", "route": "/v1/batches", "status": 200, **mine},
        {"method": "GET", "route": "/v1/batches/{batch}", "status": 404, "code": "batch", **mine},
        {"method": "POST", "route": "/v1/uploads", "status": 201, "group": "abc", **mine},
        {"method": "POST", "route": "/v1/records", "status": 403, "code": "signature.missing"},
        {"method": "GET", "route": "*", "status": 404, "code": "path"},
    ]
    for line, want in zip(lines, wanted, strict=True):
        assert line.pop("event") == "request"
        assert line.pop("level") == "info"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("timestamp"))
        assert line.pop("ms") >= 0
        assert line == want
    assert "canary" not in "".join(server.log)


def test_a_batch_that_was_asked_for_is_named_in_the_log(tmp_path: Path) -> None:
    with destination() as there:
        it = made(tmp_path, hook=to(there.base))
        it.drop("abc/a.csv", b"id,email\n1,a@example.com\n")
        batch = it.one()["batch"]
        with served(it) as server:
            assert server.client("abc").get(f"/v1/batches/{batch}").status == 200
            (line,) = server.logged(1)
    assert (line["batch"], line["route"]) == (batch, "/v1/batches/{batch}")


@contextmanager
def process(it: Installation) -> Iterator[tuple[str, Popen[str], list[str]]]:
    """Serve in a process of its own; when the block is left, the last of what it said is in the list."""
    said: list[str] = []
    running = it.flatdrop("serve")
    assert running.stderr is not None
    try:
        while not (found := re.search(r"listening on (http://\S+?);", said[-1] if said else "")):
            line = running.stderr.readline()
            assert line, "".join(said)
            said.append(line)
        yield found[1], running, said
    finally:
        running.send_signal(signal.SIGTERM)
        out, err = running.communicate(timeout=60)
        said += [out, err]


def test_a_process_says_nothing_of_what_it_was_sent_and_follows_the_keys(tmp_path: Path) -> None:
    """Canaries in every place; a key that is made or revoked by another process."""
    with destination() as there:
        it = made(tmp_path, hook=to(there.base))
        with process(it) as (base, _, said), Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
            client = Client(base, issue(ledger, Vault(SECRET_KEY), ["abc"]))
            first = client.post({"email": "canary@example.com", "canary": "canary"}, headers={"Prefer": "wait=30"})
            assert (first.status, first.json["status"]) == (200, "delivered")
            for data in ({"email": "canary"}, b'{"email":"canary","canary":{"canary":1}}', b'{"canary":canary}'):
                assert client.post(data).status in (400, 422)
            for target in ("/canary?canary=1", "/v1/batches?state=canary", "/v1/batches?canary=canary"):
                assert client.send("GET", target).status in (400, 404)
            assert client.send("POST", "/v1/uploads", b'{"group_key":"abc","file":"canary.csv"}').status == 201
            assert raw(base, b"canary canary\r\n\r\n").status == 400
            assert ledger.keys.revoke(client.credential.id)
            until(lambda: client.get("/v1/batches").status == 403)
            assert Client(base, issue(ledger, Vault(SECRET_KEY), ["abc"])).get("/v1/batches").status == 200
        assert there.rows("email") == ["canary@example.com"]
    told = "".join(said)
    assert not re.search("canary|Traceback|whsec_|AWS4", told, re.IGNORECASE)
    assert client.credential.secret not in told
    lines = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    requests = [line for line in lines if line["event"] == "request"]
    assert {200, 400, 201, 403, 404, 422} <= {line["status"] for line in requests}
    assert requests[0]["record"] == first.record


# What is broken


def gone(said: Answer) -> bool:
    """Whether an answer tells to try again later, and nothing else."""
    if said.status != 503:
        return False
    assert said.code == "unavailable"
    assert int(said.headers["retry-after"]) > 0
    assert not re.search(rb"sqlite|psycopg|postgres|ledger|/tmp|packets|select", said.body, re.IGNORECASE)
    return True


def health(base: str) -> tuple[int, Any, int]:
    alive, ready = (Wire("GET", path, (("Host", "x"),), b"").to(base) for path in ("/healthz", "/readyz"))
    return alive.status, ready.json, ready.status


ALL_WELL = (200, {"status": "ok", "ledger": "ok", "drop_zone": "ok"}, 200)


def test_a_ledger_that_cannot_be_used_is_told_and_nothing_is_lost(
    tmp_path: Path, ledger_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    it = installed(tmp_path)
    it.ledger = ledger_url
    it.write()
    engine = database.connect(ledger_url)

    def renamed(old: str, new: str) -> None:
        with database.write(engine, "a test") as connection:
            connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))

    with served(it) as server, capture_logs() as lines:
        client = server.client("abc")
        record = client.post(GOOD).record
        assert health(client.base) == ALL_WELL
        for name in ("packets", "batches", "answers"):
            renamed(name, "elsewhere")
            wire = client.record({"email": f"{name}@example.com"})
            whole = [wire.to(client.base), client.get(f"/v1/records/{record}"), client.get("/v1/batches")]
            assert any(map(gone, whole)), name
            if name == "packets":
                assert health(client.base) == (200, {"status": "unavailable", "ledger": "down", "drop_zone": "ok"}, 503)
            renamed("elsewhere", name)
            assert wire.to(client.base).status == 202
        assert client.get(f"/v1/records/{record}").status == 200
        assert health(client.base) == ALL_WELL
        renamed("api_keys", "elsewhere")
        stranger = Client(client.base, client.credential.__class__("FDNOBODYNOBODYNOBODY", "x", frozenset()))
        assert gone(stranger.get("/v1/batches"))
        assert client.post(GOOD).status == 202  # a key that is known goes on
        renamed("elsewhere", "api_keys")
        assert stranger.get("/v1/batches").status == 403
        batch = server.runtime.ledger.packets.gather("abc")
        assert batch is not None
        assert sum(packet.rows for packet in server.runtime.ledger.packets.of(batch.id)) == 5
    engine.dispose()
    assert {line["event"] for line in lines} <= {"request.unavailable"}
    assert "Traceback" not in str(capfd.readouterr())


def test_a_ledger_that_is_locked_is_told_and_a_retry_makes_one_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY", 0.3)
    with served(installed(tmp_path)) as server:
        client = server.client("abc")
        wires = [client.record({"email": f"{n}@example.com"}) for n in range(5)]
        locking = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
        locking.execute("BEGIN IMMEDIATE")
        assert all(map(gone, at_once(wires, client.base)))
        assert client.get("/v1/batches").status == 200  # readers wait for nobody
        locking.execute("ROLLBACK")
        locking.close()
        assert {said.status for said in at_once([*wires, *wires], client.base)} == {202}
        batch = server.runtime.ledger.packets.gather("abc")
        assert batch is not None
        assert sum(packet.rows for packet in server.runtime.ledger.packets.of(batch.id)) == 5


def test_a_server_whose_connections_were_cut_goes_on(tmp_path: Path, postgres_url: str) -> None:
    it = installed(tmp_path)
    it.ledger = postgres_url
    it.write()
    engine = database.connect(postgres_url)
    with served(it) as server:
        client = server.client("abc")
        for _ in range(3):
            assert client.post(GOOD).status == 202
            with database.write(engine, "a test") as connection:
                ours = "application_name = 'flatdrop' AND pid <> pg_backend_pid()"
                connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}"))
        wire = client.record(GOOD)
        until(lambda: wire.to(client.base).status == 202)
        assert health(client.base) == ALL_WELL
    engine.dispose()


def test_a_drop_zone_that_is_gone_is_told_and_comes_back(tmp_path: Path) -> None:
    with served(installed(tmp_path)) as server:
        client = server.client("abc")
        assert client.post(GOOD).status == 202
        url = client.send("POST", "/v1/uploads", b'{"group_key":"abc","file":"a.csv"}').json["url"]
        put = Wire(
            "PUT", url.removeprefix(client.base), (("Host", client.base.removeprefix("http://")),), b"id,email\n"
        )
        (tmp_path / "drop").rename(tmp_path / "elsewhere")
        wire = client.record({"email": "again@example.com"})
        assert gone(wire.to(client.base))
        assert gone(put.to(client.base))
        assert health(client.base) == (200, {"status": "unavailable", "ledger": "ok", "drop_zone": "down"}, 503)
        assert client.post({"email": "no"}).status == 422  # what need not be written is answered
        (tmp_path / "elsewhere").rename(tmp_path / "drop")
        assert wire.to(client.base).status == 202
        assert put.to(client.base).status == 201
        assert health(client.base) == ALL_WELL


def test_a_fault_of_the_program_is_told_without_its_reasons(
    client: Client, server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*_: object) -> None:
        raise RuntimeError("canary")

    before = len(server.lines)
    with monkeypatch.context() as patch, capture_logs() as lines:
        patch.setattr(Packets, "find", wrong)
        said = client.get("/v1/records/x-1")
    assert (said.status, said.code) == (500, "fault")
    assert b"canary" not in said.body
    assert [line["event"] for line in lines] == ["request.fault"]
    (line,) = server.logged(before + 1)[before:]
    assert (line["status"], line["level"], line["key"]) == (500, "error", client.credential.id)
    assert client.get("/v1/records/x-1").status == 404


def test_a_commit_that_fails_by_a_fault_leaves_the_server_at_work(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*_: object) -> bool:
        raise RuntimeError("canary")

    with monkeypatch.context() as patch, capture_logs():
        patch.setattr(Packets, "take", wrong)
        answers = at_once([client.record(GOOD) for _ in range(10)], client.base)
    assert {(said.status, said.code) for said in answers} == {(500, "fault")}
    assert client.post(GOOD).status == 202
