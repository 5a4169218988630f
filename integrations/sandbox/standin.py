"""A stand-in: one integration's API as the sandbox plays it."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import unquote

from integrations.exchange import JSON, Attempt, Connection, Reply
from integrations.integration import Integration
from integrations.playing import Asked, Desk, Unknown, no
from integrations.request import around
from integrations.sandbox.contacts import absorb
from integrations.sandbox.journal import Journal

_KEYS = ("webhook-id", "idempotency-key")
"""Headers in which a request may carry its idempotency key."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it came: the raw path below the stand-in's own, headers with lower-case names, the body.

    `base` is the stand-in's own address.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, str] = field(default_factory=dict)
    base: str = ""

    @property
    def key(self) -> str | None:
        """The request's idempotency key, if it has one."""
        return next((self.headers[name] for name in _KEYS if name in self.headers), None)


@dataclass(frozen=True, slots=True)
class StandIn:
    """Answers for one integration; `credentials` are the ones it takes, any well-formed ones if None."""

    integration: Integration
    credentials: Mapping[str, str] | None
    journal: Journal
    desk: Desk = field(default_factory=Desk)

    def __post_init__(self) -> None:
        self.desk.absorb, self.desk.under = partial(absorb, self.integration), self.integration.item.under

    def answer(self, call: Call) -> Reply:
        """Return the reply to a request, once what it takes is in the journal."""
        matches = {
            route: values for route in self.integration.play if (values := _values(route, call.path)) is not None
        }
        route = next((route for route in matches if route.startswith(f"{call.method} ")), None)
        refusal = self._refusal(call, matches, route)
        if refusal or route is None:
            return refusal or no(404, f"{self.integration.title} has nothing at this address")
        return self._played(route, call, Asked(matches[route], call.query, call.body, call.base))

    def _played(self, route: str, call: Call, asked: Asked) -> Reply:
        self.desk.taken.clear()
        try:
            too_many = self._too_many(asked) if route == main_route(self.integration) else None
            reply = no(400, too_many) if too_many else self.integration.play[route](asked, self.desk)
        except Unknown:
            return no(404, f"{self.integration.title} does not have what was asked for")
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return no(400, "The body is not what the documentation describes")
        self.journal.add(self.integration.name, call.key, self.desk.taken)
        return reply

    def _refusal(self, call: Call, matches: Mapping[str, Any], route: str | None) -> Reply | None:
        if not matches:
            return no(404, f"{self.integration.title} has nothing at this address")
        if route is None:
            return no(405, f"{self.integration.title} wants {', '.join(one.split()[0] for one in matches)}")
        if not self._knows(call):
            return no(401, "The credentials are missing, or are not those that this sandbox takes")
        if len(call.body) > self.integration.limits.bytes:
            return no(413, f"{self.integration.title} takes {self.integration.limits.bytes:,} bytes at most")
        return None

    def _too_many(self, asked: Asked) -> str | None:
        limits, title = self.integration.limits, self.integration.title
        records = _records(self.integration, asked)
        if len(records) > limits.records:
            return f"{title} takes {limits.records} records at most"
        if limits.item_bytes and any(_size(one) > limits.item_bytes for one in records):
            return f"{title} takes {limits.item_bytes} bytes a record at most"
        return None

    def _knows(self, call: Call) -> bool:
        stamp = call.headers.get("webhook-timestamp", "0")
        attempt = Attempt(call.key or "", int(stamp) if stamp.isdecimal() else 0, call.body)
        credentials = self.integration.sample.credentials if self.credentials is None else self.credentials
        expected = self.integration.headers(Connection(self.integration.sample.settings, credentials), attempt)
        return all(
            name in call.headers
            and (self.credentials is None or hmac.compare_digest(call.headers[name].encode(), value.encode()))
            for name, value in expected.items()
        )


def main_route(integration: Integration) -> str:
    """Return the route by which records come."""
    return f"{integration.method} {integration.url.partition('}')[2].partition('?')[0]}"


def _values(route: str, path: str) -> dict[str, str] | None:
    """Return what the path has where the route has names; None if it is another's path."""
    template = route.partition(" ")[2]
    parts = re.split(r"\{(\w+)\}", template)
    pattern = "".join(re.escape(part) if n % 2 == 0 else f"(?P<{part}>[^/?]+)" for n, part in enumerate(parts))
    found = re.fullmatch(f"[^?]*?{pattern}", path)
    return {name: unquote(value) for name, value in found.groupdict().items()} if found else None


def _size(record: JSON) -> int:
    return len(json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode())


def _records(integration: Integration, asked: Asked) -> list[JSON]:
    """Return the records of a request's body, which stand where the envelope has them; none where it has no place."""
    before, after = around(integration, integration.sample.settings)
    if not before:
        return []
    found = _where_items_are(json.loads(before + b'"ITEMS"' + after.replace(b"SHARED", b"null")), asked.json)
    if not isinstance(found, list):
        raise TypeError
    return found


def _where_items_are(around_them: JSON, document: JSON) -> JSON:
    if around_them == ["ITEMS"]:
        return document
    for name, inner in around_them.items():
        if "ITEMS" in json.dumps(inner):
            return _where_items_are(inner, document[name])
    raise LookupError
