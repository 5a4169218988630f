"""A stand-in: one integration's API as the sandbox plays it."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from integrations.exchange import JSON, Attempt, Connection, Reply
from integrations.integration import Integration
from integrations.sandbox.journal import Journal

_KEYS = ("webhook-id", "idempotency-key")
"""Headers in which a request may carry its idempotency key."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it came: the raw path below the stand-in's own, headers with lower-case names, the body."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

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

    def answer(self, call: Call) -> Reply:
        """Return the reply to a request, once what it takes is in the journal."""
        refusal = self._refusal(call)
        if refusal:
            return refusal
        try:
            document = json.loads(call.body)
            if len(_records(self.integration, document)) > self.integration.limits.records:
                return _no(400, f"{self.integration.title} takes {self.integration.limits.records} records at most")
            played = self.integration.play(document, refuse)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return _no(400, "The body is not what the documentation describes")
        self.journal.add(self.integration.name, call.key, played.accepted)
        return played.reply

    def _refusal(self, call: Call) -> Reply | None:
        if not re.fullmatch(_path(self.integration), call.path):
            return _no(404, f"{self.integration.title} has nothing at this address")
        if call.method != self.integration.method:
            return _no(405, f"{self.integration.title} wants {self.integration.method}")
        if not self._knows(call):
            return _no(401, "The credentials are missing, or are not those that this sandbox takes")
        if len(call.body) > self.integration.limits.bytes:
            return _no(413, f"{self.integration.title} takes {self.integration.limits.bytes:,} bytes at most")
        return None

    def _knows(self, call: Call) -> bool:
        stamp = call.headers.get("webhook-timestamp", "0")
        attempt = Attempt(call.key or "", int(stamp) if stamp.isdecimal() else 0, call.body)
        credentials = self.integration.sample.credentials if self.credentials is None else self.credentials
        expected = self.integration.headers(Connection({}, credentials), attempt)
        return all(
            name in call.headers
            and (self.credentials is None or hmac.compare_digest(call.headers[name].encode(), value.encode()))
            for name, value in expected.items()
        )


def refuse(record: Mapping[str, JSON]) -> Literal["record", "request"] | None:
    """Return what is refused because of a record, which its addresses' domains say."""
    domains = {text.lower().rpartition("@")[2] for text in _texts(record)}
    if "conflict.example" in domains:
        return "request"
    return "record" if "rejected.example" in domains else None


def _texts(value: JSON) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _path(integration: Integration) -> str:
    fixed = re.split(r"\{\w+\}", integration.url)[1:]  # the first part is the address of the stand-in itself
    return "[^?]*" + "[^/?]+".join(re.escape(part) for part in fixed)


def _records(integration: Integration, document: JSON) -> list[JSON]:
    around = json.loads(integration.envelope.replace("ITEMS", ""))
    found = document if around == [] else document[next(name for name, value in around.items() if value == [])]
    if not isinstance(found, list):
        raise TypeError
    return found


def _no(status: int, message: str) -> Reply:
    return Reply.of({"message": message}, status)
