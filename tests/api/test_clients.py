"""Clients that others made, as they are: botocore, curl and npm's aws4 each use the whole API."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session
from support import outside
from support.destination import Destination, destination
from support.installation import KEY, made, people, to
from support.served import Served, served
from support.signed import REGION, SERVICE

from api.credential import Credential

NAMES = ["Åsa Öberg", "Ζωή", 'O\'Brien & Søn "x" \\ %41+', "李 🎉", "a\u2028b\u0301\t\n"]
RECORDS = [{"id": str(number), "email": f"p{number}@example.com", "name": name} for number, name in enumerate(NAMES)]
FILE = "2026/kunder åäö +&%41.csv"


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Send = Callable[[str, str, bytes, Mapping[str, str]], Answer]
"""Send a request: method, address, body, headers. Whom it signs for is known to the client."""

Put = Callable[[str, bytes], Answer]
"""PUT bytes to an address that is signed already."""

Make = Callable[[Credential, Path], tuple[Send, Put]]


def botocore(credential: Credential, _folder: Path) -> tuple[Send, Put]:
    session = URLLib3Session()

    def send(method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        request = AWSRequest(method, url, headers=dict(headers), data=body)
        SigV4Auth(Credentials(credential.id, credential.secret), SERVICE, REGION).add_auth(request)
        return sent(request)

    def sent(request: AWSRequest) -> Answer:
        said = session.send(request.prepare())
        return Answer(said.status_code, said.content)

    return send, lambda url, body: sent(AWSRequest("PUT", url, data=body))


def curl(credential: Credential, folder: Path) -> tuple[Send, Put]:
    program, whole = outside.curl(), folder / "body"

    def run(*words: str) -> Answer:
        command = [program, "--silent", "--show-error", "--write-out", "\n%{http_code}", *words]
        said = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
        body, _, status = said.rpartition(b"\n")
        return Answer(int(status), body)

    def send(method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        whole.write_bytes(body)
        words = [word for pair in headers.items() for word in ("--header", ": ".join(pair))]
        signing = ["--aws-sigv4", f"aws:amz:{REGION}:{SERVICE}", "--user", f"{credential.id}:{credential.secret}"]
        data = ["--data-binary", f"@{whole}"] if method == "POST" else []
        return run(*signing, *words, *data, url)

    def put(url: str, body: bytes) -> Answer:
        whole.write_bytes(body)
        return run("--upload-file", str(whole), url)

    return send, put


_SCRIPT = """
import aws4 from "aws4";
const text = await new Response(process.stdin).text();
const { method, url, headers, body, credentials, service, region } = JSON.parse(text);
const { host, pathname, search } = new URL(url);
const bytes = body ? Buffer.from(body, "base64") : undefined;
const request = { method, host, path: pathname + search, headers, body: bytes, service, region };
if (credentials) aws4.sign(request, credentials);
const answer = await fetch(url, { method, headers: request.headers, body: bytes });
const said = Buffer.from(await answer.arrayBuffer()).toString("base64");
console.log(JSON.stringify({ status: answer.status, body: said }));
"""


def aws4(credential: Credential, folder: Path) -> tuple[Send, Put]:
    program = outside.node()
    outside.npm_install("aws4", folder)
    (folder / "one.mjs").write_text(_SCRIPT)

    def run(**asked: Any) -> Answer:
        text = json.dumps({"service": SERVICE, "region": REGION, **asked})
        done = subprocess.run(
            [program, "one.mjs"], cwd=folder, input=text, capture_output=True, text=True, check=True, timeout=60
        )
        said = json.loads(done.stdout)
        return Answer(said["status"], base64.b64decode(said["body"]))

    def send(method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        own = {"accessKeyId": credential.id, "secretAccessKey": credential.secret}
        text = base64.b64encode(body).decode()
        return run(method=method, url=url, headers=dict(headers), body=text, credentials=own)

    return send, lambda url, body: run(method="PUT", url=url, headers={}, body=base64.b64encode(body).decode())


@pytest.fixture
def there() -> Iterator[Destination]:
    with destination() as there:
        yield there


@pytest.fixture
def server(tmp_path: Path, there: Destination) -> Iterator[Served]:
    hook = to(there.base) | {"mapping": {"id": "id", "name": "name"}}
    (tmp_path / "home").mkdir()
    with served(made(tmp_path / "home", hook=hook), delivers=True) as server:
        yield server


def posted(send: Send, base: str, record: Mapping[str, str], key: str) -> Answer:
    body = json.dumps({"data": record, "group_key": KEY}, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json", "Idempotency-Key": key, "Prefer": "wait=30"}
    return send("POST", f"{base}/v1/records", body, headers)


@pytest.mark.parametrize("make", [botocore, curl, aws4])
def test_a_client_can_use_all_of_it(make: Make, server: Served, there: Destination, tmp_path: Path) -> None:
    send, put = make(server.client(KEY).credential, tmp_path)

    told = [posted(send, server.base, record, f"key-{record['id']}") for record in RECORDS]
    assert [(one.status, one.json["status"]) for one in told] == [(200, "delivered")] * len(RECORDS)
    assert [(row["id"], row["name"]) for call in there.calls for row in call.records] == [
        (record["id"], record["name"]) for record in RECORDS
    ]

    record = told[0].json["record_id"]
    assert send("GET", f"{server.base}/v1/records/{record}", b"", {}).json == told[0].json
    again = posted(send, server.base, RECORDS[0], "key-0")
    assert (again.status, again.json) == (200, told[0].json)

    page = send("GET", f"{server.base}/v1/batches?group_key={KEY}&limit=5", b"", {})
    assert page.status == 200
    assert sum(batch["rows"] for batch in page.json["batches"]) == len(RECORDS)
    batch = page.json["batches"][-1]["batch"]
    receipt = send("GET", f"{server.base}/v1/batches/{batch}", b"", {}).json
    assert receipt["integrations"]["hook"]["delivered"] == receipt["rows"]["read"]

    asked = json.dumps({"group_key": KEY, "file": FILE}, ensure_ascii=False).encode()
    place = send("POST", f"{server.base}/v1/uploads", asked, {"Content-Type": "application/json"})
    assert (place.status, place.json["file"]) == (201, f"{KEY}/{FILE}")
    laid = put(place.json["url"], people(20_000))
    assert (laid.status, laid.json["bytes"]) == (201, len(people(20_000)))
    assert (tmp_path / "home" / "drop" / KEY / FILE).read_bytes() == people(20_000)
    assert len(there.rows()) == len(RECORDS)


@pytest.mark.parametrize("make", [botocore, curl, aws4])
def test_a_client_with_a_wrong_secret_is_refused(make: Make, server: Served, tmp_path: Path) -> None:
    right = server.client(KEY).credential
    send, put = make(Credential(right.id, right.secret[::-1], right.groups), tmp_path)
    refused = posted(send, server.base, RECORDS[0], "key")
    assert (refused.status, refused.json["error"]["code"]) == (403, "signature.mismatch")
    unsigned = put(f"{server.base}/v1/uploads?file={KEY}%2Fa.csv", b"id\n1\n")
    assert (unsigned.status, unsigned.json["error"]["code"]) == (403, "signature.query")


def test_any_client_can_put_a_file_to_an_upload_s_address(server: Served, tmp_path: Path) -> None:
    place = server.client(KEY).send("POST", "/v1/uploads", b'{"group_key": "%b", "file": "a.csv"}' % KEY.encode())
    assert urlsplit(place.json["url"]).netloc == urlsplit(server.base).netloc
    headers = {"Content-Type": "text/csv; charset=utf-8", "User-Agent": "anything"}
    with urlopen(Request(place.json["url"], people(3), headers, method="PUT"), timeout=30) as answer:
        assert answer.status == 201
    assert (tmp_path / "home" / "drop" / KEY / "a.csv").read_bytes() == people(3)
