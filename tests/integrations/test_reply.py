"""What statuses, waiting times and words mean, whoever the destination is."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.catalog import CATALOG
from integrations.errors import Ambiguous, DeliveryError, Refused, Retryable, Unauthorized
from integrations.exchange import Reply, Sent, Verdict
from integrations.integration import Integration
from integrations.reply import judge, kind, tidy, whole
from integrations.waiting import retry_after

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
ALL = pytest.mark.parametrize("integration", CATALOG.values(), ids=list(CATALOG))

STATUSES = [
    *((status, Unauthorized, "address.refused") for status in (300, 301, 302, 303, 304, 307, 308, 404, 405, 410)),
    *((status, Unauthorized, "auth.refused") for status in (401, 403)),
    *((status, Retryable, "slow_down") for status in (408, 425, 429)),
    *((status, Retryable, "unavailable") for status in (500, 501, 502, 503, 504, 507, 520, 599)),
    *((status, Refused, "refused") for status in (400, 402, 406, 409, 411, 413, 414, 415, 422, 451, 499)),
    *((status, Ambiguous, "bad_answer") for status in (0, 100, 101, 199, 600, 999)),
]


def meaning(reply: Reply, integration: Integration = CATALOG["webhook"]) -> DeliveryError:
    with pytest.raises(DeliveryError) as error:
        judge(integration, reply, Sent(1, ("a@example.com",)))
    return error.value


@ALL
@pytest.mark.parametrize(("status", "error", "code"), STATUSES)
def test_statuses(integration: Integration, status: int, error: type[DeliveryError], code: str) -> None:
    found = meaning(Reply.of({"message": "Because"}, status), integration)
    assert type(found) is error
    assert found.code == code
    assert found.message == f"HTTP {status}: Because"


@pytest.mark.parametrize(("status", "maybe"), [(500, True), (502, True), (504, True), (503, False), (429, False)])
def test_an_error_of_the_destination_may_have_come_after_it_stored(status: int, maybe: bool) -> None:
    error = meaning(Reply(status))
    assert isinstance(error, Retryable)
    assert error.maybe_taken is maybe
    assert error.slow_down is (status == 429)


@pytest.mark.parametrize("status", [429, 503, 500])
def test_the_wait_that_is_asked_for_is_passed_on(status: int) -> None:
    error = meaning(Reply(status, {"retry-after": "7"}))
    assert isinstance(error, Retryable)
    assert error.retry_after == 7


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("0", 0),
        ("2", 2),
        (" 120 ", 120),
        ("1.5", 1.5),
        ("999999", 999_999),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30),
        ("Monday, 23-Nov-26 12:00:30 GMT", 30),
        ("Mon Nov 23 12:00:30 2026", 30),
        ("Mon, 23 Nov 2026 11:59:00 GMT", 0),
        ("Mon, 23 Nov 2026 14:00:30 +0200", 30),
        ("", None),
        ("-1", None),
        ("2abc", None),
        ("1e3", None),
        ("inf", None),
        ("nan", None),
        ("٣", None),
        ("soon", None),
        ("Mon", None),
        ("Mon, 99 Nov 2026 12:00:30 GMT", None),
        ("2026-11-23 13:00:30", None),
        ("9999999999999999", None),
    ],
)
def test_retry_after(given: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": given}, NOW) == seconds


def test_no_retry_after() -> None:
    assert retry_after({}, NOW) is None


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}.{0,30}"))
def test_retry_after_takes_anything(text: str) -> None:
    seconds = retry_after({"retry-after": text}, NOW)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "an empty body"),
        (b"  \n", "an empty body"),
        (b"<!doctype html><p>Oops", "an HTML or XML page"),
        (b"{}", "JSON"),
        (b'{"broken', "text that is not JSON"),
        (b"no such list", "no such list"),
        (b'{"title": "Invalid Resource", "status": 400, "detail": "The list is gone"}', "The list is gone"),
        (b'{"detail": {"a": 1}, "message": "Property x does not exist"}', "Property x does not exist"),
        (b'{"error": "invalid_request"}', "invalid_request"),
        (b'{"error": {"code": "x", "message": "Nested"}}', "Nested"),
        (b'{"error": {"code": "x"}, "title": " "}', "JSON"),
        (b'[{"message": "In a list"}]', "In a list"),
        (b'["In a list"]', "JSON"),
        (b"caf\xe9", "caf\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_the_words_of_a_refusal(body: bytes, words: str) -> None:
    assert meaning(Reply(400, {}, body)).message == f"HTTP 400: {words}"


@pytest.mark.parametrize(
    ("text", "tidied"),
    [
        ("plain", "plain"),
        ("  two\r\n\tlines\x00\x1b[31m ", "two lines [31m"),
        ("\u202egpj.exe\u2066", "gpj.exe"),
        ("no-break\u00a0space", "no-break space"),
        ("asa.lind+x@example.com looks fake", "(address) looks fake"),
        ("Contact 'Åsa@exämple.se' and <bo@example.com>, too", "Contact '(address)' and <(address)>, too"),
        ("a @ b", "a @ b"),
        ("a@b@c.example", "(address)@c.example"),
        ("x" * 500, "x" * 300),
        ("\ud800 half", "half"),
    ],
)
def test_words_are_tidied(text: str, tidied: str) -> None:
    assert tidy(text) == tidied


@given(st.text(max_size=2000))
def test_tidy_text_is_one_short_printable_line(text: str) -> None:
    tidied = tidy(text)
    assert len(tidied) <= 300
    assert tidied.isprintable()


@pytest.mark.timeout(2)
def test_long_words_are_tidied_in_no_time() -> None:
    for _ in range(500):
        tidy("x" * 1_000_000)


def test_kinds_of_body() -> None:
    assert kind(Reply(200, {}, b" <?xml version='1.0'?>")) == "an HTML or XML page"
    assert kind(Reply(200, {}, b'"text"')) == "JSON"


def test_an_unreadable_answer_says_what_came_and_quotes_none_of_it() -> None:
    error = meaning(Reply(200, {}, b"<html>asa@example.com</html>"))
    assert error.message == "HTTP 200 with an HTML or XML page, which is not the answer that Webhook documents"


def test_verdicts_are_tidied() -> None:
    errors = [{"index": 1, "code": "Bad Thing/É!", "message": "x\ny"}, {"index": 0}]
    found = judge(CATALOG["webhook"], Reply.of({"errors": errors}), Sent(2))
    assert found == (Verdict(1, "bad_thing", "x y"), Verdict(0, "", ""))


@pytest.mark.parametrize("wrong", [{"code": 5}, {"message": None}, {"code": ["x"]}, {"message": {"a": 1}}])
def test_words_that_are_not_text_make_the_answer_ambiguous(wrong: object) -> None:
    assert isinstance(wrong, dict)
    with pytest.raises(Ambiguous):
        judge(CATALOG["webhook"], Reply.of({"errors": [{"index": 0} | wrong]}), Sent(2))


@pytest.mark.parametrize("wrong", [-1, True, "1", 1.0, None, []])
def test_counts_are_whole_numbers(wrong: object) -> None:
    with pytest.raises(Ambiguous):
        whole(wrong)
    assert whole(0) == 0


def test_identities_that_stand_twice_have_no_place() -> None:
    assert Sent(3, ("a", "b", "a")).places() == {"b": 1}


def test_a_reply_keeps_its_document() -> None:
    assert json.loads(Reply.of({"å": [1]}).body) == Reply.of({"å": [1]}).json() == {"å": [1]}
