"""A fault of a destination: what it answers, and what must become of the rows then."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from support.destination import Answer, Call, Door

CHUNK = 4
EVERY = frozenset(range(CHUNK))
NOBODY: frozenset[int] = frozenset()
ALWAYS = 1 << 30
STRIKES = 3
KINDS = ("key", "upsert", "bare")
"""Destinations by what makes sending twice harmless."""

# --- what becomes of rows


@dataclass(frozen=True)
class Fate:
    """The end of the rows that an answer strikes, the strikes that it counts for, and whether doubles are told of.

    After three strikes in a row nothing more is sent: later rows have `failed`, for sending them another day is safe.
    """

    end: str
    strikes: int = 0
    declared: bool = False


DELIVERED = Fate("delivered")
REPEATED = Fate("delivered", declared=True)  # by a second request, and the first may have had its effect
REJECTED = Fate("rejected")
UNREADABLE = Fate("unknown")
UNANSWERED = Fate("unknown", 1)
DOWN = Fate("failed", 1)
DOWN_AND_REPEATED = Fate("failed", 1, declared=True)
STOPPED = Fate("failed", STRIKES)


# --- how an answer is made


@dataclass(frozen=True)
class Ask:
    """A request as a destination of some dialect sees it, and the address of another server."""

    call: Call
    dialect: str
    elsewhere: str

    @cached_property
    def records(self) -> list[dict[str, Any]]:
        """What is to be taken."""
        if self.dialect == "hubspot":
            return [record["properties"] for record in self.call.records]
        return self.call.records

    @cached_property
    def ids(self) -> list[int]:
        """The rows' own numbers."""
        places: dict[str, Callable[[Any], str]] = {
            "webhook": lambda record: record["id"],
            "mailchimp": lambda record: record["merge_fields"]["ID"],
            "hubspot": lambda record: record["customer"],
        }
        return [int(places[self.dialect](record)) for record in self.records]

    @property
    def places(self) -> list[int]:
        """The rows' places in the chunk that was cut first."""
        return [(number - 1) % CHUNK for number in self.ids]

    def names(self, places: Collection[int]) -> list[object]:
        """Return what the dialect calls the records at these places of the request."""
        if self.dialect == "webhook":
            return list(places)
        name = {"mailchimp": "email_address", "hubspot": "email"}[self.dialect]
        return [self.records[place][name] for place in places]


def verdict(ask: Ask, refused: Collection[object] = (), missing: int = 0, extra: Collection[object] = ()) -> Answer:
    """Say yes to the records that are not refused by name, in the dialect's words.

    `missing` are left out of what is said yes to, and `extra` were never sent.
    """
    if ask.dialect == "webhook":
        return Answer.json({"errors": [{"index": name, "code": "blocked", "message": "no"} for name in refused]})
    if ask.dialect == "mailchimp":
        errors = [{"email_address": name, "error": "looks fake", "error_code": "FAKE"} for name in refused]
        created = len(ask.ids) - len(errors) - missing + len(extra)
        totals = {"total_created": created, "total_updated": 0, "error_count": len(errors)}
        return Answer.json({"new_members": [], "updated_members": [], "errors": errors, **totals})
    taken = [name for name in ask.names(range(len(ask.ids))) if name not in refused][missing:]
    results = [{"id": "1", "properties": {"email": name}} for name in [*taken, *extra]]
    errors = [{"category": "BLOCKED", "message": "no", "context": {"ids": [name]}} for name in refused]
    return Answer.json({"status": "COMPLETE", "results": results, "errors": errors}, 207 if errors else 200)


def yes(ask: Ask) -> Answer:
    """Say yes to all."""
    return verdict(ask)


# --- faults


Said = Answer | Callable[[Ask], Answer]


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong at a destination: what it answers, what it takes nevertheless, and what then.

    It meets each chunk for `times` requests, of those that `meets` wants; `struck` are the rows of a chunk that it
    means, by their places, and `takes` those that the destination has before it answers. `fates` are by the kind of
    the destination. A `door` shuts for connections, from some chunk on. `wait` seconds are asked for each time.
    """

    line: str
    name: str
    fates: Mapping[str, Fate]
    answer: Said = yes
    times: int = ALWAYS
    meets: Callable[[Ask], bool] = lambda _ask: True
    struck: Collection[int] = EVERY
    takes: Collection[int] = NOBODY
    door: Door | Literal["refused"] | None = None
    wait: float = 0
    delivery: Mapping[str, float] = field(default_factory=dict)
    scheme: Literal["http", "https"] = "http"

    def __str__(self) -> str:
        return self.name

    def answered(self, ask: Ask) -> Answer:
        """Return what a request is answered."""
        return self.answer(ask) if callable(self.answer) else self.answer


def all_alike(fate: Fate) -> dict[str, Fate]:
    """Return the same fate for every kind."""
    return dict.fromkeys(KINDS, fate)


def but_bare(fate: Fate, bare: Fate) -> dict[str, Fate]:
    """Return a fate for destinations that recognise a repetition, and one for those that do not."""
    return {"key": fate, "upsert": fate, "bare": bare}
