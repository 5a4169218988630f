"""What goes to and fro: connections, attempts, replies, and the destination's word on each record."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
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


@dataclass(frozen=True)
class Sent:
    """What a reply is read against: how many records were sent and, in order, the identity of each.

    `identities` has the values of the integration's `identity` field, lower-cased; it is empty where it has none.
    """

    count: int
    identities: Sequence[str] = ()

    def places(self) -> Mapping[str, int]:
        """Return each record's index by its identity, without identities that stand more than once."""
        return self._places

    @cached_property
    def _places(self) -> Mapping[str, int]:
        times = Counter(self.identities)
        return {identity: index for index, identity in enumerate(self.identities) if times[identity] == 1}

    def find(self, document: JSON) -> int | None:
        """Return the index of the one record whose identity stands somewhere in a document; None if it is not one."""
        found = {self._places[text.lower()] for text in texts(document) if text.lower() in self._places}
        return found.pop() if len(found) == 1 else None

    def unnamed(self, named: Collection[int]) -> list[Verdict]:
        """Return that of every record that an answer does not name nobody knows what became."""
        silent = sorted(set(range(self.count)).difference(named))
        return [Verdict(index, "bad_answer", "The answer does not name the record", "unknown") for index in silent]


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

    `failed` is one that was never tried and may be sent again; of an `unknown` one nobody says what became of it.

    `code` is the destination's own code or name for the reason; "" when it gave none. One that begins with
    "consent." says that the person does not want to hear from the sender, or may not be written to.
    """

    index: int
    code: str
    message: str
    outcome: Literal["rejected", "unknown", "failed"] = "rejected"


def texts(value: JSON) -> Iterator[str]:
    """Yield every text that stands in a document, at whatever depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from texts(inner)
