"""Drops, batches, claims and chunks made for tests, and a way to compare chunks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from batch import rowset
from batch.batch import Batch, Drop
from batch.chunk import Chunk, ChunkState
from batch.claim import Claim
from batch.ledger import Ledger
from batch.outcome import Finding, Outcome


def a_drop(key: str = "abc/a.csv", version: str = "1", size: int = 10) -> Drop:
    return Drop(key.split("/", maxsplit=1)[0], key, version, size, datetime(2026, 11, 23, 2, tzinfo=UTC))


def a_batch(ledger: Ledger, key: str = "abc/a.csv", version: str = "1") -> Batch:
    batch = ledger.add(a_drop(key, version), key.split("/", maxsplit=1)[0])
    assert batch is not None
    return batch


def a_claim(ledger: Ledger, batch: Batch | None = None, owner: str = "me", seconds: float = 30) -> Claim:
    claim = ledger.claim((batch or a_batch(ledger)).id, owner, seconds)
    assert claim is not None
    return claim


def a_finding(*rows: int, outcome: Outcome = Outcome.REJECTED, message: str = "No.") -> Finding:
    return Finding(outcome, "rejected.no", "epost", message, rowset.of(*rows))


def a_chunk(chunk_id: str, *rows: int, integration: str = "crm", **more: Any) -> Chunk:
    return Chunk(chunk_id, integration, rowset.of(*rows), **{"state": ChunkState.OPEN, **more})


def plain(chunk: Chunk) -> tuple[Any, ...]:
    """A chunk as values that compare."""
    findings = tuple((f.outcome, f.code, f.column, f.message, f.rows.tolist()) for f in chunk.findings)
    return (
        *(chunk.id, chunk.integration, chunk.rows.tolist(), chunk.state, chunk.outcome, findings),
        *(chunk.key, chunk.payload, chunk.requests, chunk.possible_duplicates),
    )
