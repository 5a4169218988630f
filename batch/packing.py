"""Chunks as rows of the ledger's table: row numbers and findings packed small."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row

from batch import rowset
from batch.chunk import Chunk
from batch.outcome import Finding, Outcome

_Packed = list[tuple[Outcome, str, str | None, str, bytes]]


def pack(batch_id: str, chunk: Chunk) -> dict[str, Any]:
    """Return the chunk as values for the columns of the table `chunks`."""
    return {
        "batch": batch_id,
        "id": chunk.id,
        "integration": chunk.integration,
        "state": chunk.state,
        "outcome": chunk.outcome,
        "rows": rowset.pack(chunk.rows),
        "findings": pack_findings(chunk.findings),
        "key": chunk.key,
        "payload": chunk.payload,
        "requests": chunk.requests,
        "possible_duplicates": chunk.possible_duplicates,
        "job": chunk.job,
    }


def unpack(row: Row[Any]) -> Chunk:
    """Return the chunk that a row of the table `chunks` holds."""
    return Chunk(
        id=row.id,
        integration=row.integration,
        rows=rowset.unpack(row.rows),
        state=row.state,
        outcome=row.outcome,
        findings=unpack_findings(row.findings),
        key=row.key,
        payload=row.payload,
        requests=row.requests,
        possible_duplicates=row.possible_duplicates,
        job=row.job,
    )


def pack_findings(findings: Sequence[Finding]) -> bytes:
    """Pack findings: deflated MessagePack; nothing for none."""
    if not findings:
        return b""
    packed: _Packed = [
        (
            finding.outcome,
            storable(finding.code),
            None if finding.column is None else storable(finding.column),
            storable(finding.message),
            rowset.pack(finding.rows),
        )
        for finding in findings
    ]
    return zlib.compress(msgspec.msgpack.encode(packed), level=1)


def unpack_findings(packed: bytes) -> tuple[Finding, ...]:
    """Return the findings that `pack_findings` packed."""
    if not packed:
        return ()
    findings = msgspec.msgpack.decode(zlib.decompress(packed), type=_Packed)
    return tuple(
        Finding(outcome, code, column, message, rowset.unpack(rows))
        for outcome, code, column, message, rows in findings
    )


def storable(text: str) -> str:
    """Replace what no database takes (lone surrogates, NUL): a destination's words must not lose an outcome."""
    return text.encode("utf-8", "replace").decode().replace("\0", "?")
