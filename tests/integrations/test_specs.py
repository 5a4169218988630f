"""What we send, and the replies that we parse, against the vendors' own API descriptions."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse
from support.examples import items, request, sample

from integrations.catalog import CATALOG
from integrations.exchange import JSON, Reply
from integrations.integration import Integration
from integrations.request import Request
from integrations.sandbox.standin import refuse


class Spec(NamedTuple):
    file: str
    server: str
    limit: int


SPECS = {
    "mailchimp": Spec("mailchimp/bulk.trimmed.json", "https://server.api.mailchimp.com/3.0", 500),
    "hubspot": Spec("hubspot/bulk.derived.yaml", "https://api.hubapi.com", 100),
}
DESCRIBED = pytest.mark.parametrize("integration", [CATALOG[name] for name in SPECS], ids=list(SPECS))


@cache
def api(path: Path) -> OpenAPI:
    return OpenAPI.from_dict(yaml.load(path.read_text("utf-8"), yaml.CSafeLoader))


@pytest.fixture
def described(shared: Path, integration: Integration) -> OpenAPI:
    return api(shared / "specs" / SPECS[integration.name].file)


def made(integration: Integration, built: list[JSON]) -> Request:
    return request(integration, built, sample(integration, base_url=SPECS[integration.name].server))


def asked(integration: Integration, sent: Request) -> MockRequest:
    server = SPECS[integration.name].server
    host = "/".join(server.split("/")[:3])
    return MockRequest(host, sent.method, sent.url.removeprefix(host), headers=dict(sent.headers), data=sent.body)


def answered(reply: Reply) -> MockResponse:
    return MockResponse(reply.body, reply.status)


def example(integration: Integration) -> list[JSON]:
    return items(integration, integration.example.records, integration.example.mapping)


@DESCRIBED
def test_the_example_request(integration: Integration, described: OpenAPI) -> None:
    described.validate_request(asked(integration, made(integration, example(integration))))


@DESCRIBED
def test_a_request_with_every_field(integration: Integration, described: OpenAPI) -> None:
    values = {"integer": 5, "number": 59.3, "boolean": True, "list": ["a", "b"], "datetime": "2026-11-23T02:00:00Z"}
    record = {field.name: values.get(field.type, "text") for field in integration.fields}
    wild = {"merge_fields.*": "merge_fields.FNAME", "interests.*": "interests.a1", "location.*": "location.latitude"}
    mapping = {wild.get(name, "firstname" if name == "*" else name): name for name in record}
    record |= {"email": "asa@example.com", "email_address": "asa@example.com", "status": "subscribed"}
    built = items(integration, [record], mapping)
    described.validate_request(asked(integration, made(integration, built)))


@DESCRIBED
def test_a_wrong_request_is_noticed(integration: Integration, described: OpenAPI) -> None:
    """A description that lets anything pass would prove nothing."""
    wrong = json.loads(json.dumps(example(integration)))
    fields = wrong[0]["properties"] if integration.item.under else wrong[0]
    fields[integration.identity] = 5
    with pytest.raises(OpenAPIError):
        described.validate_request(asked(integration, made(integration, wrong)))


@DESCRIBED
def test_a_request_without_credentials_is_noticed(integration: Integration, described: OpenAPI) -> None:
    sent = made(integration, example(integration))
    bare = Request(sent.method, sent.url, {"content-type": "application/json"}, sent.body)
    with pytest.raises(OpenAPIError):
        described.validate_request(asked(integration, bare))


@DESCRIBED
def test_the_example_answer(integration: Integration, described: OpenAPI) -> None:
    described.validate_response(asked(integration, made(integration, [])), answered(integration.example.reply))


@pytest.mark.parametrize("domain", ["example.com", "rejected.example", "conflict.example"])
@DESCRIBED
def test_the_stand_ins_answers(integration: Integration, domain: str, described: OpenAPI) -> None:
    text = integration.example.body.replace("rejected.example", domain)
    played = integration.play(json.loads(text), refuse)
    described.validate_response(asked(integration, made(integration, [])), answered(played.reply))


@DESCRIBED
def test_the_limit_of_records(integration: Integration, shared: Path) -> None:
    limits = json.loads((shared / "specs" / "limits.json").read_text())[integration.name]
    assert integration.limits.records == limits["max_items"] == SPECS[integration.name].limit
    assert integration.limits.in_flight <= limits.get("max_concurrent", 1000)


def test_webhook_headers_are_those_of_the_standard(shared: Path) -> None:
    standard = (shared / "specs" / "standard-webhooks" / "standard-webhooks.md").read_text("utf-8")
    sent = request(CATALOG["webhook"], [])
    ours = [name for name in sent.headers if name.startswith("webhook-")]
    assert len(ours) == 3
    assert all(f"- `{name}`:" in standard for name in ours)
