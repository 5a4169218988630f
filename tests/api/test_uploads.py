"""Uploads: an address for one drop, good for one PUT of that file, and what is put there is delivered like any drop."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest
from support.client import Answer, Client, Wire, raw
from support.destination import Destination, destination
from support.installation import Installation, counts, made, people, to
from support.served import Served, served
from support.signed import REGION, SERVICE, Draft, stamp_of
from support.zones import Bucket, s3_server

from api.presigning import presign

LARGEST = 5000


@pytest.fixture(scope="module")
def there() -> Iterator[Destination]:
    with destination() as there:
        yield there


@pytest.fixture(scope="module")
def it(tmp_path_factory: pytest.TempPathFactory, there: Destination) -> Installation:
    it = made(tmp_path_factory.mktemp("uploads"), hook=to(there.base))
    it.group("xyz", integrations={"hook": to(there.base)})
    it.api["max_upload"] = LARGEST
    it.write()
    return it


@pytest.fixture(scope="module")
def server(it: Installation) -> Iterator[Served]:
    with served(it) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Served) -> Client:
    return server.client("abc")


def asked(client: Client, file: str, group: str = "abc") -> Answer:
    return client.send("POST", "/v1/uploads", json.dumps({"group_key": group, "file": file}).encode())


def url_of(client: Client, file: str = "a.csv") -> str:
    said = asked(client, file)
    assert said.status == 201, said.body
    return str(said.json["url"])


def put(url: str, body: bytes = b"id,email\n", method: str = "PUT", **headers: str) -> Answer:
    """What anybody does who has the address, and no key."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=60)
    try:
        connection.request(method, f"{parts.path}?{parts.query}", body, headers)
        response = connection.getresponse()
        return Answer(response.status, response.read(), {name.lower(): value for name, value in response.getheaders()})
    finally:
        connection.close()


def drops(it: Installation, group: str = "abc") -> set[str]:
    return {str(file.relative_to(it.home / "drop")) for file in (it.home / "drop" / group).rglob("*") if file.is_file()}


# There and delivered


@pytest.mark.parametrize(
    "file",
    ["a.csv", "2026/11/customers.csv", "Kunder och vänner 😀.csv", "a+b&c=d?e#f%2F.csv", "a.b.CSV", "x" * 196 + ".csv"],
)
def test_what_is_put_there_is_delivered(
    tmp_path: Path, there: Destination, client: Client, it: Installation, file: str
) -> None:
    it = made(tmp_path, hook=to(there.base))
    content = people(3)
    with served(it) as server:
        client = server.client("abc")
        before = datetime.now(UTC)
        said = asked(client, file)
        assert said.status == 201
        assert said.json.keys() == {"url", "method", "file", "expires_at"}
        assert (said.json["method"], said.json["file"]) == ("PUT", f"abc/{file}")
        until = datetime.fromisoformat(said.json["expires_at"])
        assert timedelta(minutes=10) < until - before < timedelta(minutes=20)
        done = put(said.json["url"], content)
        assert done.status == 201
        sha256 = hashlib.sha256(content).hexdigest()
        assert done.json == {"file": f"abc/{file}", "bytes": len(content), "sha256": sha256}
        assert done.headers["content-type"] == "application/json"
    it.touch(f"abc/{file}")
    receipt = it.one()
    assert (receipt["file"], receipt["sha256"]) == (f"abc/{file}", sha256)
    assert counts(receipt, "hook") == {"delivered": 3}


def test_an_address_may_be_used_until_it_is_over_and_the_last_file_stands(client: Client, it: Installation) -> None:
    url = url_of(client, "twice.csv")
    for content in (people(1), people(2)):
        assert put(url, content).status == 201
        assert (it.home / "drop/abc/twice.csv").read_bytes() == content


def test_a_chunked_file_is_taken(client: Client, it: Installation) -> None:
    url = urlsplit(url_of(client, "chunked.csv"))
    connection = HTTPConnection(url.netloc, timeout=60)
    connection.request(
        "PUT", f"{url.path}?{url.query}", iter([b"id,email\n", b"1,a@example.com\n"]), encode_chunked=True
    )
    assert connection.getresponse().status == 201
    connection.close()
    assert (it.home / "drop/abc/chunked.csv").read_bytes() == b"id,email\n1,a@example.com\n"


def test_the_address_is_that_of_the_caller_s_host_or_the_configured_one(tmp_path: Path, client: Client) -> None:
    assert url_of(client).startswith(f"{client.base}/v1/uploads?")
    it = made(tmp_path, hook=to("http://127.0.0.1:9"))
    it.api["url"] = "https://in.example.com"
    it.write()
    with served(it) as server:
        url = url_of(server.client("abc"))
        assert url.startswith("https://in.example.com/v1/uploads?")
        parts = urlsplit(url)
        there = url.replace("https://in.example.com", server.base)
        assert put(there, Host=parts.netloc).status == 201
        assert put(there).code == "signature.mismatch"


# Not there


def test_an_address_is_good_for_its_method_and_its_file_only(client: Client, it: Installation) -> None:
    url = url_of(client, "mine.csv")
    before = drops(it) | drops(it, "xyz")
    for method in ("GET", "DELETE", "PATCH", "HEAD"):
        assert put(url, method=method).status == 405
    assert put(url, method="POST").status in (400, 403)
    changes = [
        ("mine.csv", "other.csv"),
        ("abc%2F", "xyz%2F"),
        ("X-Amz-Expires=900", "X-Amz-Expires=604800"),
        ("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=host%3Bx-a"),
        (REGION, "us-east-1"),
        ("/v1/uploads", "/v1/records"),
        ("&X-Amz-Signature=", "&x=1&X-Amz-Signature="),
        ("file=", "File="),
    ]
    for old, new in changes:
        assert old in url
        said = put(url.replace(old, new, 1))
        assert said.status in (400, 403, 405), (new, said.body)
    parts = parse_qs(urlsplit(url).query)
    signature = parts["X-Amz-Signature"][0]
    for wrong in (signature[::-1], signature.upper(), "", signature[:-1], "0" * 64):
        assert put(url.replace(signature, wrong)).status == 403
    assert put(url.partition("?")[0]).status == 403
    assert drops(it) | drops(it, "xyz") == before


def test_an_address_is_no_signature_for_anything_else(client: Client) -> None:
    query = urlsplit(url_of(client)).query
    for path in ("/v1/batches", "/v1/records/x", "/v1/uploads"):
        for method in ("GET", "POST"):
            assert put(f"{client.base}{path}?{query}", method=method).status in (400, 403, 405)


def test_an_address_is_over_one_day(client: Client) -> None:
    long_ago = datetime.now(UTC) - timedelta(seconds=902)
    url = f"{client.base}/v1/uploads?file=abc%2Fold.csv"

    def at(moment: datetime) -> str:
        return presign(client.credential, REGION, SERVICE, method="PUT", url=url, seconds=900, at=moment)

    assert put(at(long_ago)).code == "signature.expired"
    assert put(at(long_ago + timedelta(seconds=60))).status == 201


def test_the_address_of_a_revoked_key_is_none(server: Served) -> None:
    leaver = server.client("abc")
    url = url_of(leaver)
    assert put(url).status == 201
    server.runtime.ledger.keys.revoke(leaver.credential.id)
    server.ring.refresh()
    assert put(url).code == "signature.mismatch"
    assert asked(leaver, "a.csv").code == "signature.mismatch"


def test_another_server_knows_the_address_of_a_new_key_at_once(it: Installation, server: Served) -> None:
    with served(it) as other:
        url = url_of(server.client("abc"))
        host = urlsplit(server.base).netloc
        assert put(url.replace(server.base, other.base), Host=host).status == 201


@pytest.mark.parametrize(
    "file",
    [
        *("", ".csv", "a", "a.txt", "a.csv.zip", "a.csv/", "/a.csv", "a//b.csv", "//a.csv", "../xyz/a.csv"),
        *("x/../../xyz/a.csv", "./a.csv", "x/./a.csv", "x/../a.csv", "..", "../../etc/passwd.csv"),
        *("_results/x.csv", "_records/x.jsonl", "_x.csv", ".x.csv", ".hidden/x.csv", "a.csv\0", "a\0.csv", "a\n.csv"),
        *("a\r.csv", "a\t.csv", "a\x7f.csv", "a\u202e.csv", "a\u00a0.csv", "a\ufeff.csv", "a\x1b[31m.csv"),
        *("x" * 197 + ".csv", "å" * 99 + ".csv", "x" * 201 + "/a.csv", "/".join(["x" * 100] * 9) + "/a.csv"),
    ],
)
def test_names_that_are_refused(client: Client, it: Installation, file: str) -> None:
    before = drops(it)
    said = asked(client, file)
    assert (said.status, said.code) == (422, "upload.name")
    # who has the secret can sign any address by himself
    url = f"{client.base}/v1/uploads?file={quote(f'abc/{file}', safe='')}"
    now = datetime.now(UTC)
    own = presign(client.credential, REGION, SERVICE, method="PUT", url=url, seconds=60, at=now)
    assert put(own).status == 403
    assert drops(it) == before


@pytest.mark.parametrize("key", ["xyz/a.csv", "a.csv", "/a.csv", "", "xyz/../abc/a.csv", "abc", "ABC/a.csv"])
def test_an_address_that_was_signed_for_another_group_is_none(client: Client, it: Installation, key: str) -> None:
    before = drops(it) | drops(it, "xyz")
    url = f"{client.base}/v1/uploads?file={quote(key, safe='')}"
    own = presign(client.credential, REGION, SERVICE, method="PUT", url=url, seconds=60, at=datetime.now(UTC))
    said = put(own)
    assert (said.status, said.code) == (403, "group")
    assert drops(it) | drops(it, "xyz") == before


@pytest.mark.parametrize("group", ["xyz", "nobody", "", "abc/x", ".", "_results"])
def test_a_group_of_somebody_else_looks_like_one_that_is_not_there(client: Client, group: str) -> None:
    assert asked(client, "a.csv", group) == asked(client, "a.csv", "nobody")
    assert asked(client, "../x", group).code == "group"


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{}", b"[]", b"[" * 10_000, b'{"group_key":"abc"}', b'{"group_key":"abc","file":1}'),
        *(b'{"group_key":"abc","file":"\\ud800.csv"}', b'{"group_key":"abc","file":"a\xff.csv"}'),
        b'{"group_key":"abc","file":"a.csv","more":1}',
    ],
)
def test_a_body_that_asks_for_nothing(client: Client, body: bytes) -> None:
    said = client.send("POST", "/v1/uploads", body)
    assert (said.status, said.code) == (400, "body.shape")


@pytest.mark.parametrize("host", ["[::1", "a@b", "a/b?c", ""])
def test_a_host_that_is_none_is_the_caller_s_mistake(client: Client, host: str) -> None:
    stamp = stamp_of(datetime.now(UTC)).encode()
    body = b'{"group_key":"abc","file":"a.csv"}'
    scope = b"%b/%b/%b/aws4_request" % (stamp[:8], REGION.encode(), SERVICE.encode())
    draft = Draft(
        path=b"/v1/uploads",
        headers=((b"host", host.encode()), (b"x-amz-date", stamp)),
        body=body,
        stamp=stamp,
        scope=scope,
        key=client.credential.id.encode(),
        secret=client.credential.secret.encode(),
    )
    headers = (("Host", host), ("X-Amz-Date", stamp.decode()), ("Authorization", draft.authorization().decode()))
    said = Wire("POST", "/v1/uploads", headers, body).to(client.base)
    assert (said.status, said.code) == (400, "request.host")


# Too much, too little


def test_a_file_that_is_too_large_is_refused(client: Client, it: Installation) -> None:
    url = url_of(client, "large.csv")
    assert put(url, b"x" * LARGEST).status == 201
    before = (it.home / "drop/abc/large.csv").read_bytes()
    for body in (b"y" * (LARGEST + 1), iter([b"y" * LARGEST, b"y"])):
        parts = urlsplit(url)
        connection = HTTPConnection(parts.netloc, timeout=60)
        connection.request("PUT", f"{parts.path}?{parts.query}", body, encode_chunked=True)
        response = connection.getresponse()
        assert (response.status, json.loads(response.read())["error"]["code"]) == (413, "body.size")
        connection.close()
    assert (it.home / "drop/abc/large.csv").read_bytes() == before
    assert not list((it.home / "drop").rglob(".*"))


def test_a_file_that_comes_compressed_on_the_way_is_refused(client: Client) -> None:
    assert put(url_of(client), **{"Content-Encoding": "gzip"}).code == "body.encoding"


def test_a_file_that_is_cut_off_leaves_nothing(client: Client, it: Installation) -> None:
    parts = urlsplit(url_of(client, "cut.csv"))
    with socket.create_connection((str(parts.hostname), parts.port or 80)) as connection:
        head = (
            f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: 100\r\n\r\nid,email\n"
        )
        connection.sendall(head.encode())
    assert put(url_of(client, "after.csv")).status == 201
    assert not {"abc/cut.csv"} & drops(it)


def test_a_file_that_does_not_go_on_is_given_up(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.uploads._PATIENCE", 0.2)
    url = url_of(client, "slow.csv")
    target = url.removeprefix(client.base)
    host = urlsplit(url).netloc
    said = raw(client.base, f"PUT {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100\r\n\r\nid,".encode())
    assert (said.status, said.code) == (408, "body.timeout")


# S3


@pytest.mark.parametrize("prefix", ["", "some/where"])
@pytest.mark.parametrize("file", ["a.csv", "2026/Kunder och vänner+😀.csv", "a&b=c?d#e.csv"])
def test_an_address_in_s3_works(
    tmp_path: Path, there: Destination, monkeypatch: pytest.MonkeyPatch, prefix: str, file: str
) -> None:
    zone = Bucket.make(monkeypatch, prefix)
    it = made(tmp_path, zone, hook=to(there.base))
    with served(it) as server:
        client = server.client("abc")
        said = asked(client, file)
        assert (said.status, said.json["file"], said.json["method"]) == (201, f"abc/{file}", "PUT")
        url = said.json["url"]
        assert url.startswith(s3_server())
        assert unquote(urlsplit(url).path).endswith(f"/{prefix}/abc/{file}".replace("//", "/"))
        assert put(url, people(3)).status == 200
        assert asked(client, "../a.csv").status == 422
    receipt = it.one()
    assert receipt["file"] == f"abc/{file}"
    assert counts(receipt, "hook") == {"delivered": 3}
    query: dict[str, Any] = parse_qs(urlsplit(url).query)
    assert query["X-Amz-Expires"] == ["900"]
