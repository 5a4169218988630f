"""What a destination's bulk API looks like, as a value: one `Integration` in each file of `catalog/`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

FieldType = Literal["text", "number", "integer", "boolean", "date", "datetime", "list", "any"]


class Resend(StrEnum):
    """What makes sending the same records a second time harmless."""

    UPSERT = "upsert"  # the destination recognises the record by its identity
    KEY = "idempotency key"  # the destination recognises the request by its key
    BARE = "nothing"  # a second request is a second effect


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the destination that a mapping may fill.

    `name` is dotted where the field is nested and may end in `*` for a family of fields ("merge_fields.*").
    `clear` is the JSON text that empties the field at the destination; None where it cannot be emptied.
    """

    name: str
    type: FieldType
    help: str
    required: bool = False
    clear: str | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting or a credential: its name, a sentence, its type and its default (None: it must be given)."""

    name: str
    help: str
    default: str | int | None = None
    type: type[str] | type[int] = str


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request and one account may carry. Bytes count the whole body as it is sent."""

    records: int
    bytes: int
    per_second: float
    in_flight: int


@dataclass(frozen=True, slots=True)
class Item:
    """How one record is laid out in the request.

    `under` is the dotted place of the mapped fields ("" is the top), `also` repeats a mapped field at another
    place ({"id": "email"}), `always` holds constants, `text_only` sends every value as text and `list_separator`
    joins lists into text (None: lists stay lists).
    """

    under: str = ""
    also: Mapping[str, str] = field(default_factory=dict)
    always: Mapping[str, str | int | bool] = field(default_factory=dict)
    text_only: bool = False
    list_separator: str | None = None


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


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer: status, headers with lower-case names, and the body's bytes (at most the reply limit)."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
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
class Example:
    """One exchange: the items of the request, what goes around them, and a reply with what it means."""

    settings: Mapping[str, Any]
    credentials: Mapping[str, str]
    mapping: Mapping[str, str]
    records: Sequence[Mapping[str, Any]]
    body: Any
    reply: Reply
    verdicts: Sequence[Verdict]


@dataclass(frozen=True, slots=True)
class Played:
    """What a stand-in answers, and which of the request's records it accepted."""

    reply: Reply
    accepted: Sequence[Mapping[str, Any]]


Refusal = Callable[[Mapping[str, Any]], "str | None"]


@dataclass(frozen=True, slots=True)
class Integration:
    """A destination's bulk API.

    `url` is a template over the settings; `envelope` is the JSON text around the items, with ITEMS where they
    go; `read` turns an accepted reply (2xx) into a verdict on each record that was not taken and raises a
    `DeliveryError` when the reply cannot be trusted; `notice` may read meaning into other replies before the
    general table of statuses does; `play` is what the sandbox answers.
    """

    name: str
    title: str
    docs: str
    summary: str
    credentials: tuple[Setting, ...]
    settings: tuple[Setting, ...]
    fields: tuple[Field, ...]
    limits: Limits
    url: str
    envelope: str
    headers: Callable[[Connection, Attempt], Mapping[str, str]]
    read: Callable[[Reply, Sent], Sequence[Verdict]]
    resend: Resend
    example: Example
    play: Callable[[Any, Refusal], Played]
    method: str = "POST"
    identity: str | None = None
    item: Item = field(default_factory=Item)
    notice: Callable[[Reply], None] = lambda _reply: None

    def field(self, name: str) -> Field | None:
        """Return the field that a mapping's `name` means, or None when the destination has no such field."""
        for known in self.fields:
            if known.name == name or (known.name.endswith("*") and name.startswith(known.name[:-1])):
                return known
        return None
