"""Requests: what leaves for a destination."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from integrations.errors import Unauthorized
from integrations.integration import Attempt, Connection, Integration, Setting
from integrations.settings import complete, problem

_COMMON_HEADERS = {"content-type": "application/json", "accept": "application/json", "user-agent": "flatdrop"}


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request as it is sent; its headers hold credentials, so they have no place in a log."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def build(integration: Integration, connection: Connection, items: bytes, key: str, timestamp: int) -> Request:
    """Return the request for items (JSON texts joined by commas).

    Args:
        integration: the destination.
        connection: its settings and credentials, resolved.
        items: the records as JSON texts in UTF-8, joined by commas.
        key: the idempotency key, the same for every attempt.
        timestamp: the time of this attempt in whole Unix seconds.

    Raises:
        Unauthorized: when the settings or credentials cannot make a request.
    """
    _expect(integration.settings, complete(integration, connection.settings), "address.refused", "setting")
    _expect(integration.credentials, connection.credentials, "auth.refused", "credential")
    before, _, after = integration.envelope.partition("ITEMS")
    body = b"".join((before.encode(), items, after.encode()))
    headers = {**_COMMON_HEADERS, **integration.headers(connection, Attempt(key, timestamp, body))}
    return Request(integration.method, _address(integration, connection), headers, body)


def _expect(wanted: Iterable[Setting], given: Mapping[str, object], code: str, what: str) -> None:
    for setting in wanted:
        wrong = problem(setting, given.get(setting.name)) if setting.required or setting.name in given else None
        if wrong:
            raise Unauthorized(code, f"The {what} `{setting.name}` {wrong}")


def _address(integration: Integration, connection: Connection) -> str:
    settings = complete(integration, connection.settings)

    def fill(found: re.Match[str]) -> str:
        value = str(settings[found[1]])
        if found.start() > 0:
            return quote(value, safe="")
        return value.rstrip("/") if found.end() < len(integration.url) else value

    return re.sub(r"\{(\w+)\}", fill, integration.url)
