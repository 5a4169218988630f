"""A chunk: the rows of one request to one integration, as the ledger keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from batch.outcome import Finding, Outcome, Rows

CHECK = ""
"""The `integration` of the chunk that holds the group's own check of every row."""


class ChunkState(StrEnum):
    """How far a chunk has come."""

    OPEN = "open"  # the intent is committed; its request may have left
    CLOSED = "closed"  # every row of it has its outcome
    SPLIT = "split"  # refused whole, nothing stored: its parts stand as chunks of their own
    REOPENED = "reopened"  # an operator asked for these rows again


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Rows that share one fate, and each row's exception from it.

    A closed chunk's rows have `outcome`, save those that stand in `findings`. Rows that need no request (left out
    by `where`, invalid by mapping, checked by the group) stand in chunks without a `key`. `key` is the
    idempotency key and `payload` the SHA-256 of the items, both committed before the first byte leaves. `job` is the
    destination's id of the job that the request has started.
    """

    id: str
    integration: str
    rows: Rows
    state: ChunkState
    outcome: Outcome | None = None
    findings: tuple[Finding, ...] = ()
    key: str | None = None
    payload: str | None = None
    requests: int = 0
    possible_duplicates: int = 0
    job: str | None = None
