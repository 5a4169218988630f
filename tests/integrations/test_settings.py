"""Settings: what fits, what is filled in, and how they move the limits."""

from __future__ import annotations

import re

import pytest

from integrations.catalog import CATALOG
from integrations.integration import ADDRESS, Setting
from integrations.settings import complete, known, limits, problem

WEBHOOK, MAILCHIMP, HUBSPOT = CATALOG["webhook"], CATALOG["mailchimp"], CATALOG["hubspot"]


def test_limits_without_settings_are_the_integrations_own() -> None:
    assert limits(MAILCHIMP, {}) == MAILCHIMP.limits
    assert limits(WEBHOOK, {}).records == 500


def test_limits_follow_the_settings() -> None:
    found = limits(WEBHOOK, {"batch_size": 7, "requests_per_second": 2.5, "in_flight": 3})
    assert (found.records, found.per_second, found.in_flight) == (7, 2.5, 3)
    assert found.bytes == WEBHOOK.limits.bytes


def test_a_batch_is_never_more_than_the_destination_takes() -> None:
    assert limits(HUBSPOT, {"batch_size": 100}).records == 100
    with pytest.raises(ValueError, match=r"`batch_size` is 101, but HubSpot takes 100 at most"):
        limits(HUBSPOT, {"batch_size": 101})


def test_defaults_are_filled_in_and_settings_win() -> None:
    assert complete(HUBSPOT, {}) == {"base_url": "https://api.hubapi.com"}
    assert complete(HUBSPOT, {"base_url": "http://here", "timeout": 5}) == {"base_url": "http://here", "timeout": 5}
    assert complete(WEBHOOK, {"url": "http://here"}) == {"url": "http://here", "batch_size": 500}


def test_what_must_be_given() -> None:
    assert [name for name, setting in known(MAILCHIMP).items() if setting.required] == ["list_id", "base_url"]
    assert not [name for name, setting in known(HUBSPOT).items() if setting.required]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("batch_size", 1, None),
        ("batch_size", 0, "must be more than 0"),
        ("batch_size", -1, "must be more than 0"),
        ("batch_size", 1.5, "must be a whole number"),
        ("batch_size", True, "must be a number"),
        ("batch_size", "10", "must be a number"),
        ("timeout", 0.5, None),
        ("timeout", 30, None),
        ("timeout", float("inf"), "must be more than 0"),
        ("timeout", float("nan"), "must be more than 0"),
        ("timeout", None, "must be a number"),
        ("list_id", "a1b2", None),
        ("list_id", 12345, "must be text"),
        ("list_id", "", "not empty"),
        ("list_id", "a/../b", "must match"),
        ("list_id", "a\n", "printable"),
    ],
)
def test_what_fits(name: str, value: object, reason: str | None) -> None:
    found = problem(known(MAILCHIMP)[name], value)
    assert (found is None) if reason is None else (found is not None and reason in found)


@pytest.mark.parametrize(
    ("address", "right"),
    [
        ("https://us21.api.mailchimp.com/3.0", True),
        ("http://127.0.0.1:8099/mailchimp", True),
        ("http://[::1]:80/x", True),
        ("https://hooks.example.com/a@b?c=d", True),
        ("https://user:password@example.com", False),
        ("https://example.com#x", False),
        ("ftp://example.com", False),
        ("example.com", False),
        ("https://", False),
        ("https:///path", False),
        ("https://exa mple.com", False),
        ("https://example.com\\@evil.example", False),
    ],
)
def test_addresses(address: str, right: bool) -> None:
    assert bool(re.fullmatch(ADDRESS, address)) is right
    assert (problem(Setting("url", "", matches=ADDRESS), address) is None) is right


def test_a_problem_never_quotes_the_value() -> None:
    for setting in (*WEBHOOK.credentials, *known(MAILCHIMP).values()):
        assert "s3cret" not in (problem(setting, "s3cret\n") or "")


@pytest.mark.parametrize(
    ("secret", "right"),
    [
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", True),
        ("whsec_c2FuZGJveC1rZXk=", True),
        ("whsec_c2FuZGJveC1rZXk", True),
        ("whsec_", False),
        ("whsec_a", False),
        ("whsec_abcde", False),
        ("whsec_!!!!", False),
        ("whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", False),
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", False),
    ],
)
def test_webhook_secrets(secret: str, right: bool) -> None:
    assert (problem(WEBHOOK.credentials[0], secret) is None) is right
