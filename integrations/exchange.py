"""What goes to and fro: connections, attempts, replies, and the destination's word on each record."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

JSON = Any
"""A JSON document that came from elsewhere: it may be of any shape."""


@dataclass(frozen=True, slots=True)
class Connection:
    """The resolved settings and credentials of one enabled integration."""

    settings: Mapping[str, Any]
    credentials: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What headers may depend on: the idempotency key, the time in whole Unix seconds, and the body's bytes."""

    key: str
    timestamp: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Sent:
    """What a reply is read against: how many records were sent and, in order, the identity of each.

    `identities` has the values of the integration's `identity` field, lower-cased; it is empty where it has none.
    """

    count: int
    identities: Sequence[str] = ()

    def places(self) -> dict[str, int]:
        """Return each record's index by its identity, without identities that stand more than once."""
        times = Counter(self.identities)
        return {identity: index for index, identity in enumerate(self.identities) if times[identity] == 1}


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer: status, headers with lower-case names, and the body's bytes (at most the reply limit)."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def of(cls, document: JSON, status: int = 200) -> Self:
        """Return a reply whose body is the document as JSON."""
        return cls(status, {"content-type": "application/json"}, json.dumps(document).encode())

    def json(self) -> JSON:
        """Return the body as JSON.

        Raises:
            ValueError: when it is not JSON.
        """
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The destination's word on one record that it did not take: its 0-based index in the request, and why.

    `code` is the destination's own code or name for the reason; "" when it gave none.
    """

    index: int
    code: str
    message: str
    outcome: Literal["rejected", "unknown"] = "rejected"


@dataclass(frozen=True, slots=True)
class Played:
    """What a stand-in answers, and which of the request's records it accepted."""

    reply: Reply
    accepted: Sequence[Mapping[str, Any]]


Refusal = Callable[[Mapping[str, Any]], 'Literal["record", "request"] | None']
"""What a stand-in asks of each record: accept it (None), refuse it, or refuse the whole request because of it."""
