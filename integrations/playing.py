"""Playing a vendor: what the sandbox's stand-in of an integration is asked, and what it has at hand to answer.

People at `rejected.example` are refused one by one, those at `unsubscribed.example` for want of consent, one at
`conflict.example` makes destinations that do so refuse a whole request, and an address without an @ is none.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from integrations.exchange import JSON, Reply, texts

Doubt = Literal["record", "request", "consent"]
"""What is refused: this record, the whole request because of it, or the record since its person has not consented."""

NOTHING: Mapping[str, Any] = {}

_DOMAINS: Mapping[str, Doubt] = {
    "rejected.example": "record",
    "unsubscribed.example": "consent",
    "conflict.example": "request",
}


@dataclass(frozen=True)
class Asked:
    """A request as a stand-in sees it: what its path and query hold, its body, and the stand-in's own address."""

    values: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    base: str = ""

    @cached_property
    def json(self) -> JSON:
        """The body as JSON; a ValueError when it is not JSON."""
        return json.loads(self.body)


@dataclass(slots=True)
class Sorted:
    """What became of the records of a request: those of new people, of known ones, and the refused with their index."""

    new: list[JSON] = field(default_factory=list)
    known: list[JSON] = field(default_factory=list)
    refused: list[tuple[int, JSON, Doubt]] = field(default_factory=list)


class Unknown(Exception):
    """There is no such thing at the stand-in."""


@dataclass(slots=True)
class Work:
    """A job at a stand-in: whatever it is to remember, and how often it was looked at."""

    about: Any
    looks: int = 0


@dataclass(slots=True)
class Desk:
    """What a stand-in remembers: contacts by identity, jobs by id, and what it has taken in this request.

    `absorb` puts a record's fields into a contact as the destination would; `under` is where a record has them.
    """

    under: str = ""
    absorb: Callable[[dict[str, Any], Mapping[str, Any]], None] = lambda contact, fields: contact.update(fields)
    contacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    jobs: dict[str, Work] = field(default_factory=dict)
    taken: list[Mapping[str, Any]] = field(default_factory=list)

    def doubt(self, record: Mapping[str, Any], address: str | None = None) -> Doubt | None:
        """Return what is refused because of a record, and of the address by which it is known; None if nothing is."""
        domains = {text.lower().rpartition("@")[2] for text in texts(record)}
        found = {doubt for domain, doubt in _DOMAINS.items() if domain in domains}
        if address is not None and not _is_address(address):
            found.add("record")
        return next((doubt for doubt in ("request", "consent", "record") if doubt in found), None)

    def sort(self, records: Sequence[JSON], *identity: str) -> Sorted:
        """Take records, save those that are refused one by one.

        Args:
            records: as they were sent.
            identity: where a record may have what it is known by, dotted; the first that it has counts.
        """
        said = Sorted()
        for index, one in enumerate(records):
            place, key = next(((at, str(it)) for at in identity if (it := _at(one, at)) is not None), ("", None))
            doubt = self.doubt(one, key if "mail" in place else None)
            if doubt in ("record", "consent"):
                said.refused.append((index, one, doubt))
            else:
                (said.new if self.take(one, key, _at(one, self.under) if self.under else one) else said.known).append(
                    one
                )
        return said

    def clash(self, records: Sequence[JSON]) -> bool:
        """Say whether one of the records makes a destination that does so refuse the whole request."""
        return any(self.doubt(one) == "request" for one in records)

    def take(self, record: Mapping[str, Any], identity: str | None = None, fields: Mapping[str, Any] = NOTHING) -> bool:
        """Accept a record as it was sent; true if nobody of this identity was known. `fields` are the contact's."""
        self.taken.append(record)
        if identity is None:
            return True
        new = identity.lower() not in self.contacts
        self.absorb(self.contacts.setdefault(identity.lower(), {}), fields)
        return new

    def start(self, about: Any) -> str:
        """Begin a job and return its id."""
        job = uuid.uuid4().hex
        self.jobs[job] = Work(about)
        return job

    def look(self, job: str, states: Sequence[str]) -> tuple[str, Any]:
        """Return a job's state and what is known about it; each look moves it on, to the last.

        Raises:
            Unknown: when there is no such job, which is answered with 404.
        """
        if job not in self.jobs:
            raise Unknown(job)
        work = self.jobs[job]
        work.looks += 1
        return states[min(work.looks, len(states)) - 1], work.about


Play = Callable[[Asked, Desk], Reply]
"""What a stand-in answers, and does, when it is asked."""


def always(document: JSON) -> Play:
    """Return what answers with the same document whatever is asked."""
    return lambda _asked, _desk: Reply.of(document)


def no(status: int, message: str, **more: JSON) -> Reply:
    """Return a refusal of a whole request."""
    return Reply.of({"message": message, **more}, status)


def _at(record: JSON, place: str) -> JSON:
    for part in place.split("."):
        record = record.get(part) if isinstance(record, dict) else None
    return record


def _is_address(text: str) -> bool:
    name, at, domain = text.partition("@")
    return bool(name and at and domain) and not any(char.isspace() for char in text) and "@" not in domain
