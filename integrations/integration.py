"""What a destination's bulk API looks like, as a value: one `Integration` in each file of `catalog/`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from integrations.exchange import JSON, Attempt, Connection, Played, Refusal, Reply, Sent, Verdict

__all__ = [
    "ADDRESS",
    "JSON",
    "Attempt",
    "Connection",
    "Example",
    "Field",
    "Integration",
    "Item",
    "Limits",
    "Played",
    "Refusal",
    "Reply",
    "Resend",
    "Sent",
    "Setting",
    "Verdict",
]

ADDRESS = r"https?://[^\s/?#@\\]+([/?][^\s#]*)?"
"""What a setting that is an address must match; a user and password in it would be secrets in a config file."""

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
    """A setting or a credential: its name, a sentence, an example, its default and its type.

    Without a default it must be given, unless it is `optional`. `matches` is a regular expression that the
    whole text must match; numbers are positive.
    """

    name: str
    help: str
    example: str | int | None = None
    default: str | int | None = None
    type: type[str] | type[int] | type[float] = str
    optional: bool = False
    matches: str | None = None

    @property
    def required(self) -> bool:
        """Whether there is nothing to go by when it is not given."""
        return self.default is None and not self.optional


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
class Example:
    """One exchange: records and a mapping, the request's body that they give, an answer and what it means.

    `body` and `answer` are JSON texts. The mapping's expressions are names of attributes or quoted constants, so
    that a reader sees at once what becomes of a record.
    """

    mapping: Mapping[str, str]
    records: Sequence[Mapping[str, Any]]
    body: str
    answer: str
    verdicts: Sequence[Verdict]
    status: int = 200

    @property
    def reply(self) -> Reply:
        """The answer as the reply that would come."""
        return Reply(self.status, {"content-type": "application/json"}, self.answer.encode())


@dataclass(frozen=True, slots=True)
class Integration:
    """A destination's bulk API.

    `url` is a template over the settings; `envelope` is the JSON text around the items, with ITEMS where they
    go; `read` turns an accepted reply (2xx) into a verdict on each record that was not taken and raises a
    `DeliveryError` when the reply cannot be trusted; `notice` may read meaning into other replies before the
    general table of statuses does; `play` is what the sandbox answers. The setting that `url` begins with is
    an address; the others become path segments.
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
    play: Callable[[JSON, Refusal], Played]
    method: str = "POST"
    identity: str | None = None
    item: Item = field(default_factory=Item)
    notice: Callable[[Reply], None] = lambda _reply: None

    @property
    def sample(self) -> Connection:
        """The connection that the examples of settings and credentials make; the sandbox takes these credentials."""
        return Connection(
            settings={it.name: it.example for it in self.settings if it.example is not None},
            credentials={it.name: str(it.example) for it in self.credentials},
        )

    def field(self, name: str) -> Field | None:
        """Return the field that a mapping's `name` means, or None when the destination has no such field."""
        if "." in name and self.item.text_only:  # nothing can be nested where every value is text
            return None
        for known in self.fields:
            family = known.name.removesuffix("*")
            if known.name == name or (family != known.name and name.startswith(family) and name != family):
                return known
        return None
