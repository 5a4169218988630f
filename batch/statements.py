"""The statements that the ledger's transactions are made of."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, bindparam, func, literal, not_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from batch import packing
from batch.batch import Batch, State
from batch.chunk import Chunk
from batch.claim import Claim
from batch.errors import LeaseLost
from batch.tables import Trigger, Utc, batches, chunks, packets, runs

LONGEST = 120.0
"""Seconds that a lease may last at most."""

_UPDATABLE = [column.name for column in chunks.c if column.name not in {"seq", "batch", "id"}]
# statements that every batch runs several times are built once: building one costs more than running it
_CLAIMED = update(batches).where(batches.c.id == bindparam("claimed"))
_HELD = select(batches.c.token, batches.c.owner).where(batches.c.id == bindparam("batch")).with_for_update()


def now(connection: Connection) -> datetime:
    """Return the time by the one clock that all who share the ledger go by."""
    if connection.dialect.name == "postgresql":
        moment: datetime = connection.scalars(select(func.clock_timestamp(type_=Utc))).one()
        return moment
    return datetime.now(UTC)  # SQLite has no other machine to agree with


def lease_clock(connection: Connection) -> datetime:
    """Return the time by the clock that leases go by: in SQLite by one that nobody sets, and every process here has."""
    if connection.dialect.name == "postgresql":
        return now(connection)
    return datetime.fromtimestamp(time.monotonic(), UTC)


def lease_holds(connection: Connection) -> ColumnElement[bool]:
    """Return what makes somebody's lease one that runs.

    One that is longer than any is of before the database's clock was set back, or this machine was started anew.
    """
    moment = lease_clock(connection)
    ends = [literal(moment + timedelta(seconds=seconds), Utc) for seconds in (0, LONGEST)]
    return and_(batches.c.lease_until > ends[0], batches.c.lease_until <= ends[1])


def queue_batch(connection: Connection, group_key: str, file: str, version: str, size: int) -> Batch:
    """Insert a batch that waits for a run."""
    moment = now(connection)
    batch = Batch(f"{moment:%Y%m%dT%H%M%SZ}-{nonce()}", group_key, file, version, size, State.QUEUED, moment)
    connection.execute(batches.insert().values(**asdict(batch)))
    return batch


def nonce() -> str:
    """Return eight characters that nobody has drawn before."""
    return base64.b32encode(secrets.token_bytes(5)).decode().lower()


def claimable(connection: Connection) -> list[ColumnElement[bool]]:
    """Return what makes a batch free to take: not closed, and nobody's lease on it runs."""
    over = not_(lease_holds(connection))
    return [
        batches.c.finished_at.is_(None),  # says the same as the next line, and has an index
        batches.c.state.in_([State.QUEUED, State.RUNNING]),
        or_(batches.c.lease_until.is_(None), over),
    ]


def fence(connection: Connection, claim: Claim) -> None:
    """Hold the batch's row until the transaction ends, and make sure that the claim is the current one."""
    row = connection.execute(_HELD, {"batch": claim.batch.id}).one_or_none()
    if row is None or (row.token, row.owner) != (claim.token, claim.owner):
        raise LeaseLost(f"batch {claim.batch.id}: claim {claim.token} of {claim.owner} is no longer the current one")


def update_fenced(connection: Connection, claim: Claim, **values: Any) -> None:
    """Update the claimed batch, if the claim is still the current one."""
    fence(connection, claim)
    connection.execute(_CLAIMED, {"claimed": claim.batch.id, **values})


def insert(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return an insert that can say what to do on a conflict."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def insert_new(connection: Connection, table: Table, **values: Any) -> bool:
    """Insert a row; False when there is one with its key already."""
    statement = (
        insert(connection.dialect.name, table).values(**values).on_conflict_do_nothing().returning(literal(True))
    )
    return connection.execute(statement).one_or_none() is not None


@cache  # building it costs more than running it
def _upsert_chunks(dialect: str) -> postgresql.Insert | sqlite.Insert:
    statement = insert(dialect, chunks)
    return statement.on_conflict_do_update(
        index_elements=[chunks.c.batch, chunks.c.id],
        set_={name: statement.excluded[name] for name in _UPDATABLE},
    )


def put_chunks(connection: Connection, batch_id: str, these: Sequence[Chunk]) -> None:
    """Insert chunks in their order, or update those whose ids are known."""
    if these:
        upsert = _upsert_chunks(connection.dialect.name)
        connection.execute(upsert, [packing.pack(batch_id, chunk) for chunk in these])


def amend_packets(connection: Connection, hashes: Mapping[str, str]) -> None:
    """Give packets, by id, a new SHA-256."""
    if hashes:
        one = update(packets).where(packets.c.id == bindparam("packet")).values(sha256=bindparam("hash"))
        connection.execute(one, [{"packet": packet, "hash": sha256} for packet, sha256 in hashes.items()])


def record_run(connection: Connection, claim: Claim, started_at: datetime) -> None:
    """Write down a claim for audit; the claim after a reopen fills in the row that the reopen left."""
    statement = insert(connection.dialect.name, runs).values(
        batch=claim.batch.id,
        token=claim.token,
        trigger=Trigger.FIRST if claim.token == 1 else Trigger.RESUME,
        started_at=started_at,
        owner=claim.owner,
        config=claim.batch.config,
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[runs.c.batch, runs.c.token],
            set_={name: statement.excluded[name] for name in ("started_at", "owner", "config")},
        )
    )
