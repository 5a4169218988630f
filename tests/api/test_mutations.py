"""A signed request that is changed anywhere is refused, and no garbage is anything but refused."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import permutations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.signed import ANNA, BERT, BODY, NOW, Draft, botocore_signed, code, received, verifier

from api.signature import Received, Refused

AMZ = ["acl", "content-sha256", "copy-source", "date", "decoded-content-length", "expires", "meta-a", "security-token"]
AMZ += ["signature", "signedheaders", "tagging", "target", "trailer", "user-agent", "website-redirect-location", "x"]
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "post", "Post", "", "POST "]
VISIBLE = string.ascii_letters + string.digits + string.punctuation


def by_botocore(method: str, target: str, body: bytes, headers: dict[str, str]) -> Received:
    url = f"http://api.example.com{target}"
    return received(method, url, body, botocore_signed(method, url, body, ANNA, headers=headers, at=NOW))


JSON = {"Content-Type": "application/json"}
REQUESTS = {
    "record": Draft().request(),
    "botocore": by_botocore("POST", "/v1/records", BODY, JSON | {"Idempotency-Key": "a1", "X-Amz-Meta": "one two"}),
    "list": by_botocore("GET", "/v1/batches?after=2026-11-01&cursor=a%2Fb%3D&limit=10", b"", {}),
    "one": by_botocore("GET", "/v1/records/01K-x_y.z", b"", {"X-Amz-Content-Sha256": "e3b0c44298fc1c149afbf4c8996fb924"
                                                             "27ae41e4649b934ca495991b7852b855"}),
}  # fmt: skip
SYSTEMATIC: list[Callable[[Received], Iterator[Received]]] = []


def systematic(function: Callable[[Received], Iterator[Received]]) -> Callable[[Received], Iterator[Received]]:
    SYSTEMATIC.append(function)
    return function


def signed_names(request: Received) -> list[bytes]:
    return dict(request.headers)[b"authorization"].partition(b"SignedHeaders=")[2].partition(b",")[0].split(b";")


def claimed(request: Received, old: bytes, new: bytes) -> Received:
    """The same with a change of what its Authorization says."""
    headers = [(n, v.replace(old, new) if n == b"authorization" else v) for n, v in request.headers]
    return replace(request, headers=headers)


def others(text: bytes) -> Iterator[bytes]:
    """A text with one character changed, left out or doubled, everywhere; white space is never all that changes."""
    for place, byte in enumerate(text):
        flipped = chr(byte).swapcase().encode() if chr(byte).isalpha() else b"~"
        yield text[:place] + flipped + text[place + 1 :]
        yield text[:place] + (b"1" if byte == ord("0") else b"0") + text[place + 1 :]
        if not chr(byte).isspace():
            yield text[:place] + text[place + 1 :]
            yield text[:place] + bytes([byte]) + text[place:]


@systematic
def bodies(request: Received) -> Iterator[Received]:
    for place in range(len(request.body)):
        yield replace(request, body=request.body[:place])
        yield replace(request, body=request.body[:place] + bytes([request.body[place] ^ 1]) + request.body[place + 1 :])
    for more in (b" ", b"\n", b"\0", b"{}", b"\xef\xbb\xbf"):
        yield replace(request, body=request.body + more)
        yield replace(request, body=more + request.body)


@systematic
def paths(request: Received) -> Iterator[Received]:
    for path in {*others(request.path), *(request.path + end for end in (b"/", b"/.", b"/..", b";a", b"?", b"%00"))}:
        yield replace(request, path=path)
    for place, byte in enumerate(request.path):
        yield replace(request, path=b"%b%%%02X%b" % (request.path[:place], byte, request.path[place + 1 :]))
        for more in (b"/", b"/.", b"/./", b"/x/.."):
            if byte == ord("/"):
                yield replace(request, path=request.path[:place] + more + request.path[place:])


@systematic
def queries(request: Received) -> Iterator[Received]:
    parts = request.query.split(b"&") if request.query else []
    for query in {*others(request.query), b"a=1", b"=", b"&", b"X-Amz-Signature=1", b"x-amz-credential=a"}:
        yield replace(request, query=query)
    for place in range(len(parts)):
        yield replace(request, query=b"&".join(parts[:place] + parts[place + 1 :]))
        yield replace(request, query=b"&".join([*parts, parts[place]]))
        yield replace(request, query=b"&".join([*parts[:place], parts[place].partition(b"=")[0], *parts[place + 1 :]]))


@systematic
def methods(request: Received) -> Iterator[Received]:
    for method in set(METHODS) - {request.method}:
        yield replace(request, method=method)


@systematic
def values(request: Received) -> Iterator[Received]:
    """Of Authorization and of every header that is signed."""
    names = {*signed_names(request), b"authorization"}
    for place, (name, value) in enumerate(request.headers):
        for other in others(value) if name in names else ():
            yield replace(request, headers=[*request.headers[:place], (name, other), *request.headers[place + 1 :]])


@systematic
def headers_left_out_renamed_or_doubled(request: Received) -> Iterator[Received]:
    names = {*signed_names(request), b"authorization"}
    for place, (name, value) in enumerate(request.headers):
        before, after = list(request.headers[:place]), list(request.headers[place + 1 :])
        if name not in names:
            continue
        yield replace(request, headers=before + after)
        for renamed in (b"x-" + name, name + b"x", name[1:], name.replace(b"-", b"_") + b"_", b"", name + b" "):
            yield replace(request, headers=[*before, (renamed, value), *after])
        for again in (value, b"", value + b" x", value[:-1]):
            yield replace(request, headers=[*before, (name, value), (name, again), *after])
            yield replace(request, headers=[*before, (name, again), (name, value), *after])


@systematic
def headers_added(request: Received) -> Iterator[Received]:
    have = {name for name, _ in request.headers}
    for name in AMZ:
        for written, value in ((f"x-amz-{name}", b"1"), (f"X-Amz-{name}", b""), (f"x-AMZ-{name}", b"UNSIGNED-PAYLOAD")):
            yield replace(request, headers=[(written.encode(), value), *request.headers])
            yield replace(request, headers=[*request.headers, (written.encode(), value)])
    if b"content-type" not in have:
        yield replace(request, headers=[*request.headers, (b"content-type", b"application/json")])


@systematic
def signed_lists(request: Received) -> Iterator[Received]:
    names = signed_names(request)
    right = b"SignedHeaders=" + b";".join(names)
    for order in set(permutations(names)) - {tuple(names)} if len(names) < 5 else [names[::-1]]:
        yield claimed(request, right, b"SignedHeaders=" + b";".join(order))
    for place, name in enumerate(names):
        without = names[:place] + names[place + 1 :]
        for other in (
            without,
            [*names, name],
            sorted([*names, name]),
            [*without, name.upper()],
            [*without, name.title()],
        ):
            yield claimed(request, right, b"SignedHeaders=" + b";".join(other))
    for more in (b"accept", b"authorization", b"zzz", b"", b"user-agent", b"x-amz-new"):
        yield claimed(request, right, b"SignedHeaders=" + b";".join(sorted([*names, more])))


@systematic
def scopes_and_dates(request: Received) -> Iterator[Received]:
    credential = b"FD0ANNA0EXAMPLE0KEY1/20261123/eu-north-1/execute-api/aws4_request"
    parts = credential.split(b"/")
    choices = [
        [BERT.id.encode(), ANNA.id.lower().encode(), b"FD0NOBODY0HAS0THIS0KEY", b""],
        [b"20261122", b"20261124", b"20251123", b"2026112", b"", b"20261123T120000Z"],
        [b"eu-west-1", b"us-east-1", b"EU-NORTH-1", b"", b"*"],
        [b"s3", b"sts", b"iam", b"lambda", b"Execute-Api", b"", b"*"],
        [b"aws4", b"aws4_requests", b"AWS4_REQUEST", b"", b"aws5_request"],
    ]
    for place, wrong in enumerate(choices):
        for part in wrong:
            yield claimed(request, credential, b"/".join([*parts[:place], part, *parts[place + 1 :]]))
        yield claimed(request, credential, b"/".join(parts[:place] + parts[place + 1 :]))
        yield claimed(request, credential, b"/".join([*parts[: place + 1], *parts[place:]]))
    for order in set(permutations(parts)) - {tuple(parts)}:
        yield claimed(request, credential, b"/".join(order))
    for second in range(1, 60):
        stamp = b"20261123T1200%02dZ" % second
        yield replace(request, headers=[(n, stamp if n == b"x-amz-date" else v) for n, v in request.headers])


def test_every_change_of_a_signed_request_is_refused() -> None:
    taking, count = verifier(), 0
    for request in REQUESTS.values():
        assert not code(request, taking)
        for change in SYSTEMATIC:
            for mutant in change(request):
                assert mutant != request
                assert code(mutant, taking), (change.__name__, mutant)
                count += 1
    assert count > 3000


@pytest.mark.parametrize("name", REQUESTS)
def test_random_changes_are_refused(name: str) -> None:
    """Of any part that is signed, a few at once."""
    random, request, taking = Random(name), REQUESTS[name], verifier()
    names = {*signed_names(request), b"authorization"}

    def scrambled(text: bytes) -> bytes:
        if not text:
            return random.choice(VISIBLE).encode()
        place = random.randrange(len(text))
        return text[:place] + random.choice(VISIBLE).encode() * random.randint(1, 3) + text[place + 1 :]

    for _ in range(25_000):
        mutant = request
        for _ in range(random.randint(1, 3)):
            part = random.choice(["path", "query", "body", "headers", "headers", "headers"])
            if part == "headers":
                place = random.choice([i for i, (n, _) in enumerate(mutant.headers) if n in names])
                header, value = mutant.headers[place]
                changed = [*mutant.headers[:place], (header, scrambled(value)), *mutant.headers[place + 1 :]]
                mutant = replace(mutant, headers=changed)
            else:
                mutant = replace(mutant, **{part: scrambled(getattr(mutant, part))})
        if mutant != request:
            assert code(mutant, taking), mutant


def test_signatures_do_not_serve_each_other_s_requests() -> None:
    for one in REQUESTS.values():
        for other in REQUESTS.values():
            swapped = [
                (n, dict(one.headers)[b"authorization"] if n == b"authorization" else v) for n, v in other.headers
            ]
            assert bool(code(replace(other, headers=swapped))) == (one is not other)


TELLING = st.sampled_from(
    [
        *(b"host", b"authorization", b"x-amz-date", b"content-type", b"content-length", b"x-amz-content-sha256"),
        *(b"x-amz-security-token", b"x-amz-", b"Authorization", b"X-Amz-Date", b"", b"x-forwarded-host"),
    ]
)
RIGHT = Draft().authorization()
PARTS = st.sampled_from(
    [
        *(b"AWS4-HMAC-SHA256", b" ", b",", b", ", b"=", b"Credential=", b"SignedHeaders=", b"Signature=", b";", b"/"),
        *(
            RIGHT.split(b" ")[1],
            RIGHT.split(b" ")[2],
            b"host;x-amz-date",
            b"0" * 64,
            b"20261123T120000Z",
            b"\xff",
            b"\0",
        ),
        *(b"99991231T235959Z", b"20261123", b"eu-north-1/execute-api/aws4_request", ANNA.id.encode(), b"\n", b"\t"),
    ]
)
VALUES = st.one_of(st.binary(max_size=40), st.lists(PARTS, max_size=8).map(b"".join), st.just(b"20261123T120000Z"))
HEADERS = st.lists(st.tuples(st.one_of(TELLING, st.binary(max_size=12)), VALUES), max_size=8)
METHOD = st.sampled_from(METHODS)
ANYTHING = st.one_of(st.binary(max_size=40), st.sampled_from([b"/v1/records", b"", b"a=1", b"X-Amz-Signature=0"]))


@settings(max_examples=1000, deadline=None)
@given(method=METHOD, path=ANYTHING, query=ANYTHING, headers=HEADERS, body=st.binary(max_size=20))
def test_garbage_is_refused(
    method: str, path: bytes, query: bytes, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    with pytest.raises(Refused):
        verifier().verify(Received(method, path, query, headers, body))
    with pytest.raises(Refused):
        verifier().verify_query(method, path, query, headers)


@settings(max_examples=500, deadline=None)
@given(headers=HEADERS, authorization=st.one_of(VALUES, st.lists(PARTS, max_size=12).map(b"".join)))
def test_garbage_beside_a_right_request_is_refused(headers: list[tuple[bytes, bytes]], authorization: bytes) -> None:
    """Only headers that may be added by anyone on the way are let through."""
    right, names = Draft(), [name.lower() for name, _ in headers]
    told = [
        name for name in names if name in {b"host", b"authorization", b"content-type"} or name.startswith(b"x-amz-")
    ]
    beside = Received("POST", right.path, b"", [*right.request().headers, *headers], right.body)
    assert bool(code(beside)) == bool(told or names.count(b"content-length") > 1)
    with pytest.raises(Refused):
        verifier().verify(right.with_authorization(authorization))
