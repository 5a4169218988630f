"""The arithmetic: AWS's own vectors, botocore as a second opinion, and what curl and aws4 once computed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from api import signing
from api.received import fields

CASES = 38
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SCOPE = b"20150830/us-east-1/service/aws4_request"
STAMP = b"20150830T123600Z"


def parsed(text: bytes) -> tuple[bytes, bytes, bytes, list[tuple[bytes, bytes]], bytes]:
    """A request of the suite: method, path, query, headers and body."""
    head, _, body = text.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    method, _, target = first.removesuffix(b" HTTP/1.1").partition(b" ")
    path, _, query = target.partition(b"?")
    headers: list[tuple[bytes, bytes]] = []
    for line in filter(None, lines):
        if line.startswith(b" "):  # a header's second line
            headers[-1] = (headers[-1][0], headers[-1][1] + b"\n" + line)
        else:
            name, _, value = line.partition(b":")
            headers.append((name, value))
    return method, path, query, headers, body


def expected(case: Path, form: str) -> list[bytes]:
    return [(case / f"{form}-{name}.txt").read_bytes() for name in ("canonical-request", "string-to-sign", "signature")]


def computed(case: Path, form: str) -> list[bytes]:
    """The same, from the signed request; what is not signed is left out, as a server must."""
    context = json.loads((case / "context.json").read_text())
    method, path, query, headers, body = parsed((case / f"{form}-signed-request.txt").read_bytes())
    found = fields(headers)
    parameters = [pair for pair in signing.parameters(query) if pair[0] != b"X-Amz-Signature"]
    if context.get("omit_session_token"):
        parameters = [pair for pair in parameters if pair[0] != b"X-Amz-Security-Token"]
    if form == "header":
        signed = found[b"authorization"].partition(b"SignedHeaders=")[2].partition(b",")[0].split(b";")
    else:
        signed = dict(parameters)[b"X-Amz-SignedHeaders"].split(b"%3B")
    way = signing.normalised(path) if context["normalize"] else path
    request = signing.canonical_request(
        method,
        signing.escaped(way, b"/"),
        signing.canonical_query(parameters),
        [(name, found[name]) for name in signed],
        signing.payload_hash(body.rstrip(b"\n")),
    )
    text = signing.string_to_sign(STAMP, SCOPE, request)
    key = signing.signing_key(context["credentials"]["secret_access_key"], SCOPE)
    return [request, text, signing.signature(key, text).hex().encode()]


@pytest.mark.parametrize("form", ["header", "query"])
def test_the_suite_of_aws(shared: Path, form: str) -> None:
    cases = sorted(path for path in (shared / "sigv4/aws-c-auth/v4").iterdir() if path.is_dir())
    assert len(cases) == CASES
    wrong = {case.name for case in cases if computed(case, form) != expected(case, form)}
    assert not wrong


def test_a_request_as_botocore_signed_it() -> None:
    """Kept as it was, so that botocore and this cannot change together."""
    headers = [
        (b"content-type", b"application/json"),
        (b"host", b"api.example.com"),
        (b"x-amz-date", STAMP),
    ]
    request = signing.canonical_request(b"POST", b"/v1/records", b"a=1&b=%2F", headers, signing.payload_hash(b"{}"))
    assert request.decode().splitlines() == [
        "POST",
        "/v1/records",
        "a=1&b=%2F",
        "content-type:application/json",
        "host:api.example.com",
        "x-amz-date:20150830T123600Z",
        "",
        "content-type;host;x-amz-date",
        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
    ]
    text = signing.string_to_sign(STAMP, SCOPE, request)
    assert text.decode().splitlines() == [
        "AWS4-HMAC-SHA256",
        "20150830T123600Z",
        "20150830/us-east-1/service/aws4_request",
        "cebab65c90537003921d9e9de12d83c8bf475e4ee0ff470c2654599a889e7ec5",
    ]
    signature = signing.signature(signing.signing_key(SECRET, SCOPE), text)
    assert signature.hex() == "af38912ae7abebcb5ebd3fc2bd130949b22be3681936d1549a1a757ec9d4955a"


def test_a_published_signing_key() -> None:
    """The example of AWS's documentation."""
    key = signing.signing_key(SECRET, b"20120215/us-east-1/iam/aws4_request")
    assert key.hex() == "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"


def test_a_scope_is_a_day_in_a_region_for_a_service() -> None:
    assert signing.scope_of(STAMP, b"us-east-1", b"service") == SCOPE


PATHS = {
    b"": b"/",
    b"/": b"/",
    b"//": b"/",
    b"/v1/records": b"/v1/records",
    b"/a-._~b/0": b"/a-._~b/0",
    b"/a//b/../c": b"/a/c",
    b"/a/./b": b"/a/b",
    b"/./": b"/",
    b"/..": b"/",
    b"/../../a": b"/a",
    b"/a/": b"/a/",
    b"a/b": b"/a/b",
    b"//a//": b"/a/",
    b"/a/b/..": b"/a",
    b"/a/.": b"/a",
    b"/.a/..b": b"/.a/..b",
    b"/a%20b": b"/a%2520b",
    b"/a+b": b"/a%2Bb",
    b"/a b": b"/a%20b",
    "/å".encode(): b"/%C3%A5",
    b"/a;b=c,d@e:f": b"/a%3Bb%3Dc%2Cd%40e%3Af",
}


@pytest.mark.parametrize("path", PATHS, ids=bytes.decode)
def test_paths_are_normalised_and_escaped_once_more(path: bytes) -> None:
    assert signing.canonical_path(path) == PATHS[path]


QUERIES = {
    b"": b"",
    b"b=2&a=1": b"a=1&b=2",
    b"a=2&a=10&a=1": b"a=1&a=10&a=2",
    b"Param-3=3&Param=2&%E1%88%B4=1": b"%E1%88%B4=1&Param=2&Param-3=3",  # a string sort would put Param-3 first
    b"a": b"a=",
    b"a=&&b=": b"a=&b=",
    b"a=b=c": b"a=b%3Dc",
    b"a=%2f%7e%41": b"a=%2F~A",
    b"a=b+c": b"a=b%2Bc",
    b"B=1&a=2": b"B=1&a=2",
    "å=ö".encode(): b"%C3%A5=%C3%B6",
}


@pytest.mark.parametrize("query", QUERIES, ids=bytes.decode)
def test_queries_are_escaped_anew_and_sorted_by_name(query: bytes) -> None:
    assert signing.canonical_query(signing.parameters(query)) == QUERIES[query]


VALUES = {
    b" a ": b"a",
    b"a   b": b"a b",
    b'"a   b"': b'"a b"',
    b"a\tb": b"a b",
    b"a\n  b\n c": b"a b c",
    b"": b"",
    b"a,b": b"a,b",
    b"\xe5": b"\xe5",
}


@pytest.mark.parametrize("value", VALUES)
def test_values_of_headers_are_trimmed(value: bytes) -> None:
    assert signing.canonical_value(value) == VALUES[value]


UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"


def test_only_unreserved_characters_stay() -> None:
    assert [chr(byte) for byte in range(256) if len(signing.escaped(bytes([byte]))) == 1] == sorted(UNRESERVED)
    assert signing.escaped(b"\xff/") == b"%FF%2F"


def segments() -> Iterator[Any]:
    yield st.sampled_from(["", ".", "..", "...", "%20", "%2F", "%2e", "a+b", "å", "~"])
    yield st.text(UNRESERVED + "%+=:@;,!'()*$&", max_size=8)


PIECES = st.lists(st.one_of(*segments()), max_size=6).map(lambda pieces: "/" + "/".join(pieces))
WORDS = st.text(UNRESERVED + "%", min_size=1, max_size=6).map(lambda text: text.replace("%", "%2F"))
QUERY = st.lists(st.tuples(WORDS, WORDS), max_size=5).map(lambda pairs: "&".join(map("=".join, pairs)))
HEADERS = st.dictionaries(
    st.text("abcdefghijklmnopqrstuvwxyz-0123456789", min_size=1, max_size=12).map(lambda name: f"x-{name}"),
    st.text('abc ,=";åö\t', max_size=12),
    max_size=5,
)


@given(path=PIECES, query=QUERY, headers=HEADERS, body=st.binary(max_size=40))
def test_botocore_agrees(path: str, query: str, headers: dict[str, str], body: bytes) -> None:
    url = f"http://api.example.com{path}" + (f"?{query}" if query else "")
    request = AWSRequest("PUT", url, headers=headers, data=body)
    auth = SigV4Auth(Credentials("AKIDEXAMPLE", SECRET), "service", "us-east-1")
    request.context["timestamp"] = STAMP.decode()
    text = auth.canonical_request(request)

    sent = fields([(b"host", b"api.example.com"), *((n.encode(), v.encode()) for n, v in headers.items())])
    ours = signing.canonical_request(
        b"PUT",
        signing.canonical_path(path.encode()),
        signing.canonical_query(signing.parameters(query.encode())),
        sorted(sent.items()),
        signing.payload_hash(body),
    )
    assert ours.decode() == text
    to_sign = signing.string_to_sign(STAMP, SCOPE, ours)
    assert to_sign.decode() == auth.string_to_sign(request, text)
    assert signing.signature(signing.signing_key(SECRET, SCOPE), to_sign).hex() == auth.signature(
        to_sign.decode(), request
    )
