"""A batch: one drop at one version, and how far it has come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    """Where a batch stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DELIVERED = "delivered"
    PARTIAL = "partial"
    FAILED = "failed"


MEANINGS: dict[State, str] = {
    State.QUEUED: "It waits for a run.",
    State.RUNNING: "A process has it, or had it and died: the next run goes on with it once its lease has run out.",
    State.DELIVERED: "Closed: every row was valid, and delivered, filtered or unchanged everywhere.",
    State.PARTIAL: "Closed, with rows that somebody must act on.",
    State.FAILED: "Closed: the file as a whole could not be used, nothing was sent, and `reason` says why.",
}

CLOSED = frozenset({State.DELIVERED, State.PARTIAL, State.FAILED})


@dataclass(frozen=True, slots=True)
class Drop:
    """A file in the drop zone: its group, its key (from the drop zone's root), its version and size in bytes."""

    group_key: str
    key: str
    version: str
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class Batch:
    """What the ledger knows of a batch. Times are UTC; counts are None until the file was read to its end."""

    id: str
    group_key: str
    file: str
    version: str
    bytes: int
    state: State
    received_at: datetime
    sha256: str | None = None
    reason: str | None = None
    config: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    rows_read: int | None = None
    rows_invalid: int | None = None
