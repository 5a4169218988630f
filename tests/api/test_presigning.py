"""Presigned URLs: ours hold, botocore's too, and nothing that was changed, mixed or kept too long does."""

from __future__ import annotations

import hashlib
import hmac
import string
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.signed import ANNA, BERT, NOW, REGION, SERVICE, Draft, botocore_presigned, verifier

from api.credential import Credential
from api.presigning import LONGEST, presign
from api.signature import Refused, Signed, Verifier

URL = "https://api.example.com/v1/uploads/01K-x_y.z"
HOST = [(b"host", b"api.example.com")]
SCOPE = f"{ANNA.id}/20261123/eu-north-1/execute-api/aws4_request"
NAMES = ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"]


def ours(url: str = URL, credential: Credential = ANNA, **changes: Any) -> str:
    more = {"method": "PUT", "url": url, "seconds": 3600, "at": NOW, **changes}
    return presign(credential, REGION, SERVICE, **more)


def verified(
    url: str,
    by: Verifier | None = None,
    *,
    method: str = "PUT",
    headers: list[tuple[bytes, bytes]] | None = None,
) -> Signed:
    parts = urlsplit(url)
    headers = [(b"host", parts.netloc.encode())] if headers is None else headers
    return (by or verifier()).verify_query(method, parts.path.encode(), parts.query.encode(), headers)


def code(url: str, by: Verifier | None = None, **more: Any) -> str:
    """The code that a request to a URL is refused with; empty when it is taken."""
    try:
        verified(url, by, **more)
    except Refused as refused:
        return refused.code
    return ""


def by_hand(signed: list[tuple[str, str]], *, path: str = "/v1/uploads/a", payload: str = "UNSIGNED-PAYLOAD") -> str:
    """A URL with these parameters, whatever they are, whose signature is right; it shares no code with ours."""
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in sorted(signed))
    listed = dict(signed).get("X-Amz-SignedHeaders", "host")
    lines = [f"{name}:{'api.example.com' if name == 'host' else 'text/csv'}" for name in listed.split(";")]
    request = "\n".join(["PUT", path, query, *lines, "", listed, payload])
    key = b"AWS4" + ANNA.secret.encode()
    for part in SCOPE.split("/")[1:]:
        key = hmac.new(key, part.encode(), "sha256").digest()
    scope = SCOPE.partition("/")[2]
    stamp = dict(signed).get("X-Amz-Date", "")
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.new(key, text.encode(), "sha256").hexdigest()
    return f"https://api.example.com{path}?{query}&X-Amz-Signature={signature}"


def parameters(**changes: str | None) -> list[tuple[str, str]]:
    """Those of a right URL but the signature, with changes: `expires="1"`; None leaves one out."""
    told: dict[str, str | None] = {
        "algorithm": "AWS4-HMAC-SHA256",
        "credential": SCOPE,
        "date": "20261123T120000Z",
        "expires": "3600",
        "signed_headers": "host",
    }
    names = {"algorithm": 0, "credential": 1, "date": 2, "expires": 3, "signed_headers": 4}
    return [(NAMES[names[name]], value) for name, value in (told | changes).items() if value is not None]


def test_a_url_of_ours_holds() -> None:
    url = ours()
    assert verified(url) == Signed(ANNA, bytes.fromhex(url.rpartition("=")[2]), NOW)
    assert verified(ours(credential=BERT)).credential == BERT
    assert ANNA.secret not in url


def test_a_url_of_ours_is_written_as_botocore_writes_it() -> None:
    base, _, query = ours().partition("?")
    assert base == URL
    assert [part.partition("=")[0] for part in query.split("&")] == [*sorted(NAMES[:5]), "X-Amz-Signature"]
    assert f"X-Amz-Credential={quote(SCOPE, safe='')}" in query
    assert "X-Amz-Date=20261123T120000Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&" in query


@pytest.mark.parametrize(
    "url",
    [
        *("https://api.example.com/", "http://127.0.0.1:8080/v1/uploads/a", "https://[::1]:8443/v1/uploads/a"),
        *(f"{URL}?name=Kunder%20%C3%A5.csv&group_key=abc", f"{URL}?a-b=1&a=2&B=3&Z=", f"{URL}?"),
    ],
)
def test_whatever_else_the_url_has_is_signed_too(url: str) -> None:
    signed = ours(url)
    assert not code(signed)
    for part in filter(None, urlsplit(url).query.split("&")):
        assert code(signed.replace(part, f"{part}x", 1)) == "signature.mismatch"


def test_the_host_is_the_one_that_clients_send() -> None:
    url = ours("HTTPS://API.Example.com:443/v1/uploads/a")
    assert url.startswith("https://api.example.com/v1/uploads/a?")
    assert not code(url)
    assert ours("http://a.example:80/b").startswith("http://a.example/b?")
    assert ours("http://a.example:443/b").startswith("http://a.example:443/b?")
    assert ours("http://[::1]:80/b").startswith("http://[::1]/b?")


def test_the_time_of_a_url_is_in_utc() -> None:
    at = NOW.astimezone(timezone(timedelta(hours=2))).replace(microsecond=999)
    assert ours(at=at) == ours()
    assert verified(ours(at=at)).at == NOW


@pytest.mark.parametrize(
    "url",
    [
        *("/v1/uploads/a", "ftp://api.example.com/a", "https:///a", "https://user@api.example.com/a", f"{URL}#a"),
        *("https://api.example.com", "https://api.example.com/a//b", "https://api.example.com/a%20b", f"{URL}?a b"),
        *("https://api.example.com/a/../b", "https://api.example.com/å", f"{URL}?a=b+c", f"{URL}?a=1&a=2", f"{URL}?a"),
        *(f"{URL}?x-amz-date=1", f"{URL}?X-Amz-Expires=1", f"{URL}?X-Amz-Meta=1"),
    ],
)
def test_urls_that_would_be_refused_are_not_presigned(url: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        ours(url)


def test_a_presigned_url_is_not_presigned_again() -> None:
    with pytest.raises(ValueError, match="again"):
        ours(ours())


@pytest.mark.parametrize("seconds", [0, -1, LONGEST + 1, 2**63])
def test_a_url_holds_for_a_second_to_a_week(seconds: int) -> None:
    with pytest.raises(ValueError, match="604800"):
        ours(seconds=seconds)
    assert not code(ours(seconds=1))
    assert not code(ours(seconds=LONGEST))


@pytest.mark.parametrize(
    ("after", "refused"),
    [(0, ""), (3600, ""), (3601, "expired"), (86400, "expired"), (-300, ""), (-301, "clock"), (-86400, "clock")],
)
def test_a_url_holds_from_its_date_until_it_expires(after: int, refused: str) -> None:
    found = code(ours(), verifier(at=NOW + timedelta(seconds=after)))
    assert found == (f"signature.{refused}" if refused else "")


def test_no_date_is_too_far_off() -> None:
    for at in (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(1000, 1, 1, tzinfo=UTC)):
        assert code(ours(at=at, seconds=LONGEST)) in {"signature.clock", "signature.expired"}


def test_a_url_by_hand_holds() -> None:
    """So that the next tests break one thing only."""
    assert not code(by_hand(parameters()))
    assert not code(by_hand([*parameters(), ("name", "a b")]))


@pytest.mark.parametrize(
    "expires",
    [
        *("", "0", "00", "01", "+1", "-1", " 1", "1 ", "1.0", "1e3", "0x10", "1_000", "604801", "999999", "1000000"),
        *(
            "9223372036854775807",
            "9223372036854775808",
            "1" * 5000,
            "٣",
            "３６００",
            "abc",
            "null",
            "3600,60",
            "3600\0",
        ),
    ],
)
def test_expires_is_a_plain_number(expires: str) -> None:
    assert code(by_hand(parameters(expires=expires))) == "signature.query"


@pytest.mark.parametrize("expires", ["1", "60", "604800"])
def test_expires_from_a_second_to_a_week(expires: str) -> None:
    assert not code(by_hand(parameters(expires=expires)))


@pytest.mark.parametrize("algorithm", ["", "AWS4-HMAC-SHA1", "aws4-hmac-sha256", "AWS4-ECDSA-P256-SHA256", "AWS"])
def test_there_is_one_algorithm(algorithm: str) -> None:
    assert code(by_hand(parameters(algorithm=algorithm))) == "signature.algorithm"


@pytest.mark.parametrize("date", ["", "20261123", "20261123T120000", "2026-11-23T12:00:00Z", "20261123T250000Z"])
def test_the_date_has_one_form(date: str) -> None:
    assert code(by_hand(parameters(date=date))) == "signature.date"


@pytest.mark.parametrize(
    ("credential", "refused"),
    [
        *((SCOPE.replace("eu-north-1", "us-east-1"), "scope"), (SCOPE.replace("execute-api", "s3"), "scope")),
        *((SCOPE.replace("20261123", "20261122"), "scope"), (f"{SCOPE}/", "scope"), (ANNA.id, "scope")),
        *((SCOPE.replace("/", "//", 1), "scope"), ("", "malformed"), (SCOPE.replace("ANNA", "AN-A"), "malformed")),
    ],
)
def test_the_scope_is_the_day_and_ours(credential: str, refused: str) -> None:
    assert code(by_hand(parameters(credential=credential))) == f"signature.{refused}"


@pytest.mark.parametrize("signed", ["", "Host", "accept", "host;host", "host;accept", "accept;host", "x-amz-date"])
def test_host_is_signed(signed: str) -> None:
    assert code(by_hand(parameters(signed_headers=signed))) == "signature.headers"


def test_another_signed_header_does_not_do_for_host() -> None:
    headers = [*HOST, (b"content-type", b"text/csv")]
    assert code(by_hand(parameters(signed_headers="content-type")), headers=headers) == "signature.headers"
    assert not code(by_hand(parameters(signed_headers="content-type;host")), headers=headers)


@pytest.mark.parametrize("name", NAMES)
def test_each_parameter_comes_exactly_once(name: str) -> None:
    parts = urlsplit(ours()).query.split("&")
    (part,) = (part for part in parts if part.startswith(f"{name}="))
    others = [other for other in parts if other != part]
    for query in (others, [*parts, part], [part, *parts], [*parts, f"{name}=1"], [f"{name}=", *parts]):
        assert code(f"{URL}?{'&'.join(query)}") in {"request.query", "signature.query"}
    for written in (name.lower(), name.upper(), name.replace("-", "%2D"), f"{name}x", name.replace("X-Amz-", "X-Amz")):
        for query in ([*others, part.replace(name, written)], [*parts, part.replace(name, written)]):
            assert code(f"{URL}?{'&'.join(query)}") in {"request.query", "signature.query", "signature.mismatch"}


@pytest.mark.parametrize("name", ["X-Amz-Security-Token", "X-Amz-Content-Sha256", "X-Amz-Meta", "x-amz-acl", "X-AMZ-X"])
def test_no_other_parameter_of_amz_is_taken(name: str) -> None:
    assert code(by_hand([*parameters(), (name, "1")])) == "signature.query"


@pytest.mark.parametrize("missing", ["algorithm", "credential", "date", "expires", "signed_headers"])
def test_a_signed_url_without_a_parameter_is_refused(missing: str) -> None:
    assert code(by_hand(parameters(**{missing: None}))) == "signature.query"


def test_a_url_without_a_signature_is_refused() -> None:
    assert code(URL) == "signature.query"
    assert code(f"{URL}?name=a") == "signature.query"


@pytest.mark.parametrize("payload", ["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "", "x"])
def test_the_payload_is_unsigned_and_nothing_else(payload: str) -> None:
    assert code(by_hand(parameters(), payload=payload)) == "signature.mismatch"


@pytest.mark.parametrize("path", ["/a//b", "/a/./b", "/a%20b", "/a+b", "/a/../b"])
def test_paths_are_plain(path: str) -> None:
    assert code(by_hand(parameters(), path=path)) == "request.path"


def test_a_query_is_escaped_in_one_way() -> None:
    url = ours(f"{URL}?name=a%2Fb")
    for other in ("a%2fb", "a/b", "%61%2Fb", "a%252Fb"):
        assert code(url.replace("a%2Fb", other)) in {"request.query", "signature.mismatch"}
    assert code(url.replace("%2F20261123", "/20261123")) == "request.query"


def test_the_order_of_the_query_is_nothing() -> None:
    parts = urlsplit(ours(f"{URL}?name=a")).query.split("&")
    assert not code(f"{URL}?{'&'.join(reversed(parts))}")


@pytest.mark.parametrize(
    "name", [b"authorization", b"x-amz-date", b"x-amz-content-sha256", b"X-Amz-Meta", b"x-amz-acl"]
)
def test_header_and_query_authentication_do_not_mix(name: bytes) -> None:
    assert code(ours(), headers=[*HOST, (name, b"UNSIGNED-PAYLOAD")]) == "signature.both"


def test_headers_that_a_client_adds_are_let_be() -> None:
    more = [
        (b"content-type", b"text/csv"),
        (b"content-length", b"3"),
        (b"user-agent", b"x"),
        (b"x-forwarded-host", b"x"),
    ]
    assert not code(ours(), headers=HOST + more)


@pytest.mark.parametrize("name", [b"host", b"content-type", b"content-length"])
def test_headers_come_once(name: bytes) -> None:
    headers = [*HOST, (b"content-type", b"a"), (b"content-length", b"1"), (name, b"api.example.com")]
    assert code(ours(), headers=headers) == "request.header.twice"


def test_a_url_is_for_its_host_and_method() -> None:
    for host in (b"evil.example.com", b"api.example.com:443", b"API.example.com", b""):
        assert (
            code(ours(), headers=[(b"host", host), (b"x-forwarded-host", b"api.example.com")]) == "signature.mismatch"
        )
    assert code(ours(), headers=[]) == "signature.headers"
    for method in ("GET", "POST", "DELETE", "put", ""):
        assert code(ours(), method=method) == "signature.mismatch"


def test_unknown_keys_and_wrong_secrets_are_answered_alike() -> None:
    stranger = Credential("FD0NOBODY0HAS0THIS0KEY", "x", frozenset())
    wrong = Credential(ANNA.id, "x", frozenset())
    messages = set()
    for credential in (stranger, wrong):
        with pytest.raises(Refused) as refused:
            verified(ours(credential=credential))
        messages.add((refused.value.code, refused.value.message))
    assert len(messages) == 1


def test_the_signature_of_a_url_is_none_of_a_header() -> None:
    """And the other way round: a URL signs no body, and no header may borrow that."""
    draft = Draft(method="PUT", path=b"/v1/uploads/a", headers=(*HOST, (b"x-amz-date", b"20261123T120000Z")))
    request = draft.but(payload=b"UNSIGNED-PAYLOAD").request()
    with pytest.raises(Refused, match=r"signature\.mismatch"):
        verifier().verify(request)
    with pytest.raises(Refused, match=r"signature\.query"):
        verifier().verify_query("PUT", request.path, b"", request.headers)


def mutants(url: str) -> Iterator[str]:
    """Every character of the path and the query changed, left out and doubled; every parameter changed and moved."""
    start = url.index("/v1")
    for place in range(start, len(url)):
        before, one, after = url[:place], url[place], url[place + 1 :]
        for other in ("", one * 2, one.swapcase(), "0", "1", "/", "%", "&", "=", "."):
            if other != one and not (one == "?" and other in {"", "?"}):
                yield before + other + after
    base, _, query = url.partition("?")
    parts = query.split("&")
    for place, part in enumerate(parts):
        name, _, value = part.partition("=")
        for wrong in ("", "1", value[::-1], value + value, value.lower(), value.upper(), value[:-1]):
            if wrong != value:
                yield f"{base}?{'&'.join([*parts[:place], f'{name}={wrong}', *parts[place + 1 :]])}"


@pytest.mark.parametrize("url", [URL, f"{URL}?group_key=abc&name=a%20b.csv"])
def test_every_change_of_a_url_is_refused(url: str) -> None:
    right, taking, count = ours(url), verifier(), 0
    assert not code(right, taking)
    for mutant in set(mutants(right)) - {right}:
        parts = mutant.partition("?")
        path, query = parts[0].removeprefix("https://api.example.com"), parts[2]
        with pytest.raises(Refused):
            taking.verify_query("PUT", path.encode(), query.encode(), HOST)
        count += 1
    assert count > 2000


def test_random_changes_of_a_url_are_refused() -> None:
    random, taking, right = Random(7), verifier(), ours(f"{URL}?name=a%20b.csv")
    path, _, query = right.removeprefix("https://api.example.com").partition("?")
    for _ in range(5000):
        place = random.randrange(len(query))
        text = "".join(random.choices(string.printable, k=random.randint(0, 3)))
        mutant = query[:place] + text + query[place + random.randint(0, 3) :]
        if mutant != query:
            with pytest.raises(Refused):
                taking.verify_query("PUT", path.encode(), mutant.encode(), HOST)


def test_botocore_writes_the_same_url() -> None:
    """Where it hashes no body."""
    random = Random(11)
    for _ in range(300):
        path = "/" + "/".join(random.sample(["v1", "uploads", "01K-x_y.z~", "a"], random.randint(0, 4)))
        url = f"https://api.example.com{random.choice(['', ':8443'])}{path}"
        url += random.choice(["", "?name=a%20b", "?name=x&group_key=abc%2F"])
        credential, seconds = random.choice([ANNA, BERT]), random.randint(1, LONGEST)
        at, method = NOW + timedelta(seconds=random.randint(-(10**7), 10**7)), random.choice(["PUT", "GET"])
        theirs = botocore_presigned(method, url, credential, seconds=seconds, at=at)
        mine = presign(credential, REGION, SERVICE, method=method, url=url, seconds=seconds, at=at)
        assert sorted(urlsplit(mine).query.split("&")) == sorted(urlsplit(theirs).query.split("&"))
        assert mine.partition("?")[0] == theirs.partition("?")[0]
        assert verified(theirs, verifier(at=at), method=method).credential == credential


def test_botocore_may_sign_more_headers() -> None:
    url = botocore_presigned("PUT", URL, ANNA, headers={"Content-Type": "text/csv"})
    assert "X-Amz-SignedHeaders=content-type%3Bhost" in url
    assert not code(url, headers=[*HOST, (b"content-type", b"text/csv")])
    assert code(url, headers=[*HOST, (b"content-type", b"text/html")]) == "signature.mismatch"
    assert code(url) == "signature.headers"


NAME = st.one_of(st.sampled_from([*NAMES, "x-amz-date", "X-Amz-New", "a"]), st.text(max_size=5))
VALUE = st.one_of(st.sampled_from([SCOPE, "20261123T120000Z", "host", "1", "0" * 64, "9" * 30]), st.text(max_size=8))
QUERIES = st.lists(st.tuples(NAME, VALUE), max_size=8).map(
    lambda pairs: "&".join(f"{quote(name)}={quote(value, safe='')}" for name, value in pairs).encode()
)
HEADERS = st.lists(st.tuples(st.sampled_from([b"host", b"x-amz-date", b"a"]), st.binary(max_size=8)), max_size=3)


@settings(max_examples=500, deadline=None)
@given(method=st.text(string.ascii_letters, max_size=5), path=st.binary(max_size=20), query=QUERIES, headers=HEADERS)
def test_garbage_is_refused(method: str, path: bytes, query: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(Refused):
        verifier().verify_query(method, path, query, headers)
