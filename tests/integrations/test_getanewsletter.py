"""Get a Newsletter: an empty 202 is a yes to the request; texts in it are a no, though the status says otherwise."""

from __future__ import annotations

import json

import pytest
from support.examples import a_record, request
from support.vendors import Vendor, exchanges

from integrations.catalog import CATALOG
from integrations.errors import Ambiguous, Refused, Retryable, Unauthorized
from integrations.exchange import JSON, Connection, Reply, Sent
from integrations.reply import judge

GAN = CATALOG["getanewsletter"]
SENT = Sent(3, ("a@example.com", "b@example.com", "c@example.com"))


def answer(document: JSON, status: int = 202) -> Reply:
    return Reply.of(document, status)


@pytest.mark.parametrize(
    "reply", [Reply(202), Reply(202, {}, b" \n"), answer({}), answer([]), answer(None), answer({"items": []})]
)
def test_received(reply: Reply) -> None:
    assert GAN.answers == "the request"
    assert judge(GAN, reply, SENT) == ()


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["Invalid list id(s): NW3T9uQs4FJwckm."], r"^refused: Invalid list id\(s\): NW3T9uQs4FJwckm\.$"),
        (["Invalid list id(s): x.", "b@example.com is no address"], r"x\.; \(address\) is no address$"),
    ],
)
def test_refused_in_a_202(texts: list[str], said: str) -> None:
    with pytest.raises(Refused, match=said):
        judge(GAN, answer({"items": texts}), SENT)


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply(200), id="an empty body with another status"),
        pytest.param(answer({}, 200), id="an empty object with another status"),
        pytest.param(answer({"items": "Invalid list"}), id="a text"),
        pytest.param(answer({"items": [5]}), id="a number"),
        pytest.param(answer({"items": None}), id="null"),
        pytest.param(answer({"errors": ["Invalid list"]}), id="another name"),
        pytest.param(answer(["Invalid list"]), id="a list"),
        pytest.param(answer("Accepted"), id="a word"),
        pytest.param(Reply(202, {}, b"<html>Log in</html>"), id="a page"),
    ],
)
def test_anything_else_is_ambiguous(reply: Reply) -> None:
    with pytest.raises(Ambiguous):
        judge(GAN, reply, SENT)


@pytest.mark.parametrize(
    ("status", "expected"), [(400, Refused), (413, Refused), (401, Unauthorized), (404, Unauthorized), (502, Retryable)]
)
def test_other_statuses(status: int, expected: type[Exception]) -> None:
    with pytest.raises(expected):
        judge(GAN, answer({"detail": "No"}, status), SENT)


def test_too_fast() -> None:
    with pytest.raises(Retryable) as error:
        judge(GAN, Reply(429, {"retry-after": "43"}, b'{"detail": "Wait 43 seconds"}'), SENT)
    assert (error.value.slow_down, error.value.retry_after) == (True, 43)


def test_contacts_are_updated_and_never_overwritten() -> None:
    made = request(GAN, [a_record(GAN)])
    assert json.loads(made.body) == {"mode": 2, "items": [{"email": "asa@example.com"}]}
    assert made.headers["authorization"] == "Token sandbox-token"


def test_lists_are_consent_and_add_up() -> None:
    lists = GAN.field("lists")
    assert lists is not None
    assert (lists.consent, lists.adds) == (True, True)


def page(code: str, following: str | None) -> Reply:
    return Reply.of({"count": 2, "next": following, "results": [{"code": code, "name": "A name"}]})


def prepared(*fields: str) -> None:
    assert GAN.prepare is not None
    settings = {"base_url": "https://vendor.example"}
    pages = [
        ("GET /attributes/", page("city", "https://vendor.example/attributes/?page=2")),
        ("GET /attributes/?page=2", page("company", None)),
    ]
    exchanges(GAN, GAN.prepare(Connection(settings, GAN.sample.credentials), fields), pages)


def test_attributes_are_sought_on_every_page() -> None:
    prepared("email", "attributes.company", "attributes.city")
    with pytest.raises(Unauthorized, match=r"fields\.unknown: .*no attribute compny .*did you mean company"):
        prepared("email", "attributes.compny")


def test_one_wrong_address_refuses_the_request() -> None:
    vendor = Vendor(GAN)
    with pytest.raises(Refused, match=r"\(address\)"):
        vendor.deliver([a_record(GAN), a_record(GAN, "bo@rejected.example")])
    assert vendor.journalled() == []
