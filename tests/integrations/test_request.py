"""Requests: address, headers, body, and what stops one from being made."""

from __future__ import annotations

import json
import time
from base64 import b64decode

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from support.examples import request, sample

from integrations.catalog import CATALOG
from integrations.errors import Unauthorized
from integrations.exchange import Attempt, Connection
from integrations.request import build

ITEM = '{"email":"åsa@example.com"}'


@pytest.mark.parametrize(
    ("name", "settings", "url"),
    [
        ("mailchimp", {"base_url": "https://x.example/3.0"}, "https://x.example/3.0/lists/a1b2c3d4e5"),
        ("mailchimp", {"base_url": "https://x.example/3.0/"}, "https://x.example/3.0/lists/a1b2c3d4e5"),
        ("mailchimp", {"base_url": "http://127.0.0.1:1", "list_id": "a-b_c"}, "http://127.0.0.1:1/lists/a-b_c"),
        ("hubspot", {}, "https://api.hubapi.com/crm/v3/objects/contacts/batch/upsert"),
        ("webhook", {"url": "https://x.example/hook/"}, "https://x.example/hook/"),
        ("webhook", {"url": "https://x.example/hook?a=b%2Fc"}, "https://x.example/hook?a=b%2Fc"),
    ],
)
def test_addresses(name: str, settings: dict[str, str], url: str) -> None:
    assert request(CATALOG[name], [], sample(CATALOG[name], **settings)).url == url


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("mailchimp", {"list_id": "../../other"}),
        ("mailchimp", {"list_id": 5}),
        ("mailchimp", {"base_url": "https://key:secret@x.example"}),
        ("webhook", {"url": "file:///etc/passwd"}),
        ("hubspot", {"base_url": ""}),
    ],
)
def test_settings_that_make_no_address_stop_the_integration(name: str, settings: dict[str, object]) -> None:
    with pytest.raises(Unauthorized) as error:
        request(CATALOG[name], [], sample(CATALOG[name], **settings))
    assert error.value.code == "address.refused"
    assert next(iter(settings)) in error.value.message


@pytest.mark.parametrize("token", ["", "two\nlines", "tab\t", "smörgås"])
def test_credentials_that_no_header_can_carry_stop_the_integration(token: str) -> None:
    with pytest.raises(Unauthorized) as error:
        request(CATALOG["hubspot"], [], Connection({}, {"access_token": token}))
    assert error.value.code == "auth.refused"
    assert token not in error.value.message or not token


def test_a_missing_credential_stops_the_integration() -> None:
    with pytest.raises(Unauthorized, match="`access_token`"):
        request(CATALOG["hubspot"], [], Connection({}, {}))


def test_a_request_says_that_it_is_json_in_utf8() -> None:
    made = build(CATALOG["webhook"], sample(CATALOG["webhook"]), f"{ITEM},{ITEM}".encode(), "key", 1)
    assert made.method == "POST"
    assert made.headers["content-type"] == "application/json"
    assert made.body == f'{{"records":[{ITEM},{ITEM}]}}'.encode()
    assert json.loads(made.body)["records"][0]["email"] == "åsa@example.com"


def test_mailchimp_takes_the_key_as_the_password() -> None:
    scheme, pair = request(CATALOG["mailchimp"], []).headers["authorization"].split()
    assert scheme == "Basic"
    assert b64decode(pair).decode().partition(":")[2] == "sandbox-us21"


def test_hubspot_takes_a_bearer_token() -> None:
    assert request(CATALOG["hubspot"], []).headers["authorization"] == "Bearer sandbox-token"


@pytest.mark.parametrize("secret", ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2FuZGJveC1rZXk"])
def test_webhooks_verify_with_the_standards_own_library(secret: str) -> None:
    connection = Connection(sample(CATALOG["webhook"]).settings, {"secret": secret})
    made = build(CATALOG["webhook"], connection, ITEM.encode(), "chunk-7", int(time.time()))
    assert made.headers["webhook-id"] == "chunk-7"
    assert Webhook(secret).verify(made.body, dict(made.headers)) == {"records": [json.loads(ITEM)]}
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(made.body + b" ", dict(made.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(made.body, {**made.headers, "webhook-id": "chunk-8"})


def test_the_signature_of_the_standards_example() -> None:
    """The worked example of the standard's reference libraries."""
    body = '{"test": 2432232314}'
    headers = CATALOG["webhook"].headers(
        Connection({}, {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}),
        Attempt("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body.encode()),
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
