"""The verifier: every rule by a request that breaks only that one, the signature itself being right."""

from __future__ import annotations

import hmac
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from random import Random
from threading import Thread
from unittest import mock

import pytest
from support.signed import (
    ANNA,
    BERT,
    BODY,
    NOW,
    Draft,
    botocore_presigned,
    botocore_signed,
    code,
    raw,
    received,
    stamp_of,
    verifier,
)

from api.credential import Credential
from api.signature import Received, Refused, Signed, Verifier

DRAFT = Draft()


def message(request: Received, by: Verifier | None = None) -> str:
    with pytest.raises(Refused) as refused:
        (by or verifier()).verify(request)
    return refused.value.message


def test_a_signed_request_is_its_signer_s() -> None:
    signed = verifier().verify(DRAFT.request())
    assert signed == Signed(ANNA, bytes.fromhex(DRAFT.signature().decode()), NOW)
    assert verifier().verify(DRAFT.but(key=BERT.id.encode(), secret=BERT.secret.encode()).request()).credential == BERT


def test_neither_the_secret_nor_the_signature_is_shown() -> None:
    signed = verifier().verify(DRAFT.request())
    assert ANNA.secret not in repr(signed)
    assert str(signed.signature) not in repr(signed)
    assert BODY.decode() not in repr(DRAFT.request())


def test_a_refusal_says_why_in_a_code_and_a_sentence() -> None:
    with pytest.raises(Refused) as refused:
        verifier().verify(DRAFT.but(secret=b"wrong").request())
    assert refused.value.code == "signature.mismatch"
    assert str(refused.value) == f"signature.mismatch: {refused.value.message}"


# The Authorization header


def test_a_request_without_a_signature_is_refused() -> None:
    bare = Received("POST", DRAFT.path, b"", list(DRAFT.headers), BODY)
    assert code(bare) == "signature.missing"
    assert code(Received("GET", b"/", b"", [], b"")) == "signature.missing"


@pytest.mark.parametrize(
    "algorithm",
    [
        *("AWS4-HMAC-SHA1", "AWS4-HMAC-SHA512", "AWS4-HMAC-SHA256-PAYLOAD", "AWS4-ECDSA-P256-SHA256"),
        "aws4-hmac-sha256",
        *("AWS4-HMAC-SHA25", "AWS3-HTTPS", "AWS", "Basic", "Bearer", "Digest"),
    ],
)
def test_there_is_one_algorithm(algorithm: str) -> None:
    assert code(DRAFT.but(algorithm=algorithm.encode()).request()) == "signature.algorithm"


def test_components_come_once_each_and_alone() -> None:
    right = DRAFT.authorization()
    algorithm, credential, signed, signature = right.split(b" ")
    without_comma = credential.removesuffix(b",")
    for wrong in (
        b"",
        algorithm,
        b" ".join([algorithm, without_comma]),
        b" ".join([algorithm, credential, signed.removesuffix(b",")]),
        b" ".join([algorithm, credential, signature]),
        b" ".join([algorithm, signed, signature]),
        b" ".join([algorithm, credential, credential, signature]),
        b" ".join([algorithm, credential, credential, signed, signature]),
        b" ".join([algorithm, credential, signed, signed, signature]),
        right + b", " + signature,
        right + b", Signature=" + b"0" * 64,
        right + b", Region=eu-north-1",
        right + b",",
        right + b", ",
        right.replace(b", ", b" "),
        right.replace(b", ", b"; "),
        right.replace(b"Credential=", b"credential="),
        right.replace(b"SignedHeaders=", b"SignedHeaders:"),
        right.replace(b"Signature=", b"Signature"),
        right.replace(b"Signature=", b" Signature ="),
        right.replace(b"AWS4-HMAC-SHA256 ", b""),
    ):
        assert code(DRAFT.with_authorization(wrong)) in {"signature.malformed", "signature.algorithm"}, wrong


def test_components_may_stand_in_any_order_with_or_without_spaces() -> None:
    """As AWS has it; Authorization is not part of what is signed."""
    algorithm, credential, signed, signature = DRAFT.authorization().replace(b",", b"").split(b" ")
    for order in ([signature, credential, signed], [signed, signature, credential]):
        assert not code(DRAFT.with_authorization(algorithm + b" " + b", ".join(order)))
        assert not code(DRAFT.with_authorization(algorithm + b" " + b",".join(order)))


@pytest.mark.parametrize(
    "key",
    [
        *(b"", b"FD0SHORT0KEY000", b"A" * 129, b"FD0ANNA0EXAMPLE-KEY1", b"FD0ANNA0EXAMPLE0KEY1 "),
        b" FD0ANNA0EXAMPLE0KEY1",
        *(b"FD0ANNA0EXAMPLE0KEY1\n", "FD0ANNA0EXAMPLE0KEYÅ".encode(), b"FD0ANNA0EXAMPLE0KEY\x00"),
        b"FD0ANNA0EXAMPLE0KEY%31",
        *(b"FD0ANNA0EXAMPLE0KEY'", b"../../../../../../anna", b"*" * 20, "٠".encode() * 20),
    ],
)
def test_access_key_ids_are_letters_digits_and_underscores(key: bytes) -> None:
    asked: list[str] = []
    taking = verifier(find=lambda name: asked.append(name) or ANNA)
    assert code(DRAFT.but(key=key).request(), taking) == "signature.malformed"
    assert not asked


def test_access_key_ids_have_16_to_128_characters() -> None:
    for length in (16, 128):
        credential = Credential("_" + "a" * (length - 1), "secret", frozenset())
        assert not code(DRAFT.but(key=credential.id.encode(), secret=b"secret").request(), verifier(credential))


@pytest.mark.parametrize(
    "wrong",
    [
        *(b"", b"0" * 64 + b"0", b"0" * 63, b"g" * 64, b"0x" + b"0" * 62, b" " * 64, b"-" + b"0" * 63, b"_" * 64),
        "٠".encode() * 32,
    ],
)
def test_signatures_are_64_hexadecimal_digits(wrong: bytes) -> None:
    request = DRAFT.with_authorization(DRAFT.authorization().replace(DRAFT.signature(), wrong))
    assert code(request) == "signature.malformed"


def test_signatures_are_in_lower_case() -> None:
    right = DRAFT.signature()
    assert right.upper() != right
    request = DRAFT.with_authorization(DRAFT.authorization().replace(right, right.upper()))
    assert code(request) == "signature.malformed"


# The scope


@pytest.mark.parametrize(
    "scope",
    [
        *(b"20261123/eu-west-1/execute-api/aws4_request", b"20261123/eu-north-1/s3/aws4_request"),
        *(b"20261123/eu-north-1/execute-api/aws5_request", b"20261123/eu-north-1/execute-api/AWS4_REQUEST"),
        *(b"20261122/eu-north-1/execute-api/aws4_request", b"20261124/eu-north-1/execute-api/aws4_request"),
        *(b"20261123/EU-NORTH-1/execute-api/aws4_request", b"20261123/eu-north-1/Execute-API/aws4_request"),
        *(b"20261123/eu-north-1/execute-api", b"20261123/eu-north-1/aws4_request"),
        b"eu-north-1/execute-api/aws4_request",
        b"20261123/eu-north-1/execute-api/aws4_request/",
        b"20261123/eu-north-1/execute-api/aws4_request/aws4_request",
        *(b"/20261123/eu-north-1/execute-api/aws4_request", b"20261123//execute-api/aws4_request", b"", b"///"),
        *(b"20261123/eu-north-1*/execute-api/aws4_request", b"20261123/*/*/aws4_request"),
    ],
)
def test_the_scope_is_the_day_and_ours(scope: bytes) -> None:
    assert code(DRAFT.but(scope=scope).request()) == "signature.scope"


def test_a_verifier_takes_its_own_region_and_service() -> None:
    draft = DRAFT.but(scope=b"20261123/us-east-1/drops/aws4_request")
    assert not code(draft.request(), verifier(region="us-east-1", service="drops"))
    assert code(DRAFT.request(), verifier(region="us-east-1", service="drops")) == "signature.scope"


# The time


@pytest.mark.parametrize(
    "stamp",
    [
        *(b"", b"20261123", b"20261123T120000", b"20261123T120000z", b"20261123t120000Z", b"20261123T1200Z"),
        *(b"2026-11-23T12:00:00Z", b"20261123T120000.000Z", b"20261123T120000+0000", b"20261123 120000Z"),
        *(b"Mon 23 Nov 2026 12:00:00 GMT", b"1795435200", b"20261123T120000ZZ", b"020261123T120000Z"),
        *(b"20261323T120000Z", b"20261131T120000Z", b"20260229T120000Z", b"20261123T240000Z", b"20261123T126000Z"),
        *(b"20261123T120060Z", b"00001123T120000Z", b"20261100T120000Z", b"2026112-T120000Z", b"20261123T+20000Z"),
        *("２０２６1123T120000Z".encode(), b"20261123T12_000Z"),
    ],
)
def test_the_date_is_a_real_time_in_one_form(stamp: bytes) -> None:
    assert code(DRAFT.dated(stamp).request()) == "signature.date"


def test_a_date_header_does_not_stand_in_for_x_amz_date() -> None:
    headers = ((b"host", b"api.example.com"), (b"date", b"Mon, 23 Nov 2026 12:00:00 GMT"))
    assert code(DRAFT.but(headers=headers).request()) == "signature.date"


@pytest.mark.parametrize(("seconds", "taken"), [(0, True), (300, True), (-300, True), (301, False), (-301, False)])
def test_the_clock_may_be_off_by_the_skew(seconds: int, taken: bool) -> None:
    assert code(DRAFT.request(), verifier(at=NOW + timedelta(seconds=seconds))) == ("" if taken else "signature.clock")


def test_the_skew_may_be_set() -> None:
    assert not code(DRAFT.request(), verifier(at=NOW + timedelta(seconds=900), skew=900))
    assert code(DRAFT.request(), verifier(at=NOW + timedelta(seconds=2), skew=1)) == "signature.clock"


def test_parts_of_a_second_count() -> None:
    assert code(DRAFT.request(), verifier(at=NOW + timedelta(seconds=300, microseconds=1))) == "signature.clock"


@pytest.mark.parametrize("stamp", [b"00010101T000000Z", b"99991231T235959Z"])
def test_no_date_is_too_far_off(stamp: bytes) -> None:
    assert code(DRAFT.dated(stamp).request()) == "signature.clock"


def test_a_refusal_for_the_clock_tells_the_time() -> None:
    said = message(DRAFT.request(), verifier(at=NOW + timedelta(hours=1)))
    assert "20261123T130000Z" in said
    assert "300 seconds" in said


def test_the_clock_is_that_of_the_machine() -> None:
    now = datetime.now(UTC)
    real = Verifier("eu-north-1", "execute-api", {ANNA.id: ANNA}.get)
    assert real.verify(DRAFT.dated(stamp_of(now).encode()).request()).at == now.replace(microsecond=0)
    assert code(DRAFT.dated(stamp_of(now - timedelta(hours=1)).encode()).request(), real) == "signature.clock"


def test_requests_around_midnight_have_the_day_of_their_signature() -> None:
    late = DRAFT.dated(b"20261123T235959Z")
    after = verifier(at=datetime(2026, 11, 24, 0, 1, tzinfo=UTC))
    assert not code(late.request(), after)
    assert code(late.but(scope=b"20261124/eu-north-1/execute-api/aws4_request").request(), after) == "signature.scope"


# The signed headers


@pytest.mark.parametrize(
    "signed",
    [
        *(b"", b";", b"Content-Type;host;x-amz-date", b"content-type;Host;x-amz-date", b"CONTENT-TYPE;HOST;X-AMZ-DATE"),
        *(b"host;content-type;x-amz-date", b"x-amz-date;host;content-type", b"content-type;host;host;x-amz-date"),
        *(b"content-type;host;x-amz-date;", b";content-type;host;x-amz-date", b"content-type;;host;x-amz-date"),
        *(b"content-type,host,x-amz-date", b"content-type host x-amz-date", b"content-type; host; x-amz-date"),
    ],
)
def test_the_list_of_signed_headers_is_canonical(signed: bytes) -> None:
    assert code(DRAFT.but(signed=signed).request()) in {"signature.headers", "signature.malformed"}


def test_a_list_in_capitals_is_told_apart_from_a_header_that_did_not_come() -> None:
    request = DRAFT.plus((b"accept", b"*/*"), signed=b"Accept;content-type;host;x-amz-date").request()
    assert "lower case" in message(request)


@pytest.mark.parametrize("name", [b"host", b"x-amz-date", b"content-type"])
def test_these_headers_must_be_signed(name: bytes) -> None:
    signed = b";".join(sorted({b"host", b"x-amz-date", b"content-type"} - {name}))
    request = DRAFT.but(signed=signed).request()
    assert code(request) == "signature.headers"
    assert name.decode() in message(request)


def test_a_content_type_that_is_not_there_need_not_be_signed() -> None:
    assert not code(DRAFT.but(headers=(DRAFT.headers[0], DRAFT.headers[2])).request())


@pytest.mark.parametrize("name", [b"x-amz-meta", b"x-amz-", b"x-amz-target", b"x-amz-zzz", b"X-Amz-Acl", b"X-AMZ-ACL"])
def test_every_header_of_amz_must_be_signed(name: bytes) -> None:
    request = DRAFT.plus((name, b"1"), signed=DRAFT.names).request()
    assert code(request) == "signature.headers"
    assert not code(DRAFT.plus((name.lower(), b"1")).request())


@pytest.mark.parametrize("name", [b"user-agent", b"accept", b"x-amzn-trace-id", b"x-forwarded-for", b"traceparent"])
def test_other_headers_need_not_be_signed(name: bytes) -> None:
    assert not code(DRAFT.plus((name, b"1"), signed=DRAFT.names).request())
    assert not code(DRAFT.plus((name, b"1")).request())


@pytest.mark.parametrize("name", [b"content-type", b"host", b"x-amz-meta", b"accept", b"content-length"])
def test_a_signed_header_must_come(name: bytes) -> None:
    """Even when it was signed as if it had come empty."""
    headers = tuple(pair for pair in DRAFT.headers if pair[0] != name)
    signed = b";".join(sorted({name, *(name for name, _ in DRAFT.headers)}))
    assert code(DRAFT.but(headers=headers, signed=signed).request()) == "signature.headers"


def test_repeated_headers_are_signed_in_the_order_of_arrival() -> None:
    one, other = (b"x-amz-meta", b"1"), (b"x-amz-meta", b"2")
    signed = DRAFT.plus(one, other).request()
    assert not code(signed)
    swapped = Received("POST", DRAFT.path, b"", [*DRAFT.headers, other, one, signed.headers[-1]], BODY)
    assert code(swapped) == "signature.mismatch"


@pytest.mark.parametrize("name", [b"host", b"x-amz-date", b"content-type", b"content-length", b"authorization"])
@pytest.mark.parametrize("same", [True, False])
def test_these_headers_come_once(name: bytes, same: bool) -> None:
    """Proxies and frameworks disagree on which of two they see."""
    request = DRAFT.plus((b"content-length", b"62")).request()
    again = dict(request.headers)[name] if same else b"another"
    for position in (0, len(request.headers)):
        headers = list(request.headers)
        headers.insert(position, (name, again))
        assert code(Received("POST", DRAFT.path, b"", headers, BODY)) == "request.header.twice"
        headers[position] = (name.title(), again)
        assert code(Received("POST", DRAFT.path, b"", headers, BODY)) == "request.header.twice"


def test_a_header_that_is_signed_twice_over_must_come_once() -> None:
    assert code(DRAFT.plus((b"content-type", b"text/csv")).request()) == "request.header.twice"
    assert code(DRAFT.plus((b"host", b"api.example.com")).request()) == "request.header.twice"


@pytest.mark.parametrize("name", [b"x-forwarded-host", b"forwarded", b"x-original-host", b"x-forwarded-server"])
def test_no_other_header_stands_in_for_host(name: bytes) -> None:
    elsewhere = DRAFT.but(headers=((b"host", b"evil.example.com"), *DRAFT.headers[1:]))
    request = elsewhere.with_authorization(DRAFT.authorization())
    assert code(request) == "signature.mismatch"
    headers = [(name, b"api.example.com"), *request.headers]
    assert code(Received("POST", DRAFT.path, b"", headers, BODY)) == "signature.mismatch"
    no_host = [(name, b"api.example.com"), *request.headers[1:]]
    assert code(Received("POST", DRAFT.path, b"", no_host, BODY)) == "signature.headers"


def test_session_tokens_are_refused() -> None:
    assert code(DRAFT.plus((b"x-amz-security-token", b"token")).request()) == "signature.token"
    assert code(DRAFT.plus((b"x-amz-security-token", b""), signed=DRAFT.names).request()) == "signature.token"


# The body


def test_the_hash_of_the_body_may_be_sent_along() -> None:
    digest = b"99a8d5e6a7e5d9e5"
    assert code(DRAFT.plus((b"x-amz-content-sha256", digest)).request()) == "signature.payload"
    empty = b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    draft = DRAFT.but(body=b"").plus((b"x-amz-content-sha256", empty))
    assert not code(draft.request())
    assert code(draft.but(body=BODY, payload=empty).request()) == "signature.payload"
    assert code(draft.but(headers=(*DRAFT.headers, (b"x-amz-content-sha256", empty.upper()))).request())


@pytest.mark.parametrize(
    "declared",
    [
        *(b"UNSIGNED-PAYLOAD", b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", b"STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        *(b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", b"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", b"STREAMING-"),
        *(b"unsigned-payload", b"required", b""),
    ],
)
def test_payloads_are_never_unsigned_or_streamed(declared: bytes) -> None:
    draft = DRAFT.plus((b"x-amz-content-sha256", declared), payload=declared)
    assert code(draft.request()) == "signature.payload"
    assert code(DRAFT.but(payload=declared).request()) == "signature.mismatch"


def test_the_bytes_that_came_are_hashed() -> None:
    request = DRAFT.request()
    for body in (b"", BODY + b" ", BODY[:-1], BODY.replace(b"anna", b"bert")):
        assert code(Received("POST", DRAFT.path, b"", request.headers, body)) == "signature.mismatch"


# The path and the query


@pytest.mark.parametrize(
    "path",
    [
        *(b"", b"//v1/records", b"/v1//records", b"/v1/records//", b"/v1/./records", b"/v1/x/../records"),
        b"/../v1/records",
        *(b"/v1/records/.", b"/v1/records/..", b"/v1%2Frecords", b"/v1/record%73", b"/v1/re%20cords", b"/v1/re cords"),
        *(b"/v1/records;a=1", b"/v1/re+cords", b"/v1/@records", "/v1/å".encode(), b"/v1/records\x00", b"v1/records"),
        b"*",
        *(b"http://api.example.com/v1/records", b"/v1/records#a", b"/v1/%"),
    ],
)
def test_a_path_that_clients_sign_differently_is_refused(path: bytes) -> None:
    """However it was signed: as it stands, normalised, escaped once more, or as the path that it resolves to."""
    for canonical in (path, b"/v1/records", path.replace(b"%", b"%25"), b"/v1/re%2520cords"):
        assert code(DRAFT.but(path=path, canonical_path=canonical).request()) == "request.path"


@pytest.mark.parametrize("path", [b"/", b"/v1/records/", b"/v1/records/01K-x_y.z~", b"/v1/.well-known/a..b"])
def test_plain_paths_are_taken(path: bytes) -> None:
    assert not code(DRAFT.but(path=path).request())


GET = DRAFT.but(method="GET", body=b"", headers=(DRAFT.headers[0], DRAFT.headers[2]), path=b"/v1/batches")


@pytest.mark.parametrize(
    "query", [b"", b"limit=10", b"a=1&b=2", b"cursor=a%2Fb%3D", b"a=", b"a-b=1&a_b=2&a~b=.", b"%C3%A5=%C3%B6"]
)
def test_queries_of_lists_are_taken(query: bytes) -> None:
    assert not code(GET.but(query=query).request())


def test_a_query_is_signed_in_order_however_it_is_sent() -> None:
    assert not code(GET.but(query=b"b=2&a=1").request())
    assert code(GET.but(query=b"b=2&a=1", canonical_query=b"b=2&a=1").request()) == "signature.mismatch"


@pytest.mark.parametrize(
    "query",
    [
        *(b"a=b+c", b"a=b c", b"a=%2f", b"a=%41", b"a=%7e", b"a=b/c", b"a=b:c", b"a=b=c", b"a", b"a&b=1", b"&a=1"),
        b"a=1&",
        *(b"a=1&&b=2", b"a=%", b"a=%2", b"a=%GG", "a=å".encode(), b"a=1;b=2", b"a[]=1", b"%61=1", b"a=\x00", b"?a=1"),
        b"&",
        *(b"a=!", b"a=*", b"a='", b"a=(1)", b"a=1#b"),
    ],
)
def test_a_query_that_clients_sign_differently_is_refused(query: bytes) -> None:
    request = GET.but(query=query).request()
    assert code(request) == "request.query"
    assert "RFC 3986" in message(request)


def test_a_parameter_comes_once() -> None:
    for query in (b"a=1&a=2", b"a=1&a=1", b"a=&b=1&a="):
        assert code(GET.but(query=query).request()) == "request.query"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "get"])
def test_only_get_takes_a_query(method: str) -> None:
    assert code(GET.but(method=method, query=b"a=1").request()) == "request.query"
    assert not code(GET.but(method=method).request())


@pytest.mark.parametrize(
    "name", [b"X-Amz-Signature", b"X-Amz-Credential", b"x-amz-date", b"X-AMZ-EXPIRES", b"X-Amz-New"]
)
def test_header_and_query_authentication_do_not_mix(name: bytes) -> None:
    assert code(GET.but(query=name + b"=1").request()) == "signature.both"
    assert code(DRAFT.but(query=name + b"=1").request()) == "signature.both"


def test_a_presigned_url_is_not_a_signature_in_the_header() -> None:
    url = botocore_presigned("GET", "https://api.example.com/v1/batches", ANNA)
    bare = received("GET", url, b"", [("host", "api.example.com")])
    assert code(bare) == "signature.missing"
    both = Received("GET", bare.path, bare.query, GET.request().headers, b"")
    assert code(both) == "signature.both"


# Whose signature it is


def test_an_unknown_key_and_a_wrong_signature_are_answered_alike() -> None:
    unknown = DRAFT.but(key=b"FD0NOBODY0HAS0THIS0KEY").request()
    wrong = DRAFT.but(secret=b"wrong").request()
    assert code(unknown) == code(wrong) == "signature.mismatch"
    assert message(unknown) == message(wrong)


def test_an_unknown_key_takes_the_same_computation() -> None:
    for draft in (DRAFT.but(secret=b"wrong"), DRAFT.but(key=b"FD0NOBODY0HAS0THIS0KEY")):
        with mock.patch("api.signature.hmac.compare_digest", side_effect=hmac.compare_digest) as compared:
            assert code(draft.request()) == "signature.mismatch"
        (computed, given), _ = compared.call_args
        assert len(computed) == len(given) == 32


def test_what_stands_in_for_an_unknown_key_opens_nothing() -> None:
    nobody = verifier()
    secret = nobody._nobody.secret
    assert len(secret) == 64
    assert secret != verifier()._nobody.secret
    for key in (b"FD0NOBODY0HAS0THIS0KEY", ANNA.id.encode()):
        assert code(DRAFT.but(key=key, secret=secret.encode()).request(), nobody) == "signature.mismatch"


def test_only_the_named_key_counts() -> None:
    """Whatever a store finds: one that ignores case must not make one key pass for another."""
    careless = verifier(find=lambda _: ANNA)
    assert not code(DRAFT.request(), careless)
    assert code(DRAFT.but(key=ANNA.id.lower().encode()).request(), careless) == "signature.mismatch"
    assert code(DRAFT.but(key=BERT.id.encode()).request(), careless) == "signature.mismatch"


def test_a_key_is_looked_up_once_and_by_its_whole_id() -> None:
    asked: list[str] = []
    assert code(DRAFT.request(), verifier(find=asked.append)) == "signature.mismatch"
    assert asked == [ANNA.id]


def test_derived_keys_are_kept_but_not_for_ever_nor_for_others() -> None:
    """A changed secret, another day and another service each have a key of their own."""
    known = {ANNA.id: ANNA}
    one, another = verifier(find=known.get), verifier(find=known.get, service="other")
    assert not code(DRAFT.request(), one)
    assert code(DRAFT.request(), another) == "signature.scope"
    renewed = Credential(ANNA.id, "another-secret", frozenset())
    known[ANNA.id] = renewed
    assert code(DRAFT.request(), one) == "signature.mismatch"
    assert one.verify(DRAFT.but(secret=b"another-secret").request()).credential == renewed
    del known[ANNA.id]
    assert code(DRAFT.but(secret=b"another-secret").request(), one) == "signature.mismatch"


def test_strangers_do_not_fill_the_memory() -> None:
    taking = verifier()
    with mock.patch.object(taking, "_key", wraps=taking._key) as derived:
        for number in range(100):
            code(DRAFT.but(key=b"FD0STRANGER0%08d" % number).request(), taking)
    assert derived.call_count == 100
    assert taking._key.cache_info().currsize == 1
    assert taking._key.cache_info().maxsize is not None


def test_a_store_that_fails_is_not_a_refusal() -> None:
    def fail(_: str) -> Credential:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        verifier(find=fail).verify(DRAFT.request())


def test_a_refusal_shows_nothing_that_was_computed() -> None:
    right = DRAFT.signature().decode()
    said = message(DRAFT.with_authorization(DRAFT.authorization().replace(DRAFT.signature(), b"0" * 64)))
    assert right not in said
    assert "api.example.com" not in said
    assert ANNA.secret not in said


def test_a_name_in_a_refusal_is_short_and_printable() -> None:
    name = b"x-amz-" + b"\xff" * 5000
    said = message(DRAFT.plus((name, b"1"), signed=DRAFT.names).request())
    assert said.isascii()
    assert len(said) < 400


# Real clients


def test_a_thousand_requests_of_botocore() -> None:
    random = Random(1123)
    words = [b"api", b"v1", b"records", b"batches", b"01K-a_b.c~d", b"uploads"]
    taking = verifier()
    for number in range(1000):
        path = "/" + "/".join(word.decode() for word in random.sample(words, random.randint(0, 4)))
        method = random.choice(["GET", "POST", "PUT", "DELETE"])
        body = random.randbytes(random.choice([0, 1, 63, 64, 65, 1000, 20_000])) if method != "GET" else b""
        query = random.choice(["", "?limit=10", "?cursor=a%2Fb%3D&limit=5", "?b=2&a=1&c="]) if method == "GET" else ""
        headers = {"User-Agent": "x", "X-Amz-Meta": "  a   b ", "Idempotency-Key": str(number), "Accept": "*/*"}
        some = {name: headers[name] for name in random.sample(list(headers), random.randint(0, 4))}
        if body:
            some["Content-Type"] = "application/json"
        at = NOW + timedelta(seconds=random.randint(-300, 300))
        credential = random.choice([ANNA, BERT])
        url = f"http://api.example.com:8080{path}{query}"
        signed = botocore_signed(method, url, body, credential, headers=some, at=at)
        found = taking.verify(received(method, url, body, signed))
        assert (found.credential, found.at) == (credential, at)


RECORDED = Credential("FDABCDEFGHIJKLMNOPQR", "wJalrXUtnFEMI/K7MDENG", frozenset())
CURL = [
    (
        *("POST", "/v1/records", b'{"a":1}', "content-type;host;x-amz-date", "20261123T152047Z"),
        *({"content-type": "application/json"}, "223a790390066e36bbe7b772364d68ee3c261548bc987f495a0bf4451502e690"),
    ),
    (
        *("POST", "/v1/records", b'{"a":1}', "content-type;host;idempotency-key;prefer;x-amz-date;x-amz-foo"),
        "20261123T152047Z",
        {"content-type": "application/json", "Idempotency-Key": "abc", "Prefer": "wait=10", "X-Amz-Foo": "a   b"},
        "b7bed9bf3c4e503332118851930e623491c0837642e4527f3eaaf3e9af4f9fca",
    ),
    (
        *("GET", "/v1/batches?limit=10", b"", "host;x-amz-date", "20261123T152048Z"),
        *({}, "3c47dbf995ce1b524d496092d28b2a4488df48df9d9f9247c6210ba046570a6a"),
    ),
    (
        *("GET", "/v1/batches?cursor=a%2Fb%3D", b"", "host;x-amz-date", "20261123T152048Z"),
        *({}, "c0101ef7c80ccdaf853ac66d8d70a1599f168da8175ae13697243845dd4dfae1"),
    ),
    (
        *("GET", "/v1/records/abc-DEF_1.2~3", b"", "host;x-amz-date", "20261123T152047Z"),
        *({}, "1982628b18a90190446fc30a9c9c0f9f6f6ef867f7beb35d1bf99ba2d50f42ab"),
    ),
]
"""What curl 7.88.1 sent to http://127.0.0.1:18777."""


@pytest.mark.parametrize(("method", "target", "body", "signed", "stamp", "headers", "signature"), CURL)
def test_what_curl_sent(
    method: str, target: str, body: bytes, signed: str, stamp: str, headers: dict[str, str], signature: str
) -> None:
    credential = f"{RECORDED.id}/{stamp[:8]}/eu-north-1/execute-api/aws4_request"
    claim = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={signed}, Signature={signature}"
    sent = [("Host", "127.0.0.1:18777"), ("Authorization", claim), ("X-Amz-Date", stamp), ("User-Agent", "curl/7.88.1")]
    request = received(method, f"http://127.0.0.1:18777{target}", body, [*sent, *headers.items()])
    at = datetime(2026, 11, 23, 15, 20, 50, tzinfo=UTC)
    assert verifier(RECORDED, at=at).verify(request).credential == RECORDED


def test_a_content_type_that_curl_adds_by_itself_is_not_signed() -> None:
    """curl signs the headers it was given; `-d` adds one later, which anyone on the way could change."""
    headers = (DRAFT.headers[0], DRAFT.headers[2])
    request = DRAFT.but(headers=headers).request()
    added = [*request.headers, (b"content-type", b"application/x-www-form-urlencoded")]
    assert code(Received("POST", DRAFT.path, b"", added, BODY)) == "signature.headers"


class Echo(BaseHTTPRequestHandler):
    """Answers with the code that a request is refused with."""

    verifier: Verifier

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        request = received(self.command, f"http://x{self.path}", body, self.headers.items())
        answer = (code(request, self.verifier) or "taken").encode()
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    Echo.verifier = Verifier("eu-north-1", "execute-api", {ANNA.id: ANNA}.get)
    with HTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.parametrize(
    "arguments",
    [
        ["-H", "content-type: application/json", "-d", '{"a": "å"}', "/v1/records"],
        [
            "-H",
            "content-type: application/json",
            "-H",
            "Idempotency-Key: abc",
            "-H",
            "Prefer: wait=10",
            "-d@-",
            "/v1/records",
        ],
        ["/v1/batches?cursor=a%2Fb&limit=10"],
        ["/v1/records/01K-a_b.c"],
    ],
)
def test_curl_as_it_is(address: str, arguments: list[str]) -> None:
    *more, target = arguments
    who = ["--aws-sigv4", "aws:amz:eu-north-1:execute-api", "--user", f"{ANNA.id}:{ANNA.secret}"]
    run = subprocess.run(["curl", "-sS", *who, *more, address + target], input=BODY, capture_output=True, check=False)
    assert (run.stderr, run.stdout) == (b"", b"taken")


# What other verifiers got wrong, each named after its public record


def test_cve_2025_31489_a_declared_unsigned_trailer_does_not_switch_the_check_off() -> None:
    """MinIO: any secret passed beside a known access key."""
    declared = b"STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    headers = ((b"content-encoding", b"aws-chunked"), (b"x-amz-trailer", b"x-amz-checksum-crc32"))
    draft = DRAFT.plus(*headers, (b"x-amz-content-sha256", declared), payload=declared)
    assert code(draft.but(secret=b"wrong").request()) == "signature.payload"
    assert code(draft.request()) == "signature.payload"


def test_cve_2026_41145_nobody_is_named_in_the_query() -> None:
    """MinIO: who signs in the header was taken from the query."""
    bert = f"{BERT.id}/20261123/eu-north-1/execute-api/aws4_request".replace("/", "%2F").encode()
    for draft in (GET, DRAFT):
        signed = draft.but(query=b"X-Amz-Credential=" + bert)
        assert code(signed.request()) == "signature.both"
        moved = Received(draft.method, draft.path, signed.query, draft.request().headers, draft.body)
        assert code(moved) == "signature.both"
    bare = Received("PUT", b"/v1/records", b"X-Amz-Credential=" + bert, list(DRAFT.headers), BODY)
    assert code(bare) == "signature.missing"


@pytest.mark.parametrize("kind", ["AWS4-HMAC-SHA256-TRAILER", "AWS", "Bearer", "Negotiate", "x", "AWS4-HMAC-SHA256,"])
def test_cve_2026_40344_an_authorization_of_a_new_kind_is_refused(kind: str) -> None:
    """MinIO: one handler's list of kinds had no default."""
    assert code(DRAFT.but(algorithm=kind.encode()).request()) == "signature.algorithm"
    assert code(DRAFT.with_authorization(kind.encode())) in {"signature.algorithm", "signature.malformed"}


@pytest.mark.parametrize(
    "declared", [b"STREAMING-UNSIGNED-PAYLOAD-TRAILER", b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", b"UNSIGNED-PAYLOAD"]
)
def test_seaweedfs_7912_and_7954_no_branch_ends_without_a_check(declared: bytes) -> None:
    """SeaweedFS: the branch for unsigned streams answered "no error"."""
    claimed = DRAFT.plus((b"x-amz-content-sha256", declared), payload=declared)
    for authorization in (b"", b"AWS4-HMAC-SHA256 ", claimed.but(secret=b"").authorization(), claimed.authorization()):
        assert code(claimed.with_authorization(authorization))
    assert code(Received("POST", DRAFT.path, b"", list(claimed.headers), BODY)) == "signature.missing"


@pytest.mark.parametrize(
    "extra", [b"x-amz-copy-source", b"x-amz-acl", b"x-amz-meta-a", b"x-amz-tagging", b"X-Amz-Website-Redirect-Location"]
)
def test_seaweedfs_9121_rustfs_xm99_and_g8w9_headers_cannot_be_added(extra: bytes) -> None:
    """SeaweedFS, RustFS: an unsigned x-amz- header changed what a request that was listened in on meant."""
    request = DRAFT.request()
    for position in range(len(request.headers) + 1):
        headers = list(request.headers)
        headers.insert(position, (extra, b"1"))
        assert code(Received("POST", DRAFT.path, b"", headers, BODY)) == "signature.headers"


def test_rustfs_3520_compares_in_constant_time_and_minds_the_clock() -> None:
    """s3s: it compared with == and never looked at the date."""
    with mock.patch("api.signature.hmac.compare_digest", return_value=False) as compared:
        assert code(DRAFT.request()) == "signature.mismatch"
    assert compared.call_count == 1
    assert code(DRAFT.request(), verifier(at=NOW + timedelta(days=1))) == "signature.clock"


@pytest.mark.parametrize("invented", [b"0" * 64, b"a" * 64, b"0123456789abcdef" * 4])
def test_floci_3573_a_known_key_is_not_enough(invented: bytes) -> None:
    """floci: an invented signature passed beside a known key."""
    request = DRAFT.with_authorization(DRAFT.authorization().replace(DRAFT.signature(), invented))
    assert code(request) == "signature.mismatch"


@pytest.mark.parametrize("key", [ANNA.id.lower(), f"{ANNA.id}0", ANNA.id[:-1], ANNA.id[:-1] + "2", f"{ANNA.id}_"])
def test_cve_2022_2385_an_access_key_id_is_exactly_itself(key: str) -> None:
    """aws-iam-authenticator: one identity could pass for another by how its id was written."""
    folding = verifier(find=lambda name: ANNA if name.upper().startswith(ANNA.id[:-1]) else None)
    assert code(DRAFT.but(key=key.encode()).request(), folding) == "signature.mismatch"
    repeated = DRAFT.with_authorization(
        DRAFT.authorization().replace(b"Credential=", b"Credential=" + key.encode() + b"/")
    )
    assert code(repeated, folding) == "signature.scope"


def test_cve_2020_16250_and_cve_2025_11621_a_request_to_another_service_proves_nothing() -> None:
    """Vault: a signed call to another service was taken for a login, and one account's role for another's."""
    login = DRAFT.but(
        scope=b"20261123/us-east-1/sts/aws4_request", headers=((b"host", b"sts.amazonaws.com"), *DRAFT.headers[1:])
    )
    assert code(login.request()) == "signature.scope"
    relabelled = login.authorization().replace(b"us-east-1/sts", b"eu-north-1/execute-api")
    assert code(login.with_authorization(relabelled)) == "signature.mismatch"

    twin = Credential(ANNA.id, BERT.secret, BERT.groups)  # the same id in another installation
    here, there = verifier(ANNA), verifier(twin)
    assert here.verify(DRAFT.request()).credential == ANNA
    assert code(DRAFT.request(), there) == "signature.mismatch"
    assert there.verify(DRAFT.but(secret=twin.secret.encode()).request()).credential == twin
    assert code(DRAFT.but(secret=twin.secret.encode()).request(), here) == "signature.mismatch"


def test_python_aws_sig_host_is_signed_and_no_value_is_picked_of_two() -> None:
    """python-aws-sig: it compared with !=, did not ask for host, and used the first of two values in the query."""
    assert code(DRAFT.but(signed=b"content-type;x-amz-date").request()) == "signature.headers"
    assert code(GET.but(query=b"a=1&a=2").request()) == "request.query"
    with mock.patch("api.signature.hmac.compare_digest", return_value=True):
        assert not code(DRAFT.but(secret=b"wrong").request())  # nothing else decides


def test_headers_are_read_as_a_server_gives_them() -> None:
    signed = botocore_signed("POST", "http://api.example.com/v1/records", BODY, ANNA, at=NOW)
    assert not code(Received("POST", b"/v1/records", b"", tuple(raw(signed)), BODY))
