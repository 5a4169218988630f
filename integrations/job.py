"""Jobs: destinations that take a request, give it an id, and tell later what became of its records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from integrations.exchange import Connection, Reply, Sent, Verdict
from integrations.steps import Steps


@dataclass(frozen=True, slots=True)
class Job:
    """How a job is started and followed to its end.

    `started` reads the job's id from the answer to the request. Where it takes more than one call to start a job,
    `submit` makes them instead, from the items, and yields `Started` as soon as it knows the id. `follow` asks until
    the job is done, with a `Pause` in between, and returns a verdict on each record that was not taken; it raises
    `Gone` when the job cannot be asked any more. `every` is the seconds between two questions, `patience` those after
    which nobody waits any longer.
    """

    follow: Callable[[Connection, str, Sent], Steps[Sequence[Verdict]]]
    started: Callable[[Reply], str] | None = None
    submit: Callable[[Connection, bytes], Steps[None]] | None = None
    every: float = 2.0
    patience: float = 3600.0
