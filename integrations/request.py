"""Requests: what leaves for a destination."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from integrations.errors import Unauthorized
from integrations.exchange import Attempt, Connection
from integrations.integration import Integration, Setting
from integrations.settings import complete, problem
from integrations.steps import Call

_COMMON_HEADERS = {"accept": "application/json", "user-agent": "flatdrop"}


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request as it is sent; its headers hold credentials, so they have no place in a log."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    foreign: bool = False
    """Whether the destination gave an address of another host's, to be asked as it is and without our credentials."""


def build(
    integration: Integration, connection: Connection, items: bytes, key: str, timestamp: int, *, shared: bytes = b"null"
) -> Request:
    """Return the request for items (JSON texts joined by commas).

    Args:
        integration: the destination.
        connection: its settings and credentials, resolved.
        items: the records as JSON texts in UTF-8, joined by commas.
        key: the idempotency key, the same for every attempt.
        timestamp: the time of this attempt in whole Unix seconds.
        shared: the JSON text of the field that all records have in common, where the destination has such a field.

    Raises:
        Unauthorized: when the settings or credentials cannot make a request.
    """
    _expect_all(integration, connection)
    before, after = (_common(part, shared) for part in around(integration, connection.settings))
    body = b"".join((before, integration.stamp(items, key), after))
    whole = Call(integration.method, integration.url, body=body, content_type=integration.content_type)
    return _request(integration, connection, whole, key, timestamp)


def around(integration: Integration, settings: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Return what stands before and after the items of a request's body."""
    envelope = integration.envelope
    text = envelope if isinstance(envelope, str) else envelope(complete(integration, settings))
    before, _, after = text.partition("ITEMS")
    return before.encode(), after.encode()


def _common(part: bytes, shared: bytes) -> bytes:
    """Put in what the records have in common; where that is nothing, leave out its member, for null may be refused."""
    if shared == b"null":
        part = re.sub(rb',"\w+":SHARED|"\w+":SHARED,', b"", part)
    return part.replace(b"SHARED", shared)


def call(integration: Integration, connection: Connection, asked: Call, timestamp: int) -> Request:
    """Return the request for a call.

    Raises:
        Unauthorized: when the settings or credentials cannot make a request.
    """
    _expect_all(integration, connection)
    return _request(integration, connection, asked, "", timestamp)


def base(integration: Integration, connection: Connection) -> str:
    """Return the address that all calls begin with."""
    name = integration.url[1 : integration.url.index("}")]
    return str(complete(integration, connection.settings)[name]).rstrip("/")


def _request(integration: Integration, connection: Connection, asked: Call, key: str, timestamp: int) -> Request:
    url = _address(integration, connection, asked)
    common = _COMMON_HEADERS | ({"content-type": asked.content_type} if asked.body else {})
    own = integration.headers(connection, Attempt(key, timestamp, asked.body))
    ours = _origin(url) == _origin(base(integration, connection))
    return Request(asked.method, url, {**common, **own} if ours else common, asked.body, foreign=not ours)


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _expect_all(integration: Integration, connection: Connection) -> None:
    _expect(integration.settings, complete(integration, connection.settings), "address.refused", "setting")
    _expect(integration.credentials, connection.credentials, "auth.refused", "credential")


def _expect(wanted: Iterable[Setting], given: Mapping[str, object], code: str, what: str) -> None:
    for setting in wanted:
        wrong = problem(setting, given.get(setting.name)) if setting.required or setting.name in given else None
        if wrong:
            raise Unauthorized(code, f"The {what} `{setting.name}` {wrong}")


def _address(integration: Integration, connection: Connection, asked: Call) -> str:
    known = {**complete(integration, connection.settings), **asked.values}

    def fill(found: re.Match[str]) -> str:
        return quote(str(known[found[1]]), safe="")

    if asked.path.startswith(("https://", "http://")):
        return asked.path
    first, below = _split(integration, asked.path)
    whole = str(known[first])  # alone it is an address as it was given; what follows begins with a slash
    return (whole.rstrip("/") if below else whole) + re.sub(r"\{(\w+)\}", fill, below)


def _split(integration: Integration, path: str) -> tuple[str, str]:
    """Return the setting that is the address, and what stands below it."""
    name = integration.url[1 : integration.url.index("}")]
    return name, path.removeprefix(f"{{{name}}}")
