"""What we send, and the replies that we parse, against the vendors' own API descriptions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml
from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.templating.paths.exceptions import PathError
from openapi_core.testing import MockRequest, MockResponse
from support.examples import a_record, example, identity, request
from support.vendors import Vendor

from integrations.catalog import CATALOG
from integrations.errors import DeliveryError
from integrations.exchange import Reply
from integrations.integration import Integration
from integrations.reply import document
from integrations.request import Request


class Spec(NamedTuple):
    """A description: its file below `specs`, the server that stands in it, and what calls it does not know.

    A `vague` one does not know what a record has.
    """

    file: str
    server: str
    silent: tuple[str, ...] = ()
    vague: bool = False


SPECS = {
    "mailchimp": Spec("mailchimp/bulk.trimmed.json", "https://server.api.mailchimp.com/3.0"),
    "hubspot": Spec("hubspot/bulk.derived.yaml", "https://api.hubapi.com", ("/crm/v3/properties/contacts",)),
    "klaviyo": Spec("klaviyo/bulk.trimmed.json", "https://a.klaviyo.com"),
    "sendgrid": Spec(
        "sendgrid/bulk.trimmed.json",
        "https://api.sendgrid.com",
        ("/v3/marketing/field_definitions", "/errors/", "https://files.example/"),
    ),
    "activecampaign": Spec("activecampaign/bulk.derived.yaml", "https://acme.api-us1.com", ("/api/3/fields",)),
    "rule": Spec("rule/bulk.derived.yaml", "https://app.rule.io/api/v2", ("/tags",)),
    "getanewsletter": Spec("getanewsletter/bulk.derived.yaml", "https://api.getanewsletter.com/v3", ("/attributes/",)),
    "voyado": Spec("voyado/bulk.derived.yaml", "https://tenant.voyado.com", ("/api/v3/contacts/changes",), vague=True),
    "brevo": Spec("brevo/bulk.trimmed.yaml", "https://api.brevo.com/v3", ("/reports/", "/contacts/lists/")),
    "salesforce": Spec(
        "salesforce/bulk.derived.yaml",
        "https://acme.my.salesforce.com",
        ("/services/data/v60.0/sobjects/",),
        vague=True,
    ),
    "customerio": Spec("customerio/bulk.trimmed.json", "https://track.customer.io"),
}
DESCRIBED = pytest.mark.parametrize("integration", [CATALOG[name] for name in SPECS], ids=list(SPECS))


@cache
def api(path: Path) -> OpenAPI:
    return OpenAPI.from_dict(yaml.load(path.read_text("utf-8"), yaml.CSafeLoader))


@pytest.fixture
def described(shared: Path, integration: Integration) -> OpenAPI:
    return api(shared / "specs" / SPECS[integration.name].file)


def asked(sent: Request) -> MockRequest:
    parts = urlsplit(sent.url)
    headers = {name: value for name, value in sent.headers.items() if name != "content-type"}
    return MockRequest(
        f"{parts.scheme}://{parts.netloc}",
        sent.method.lower(),
        parts.path,
        args=dict(parse_qsl(parts.query)),
        headers=headers,
        data=sent.body or None,
        content_type=sent.headers.get("content-type", "application/json"),
    )


def answered(sent: Request, reply: Reply) -> MockResponse:
    content_type = sent.headers.get("accept", "application/json").replace("*/*", "application/json")
    if not reply.body:
        content_type = ""
    elif document(reply) is None:
        content_type = "text/csv"
    elif reply.headers.get("content-type", "application/json") != "application/json":
        content_type = reply.headers["content-type"]
    return MockResponse(reply.body, reply.status, content_type=content_type)


def vendor(integration: Integration, settings: Mapping[str, Any] = {}) -> Vendor:
    return Vendor(integration, settings, base=SPECS[integration.name].server)


def hold(described: OpenAPI, there: Vendor) -> int:
    """Hold all that was said against the description, and return how much of it that was."""
    spec, held = SPECS[there.integration.name], 0
    for sent, reply in there.talk:
        try:
            described.validate_request(asked(sent))
            described.validate_response(asked(sent), answered(sent, reply))
        except PathError:
            path = sent.url.removeprefix(spec.server).partition("?")[0]
            assert path.startswith(spec.silent) if spec.silent else False, f"{sent.method} {path} is not described"
        else:
            held += 1
    return held


@pytest.mark.parametrize("domain", ["example.com", "rejected.example", "unsubscribed.example", "conflict.example"])
@DESCRIBED
def test_what_is_said_all_the_way(integration: Integration, domain: str, described: OpenAPI) -> None:
    there = vendor(integration)
    ask = integration.names or integration.prepare
    if ask is not None:
        there.play(ask(there.connection, list(integration.example.mapping)))
    try:
        there.deliver([a_record(integration, f"{name}@{domain}") for name in ("asa", "bo")])
    except DeliveryError:
        assert domain != "example.com"
    assert hold(described, there) > 0


@DESCRIBED
def test_a_request_with_every_field(integration: Integration, described: OpenAPI) -> None:
    values: dict[str, Any] = {
        "integer": 5, "number": 59.3, "boolean": True, "list": ["a", "b"], "datetime": "2026-11-23T02:00:00Z",
        "date": "2026-11-23",
    }  # fmt: skip
    wild = {"location.*": "location.latitude", "*": "firstname"}
    record: dict[str, Any] = {}
    for field in integration.fields:
        if field.name not in integration.identity:
            name = wild.get(field.name, field.name.replace("*", "SOMETHING"))
            record[name] = _WORDS.get(field.name, values.get(field.type, "text"))
    there = vendor(integration)
    names = there.play(integration.names(there.connection, list(record))) if integration.names else {}
    there.deliver([a_record(integration, called=names, **record)])
    assert hold(described, there) > 0


_WORDS = {"status": "subscribed"}


@DESCRIBED
def test_the_example_and_its_answers(integration: Integration, described: OpenAPI) -> None:
    there = vendor(integration)
    one = integration.example
    if integration.job is None or integration.job.submit is None:
        made = request(integration, example(integration), there.connection)
        described.validate_request(asked(made))
        described.validate_response(asked(made), answered(made, one.reply))
    for exchange in one.then:
        method, path = exchange.call.split(" ")
        own = dict(request(integration, [], there.connection).headers)
        made = Request(method, there.base + path, own, exchange.body.encode())
        try:
            described.validate_response(asked(made), answered(made, exchange.reply))
        except PathError:
            assert path.startswith(SPECS[integration.name].silent), f"{exchange.call} is not described"


@DESCRIBED
def test_a_wrong_request_is_noticed(integration: Integration, described: OpenAPI) -> None:
    """A description that lets anything pass would prove nothing."""
    good = request(integration, example(integration), vendor(integration).connection)
    name = identity(integration, example(integration)[0])
    wrong = b"[5]" if SPECS[integration.name].vague else good.body.replace(f'"{name}"'.encode(), b"5")
    assert wrong != good.body
    with pytest.raises(OpenAPIError):
        described.validate_request(asked(Request(good.method, good.url, good.headers, wrong)))


@DESCRIBED
def test_a_request_without_credentials_is_noticed(integration: Integration, described: OpenAPI) -> None:
    sent = request(integration, example(integration), vendor(integration).connection)
    bare = Request(sent.method, sent.url, {"content-type": sent.headers["content-type"]}, sent.body)
    with pytest.raises(OpenAPIError):
        described.validate_request(asked(bare))


@pytest.mark.parametrize("integration", CATALOG.values(), ids=list(CATALOG))
def test_the_limits(integration: Integration, shared: Path) -> None:
    written = json.loads((shared / "specs" / "limits.json").read_text()).get(integration.name)
    if written is None:
        pytest.skip("nobody has written its limits down")
    own, rate = integration.limits, written.get("rate", {})
    assert own.records == written.get("max_items", own.records)
    assert own.bytes <= written.get("max_bytes", own.bytes)
    assert (own.item_bytes or 0) <= written.get("max_item_bytes", own.bytes)
    assert own.in_flight <= written.get("max_concurrent", 1000)
    assert own.per_second <= rate.get("per_second", 1000)
    for name in ("per_minute", "per_hour"):
        assert name not in rate or (getattr(own, name) or 1e9) <= rate[name] or own.per_second * 60 <= rate[name]


def test_webhook_headers_are_those_of_the_standard(shared: Path) -> None:
    standard = (shared / "specs" / "standard-webhooks" / "standard-webhooks.md").read_text("utf-8")
    sent = request(CATALOG["webhook"], [])
    ours = [name for name in sent.headers if name.startswith("webhook-")]
    assert len(ours) == 3
    assert all(f"- `{name}`:" in standard for name in ours)
