"""What a destination's bulk API looks like, as a value: one `Integration` in each file of `catalog/`."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from integrations.exchange import Attempt, Connection, Reply, Sent, Verdict
from integrations.job import Job
from integrations.playing import Play
from integrations.preparing import Names, Prepare
from integrations.waiting import Wait, retry_after

ADDRESS = r"https?://[^\s/?#@\\]+([/?][^\s#]*)?"
"""What a setting that is an address must match; a user and password in it would be secrets in a config file."""

FieldType = Literal["text", "number", "integer", "boolean", "date", "datetime", "list", "any"]


class Resend(StrEnum):
    """What makes sending the same records a second time harmless."""

    UPSERT = "upsert"  # the destination recognises the record by its identity
    KEY = "idempotency key"  # the destination recognises the request by its key
    BARE = "nothing"  # a second request is a second effect


class Answers(StrEnum):
    """What a destination's yes speaks of."""

    RECORDS = "each record"  # who is not named as refused was taken
    REQUESTS = "the request"  # it was received, and nobody tells what became of each record


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the destination that a mapping may fill.

    `name` is dotted where the field is nested and may end in `*` for a family of fields ("merge_fields.*"), whose
    members `matches` describes as a regular expression. `clear` is the JSON text that empties the field at the
    destination; None where it cannot be emptied. `adds` says of a list that its items come on top of those that are
    there; `consent` that the field says whether a person wants to be written to.
    """

    name: str
    type: FieldType
    help: str
    required: bool = False
    clear: str | None = None
    adds: bool = False
    consent: bool = False
    matches: str | None = None


def fields(kind: FieldType, **helps: str) -> tuple[Field, ...]:
    """Return plain fields of one type, each with its sentence."""
    return tuple(Field(name, kind, sentence) for name, sentence in helps.items())


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
    """What one request and one account may carry. Bytes count the whole body as it is sent, or one record of it.

    `in_flight` counts requests that wait for an answer or, where requests start jobs, jobs that are not done.
    """

    records: int
    bytes: int
    per_second: float
    in_flight: int
    item_bytes: int | None = None
    per_minute: float | None = None
    per_hour: float | None = None
    per_day: float | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """How one record is laid out in the request.

    `under` is the dotted place of the mapped fields ("" is the top), `also` repeats a mapped field at another
    place ({"id": "email"}), `always` holds constants, `text_only` sends every value as text and `list_separator`
    joins lists into text (None: lists stay lists). `list_ends` stands before and after a list that is joined.
    `pairs` lays the members of a place out as a list of objects, the member's name under the first key and its value
    under the second ({"fields": ("id", "value")}); `wrapped` puts each item of a list into an object of its own under
    the key ({"subscribe": "listid"}).
    """

    under: str = ""
    also: Mapping[str, str] = field(default_factory=dict)
    always: Mapping[str, str | int | bool] = field(default_factory=dict)
    text_only: bool = False
    list_separator: str | None = None
    list_ends: str = ""
    pairs: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    wrapped: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A call like "GET /jobs/1", below the integration's address, and its answer; both bodies as they are sent."""

    call: str
    answer: str
    body: str = ""
    status: int = 200

    @property
    def reply(self) -> Reply:
        """The answer as the reply that would come."""
        return Reply(self.status, {"content-type": "application/json"}, self.answer.encode())


@dataclass(frozen=True, slots=True)
class Example:
    """One exchange: records and a mapping, the request's body that they give, an answer and what it means.

    `body` and `answer` are JSON texts. The mapping's expressions are names of attributes or quoted constants, so
    that a reader sees at once what becomes of a record. `then` are the calls that follow where a job is started;
    `names` is what the destination has said beforehand that it calls fields.
    """

    mapping: Mapping[str, str]
    records: Sequence[Mapping[str, Any]]
    body: str
    answer: str
    verdicts: Sequence[Verdict]
    status: int = 200
    then: Sequence[Exchange] = ()
    names: Names = field(default_factory=dict)

    @property
    def reply(self) -> Reply:
        """The answer as the reply that would come."""
        return Reply(self.status, {"content-type": "application/json"}, self.answer.encode())


@dataclass(frozen=True, slots=True)
class Integration:
    """A destination's bulk API: how it is called, and how it answers.

    `url` is a template over the settings; the one that it begins with is an address, the others become path segments.
    `envelope` is the JSON text around the items, with ITEMS where they go (a function of the settings where it depends
    on them). `read` turns an accepted reply (2xx) into a verdict on each record that was not taken, and raises a
    `DeliveryError` when the reply cannot be trusted; `job` takes its place where a request only starts a job.

    `notice` may read meaning into other replies before the general table of statuses does; `wait` says how long a
    reply asks us to wait. `prepare` asks harmlessly whether credentials, settings and mapped fields are right;
    `names` does so too, and nothing can be sent before it has told the destination's own names for fields. `wrong`
    tells what a mapping as a whole lacks.

    `identity` has the fields by which the destination knows a record: the first that is mapped tells records apart,
    and is required. `shared` is a field that has one value for a whole request, which stands in the envelope at SHARED;
    a member {"name":SHARED} is left out where the records have none.
    `stamp` marks the items with the request's idempotency key, without changing their size.

    `yes` says what a yes means, `consent` what becomes of people who do not want to be written to, `notes` what else
    one must know, and what is uncertain. `play` is what the sandbox answers, by "METHOD /path/{of}/{a}/call".
    """

    name: str
    title: str
    docs: str
    summary: str
    yes: str
    consent: str
    credentials: tuple[Setting, ...]
    settings: tuple[Setting, ...]
    fields: tuple[Field, ...]
    limits: Limits
    url: str
    envelope: str | Callable[[Mapping[str, Any]], str]
    headers: Callable[[Connection, Attempt], Mapping[str, str]]
    example: Example
    play: Mapping[str, Play]
    read: Callable[[Reply, Sent], Sequence[Verdict]] = lambda _reply, _sent: ()
    job: Job | None = None
    resend: Resend = Resend.UPSERT
    method: str = "POST"
    content_type: str = "application/json"
    identity: tuple[str, ...] = ()
    shared: str | None = None
    answers: Answers = Answers.RECORDS
    item: Item = field(default_factory=Item)
    notice: Callable[[Reply], None] = lambda _reply: None
    wait: Wait = retry_after
    prepare: Prepare | None = None
    names: Prepare | None = None
    wrong: Callable[[Sequence[str]], str | None] = lambda _names: None
    stamp: Callable[[bytes, str], bytes] = lambda items, _key: items
    notes: tuple[str, ...] = ()

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
                fits = known.matches is None or re.fullmatch(known.matches, name[len(family) :])
                return known if fits else None
        return None

    def separator(self, name: str) -> str | None:
        """Return what joins a list into text in a field; None where lists stay lists."""
        in_text = self.item.text_only or name.partition(".")[0] in self.item.pairs
        return self.item.list_separator if in_text else None

    def told_apart_by(self, names: Collection[str]) -> str | None:
        """Return the field that tells records apart in a mapping of these fields; None where nothing does."""
        return next((name for name in self.identity if name in names), None)
