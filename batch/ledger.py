"""The ledger: what is known of every batch, committed before and after each request.

It grows with chunks and exceptions, not with rows. It may be used from several threads and processes at once.

Whatever takes a claim raises `LeaseLost`, and changes nothing, when that claim is no longer the current one: a
process that was taken for dead and wakes up commits nothing more. Every method raises `LedgerError` when the
database cannot be used.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any, Self, TypedDict, Unpack

import msgspec
from sqlalchemy import (
    Connection,
    Engine,
    Select,
    bindparam,
    case,
    delete,
    exists,
    func,
    literal,
    select,
    tuple_,
    update,
)

from batch import database, packing
from batch import statements as sql
from batch.batch import CLOSED, Batch, Drop, State
from batch.chunk import Chunk
from batch.claim import Claim
from batch.forgotten import Erasures
from batch.keys import Keys
from batch.packets import Packets
from batch.tables import Trigger, Utc, batches, chunks, configs, drops, fires, reported, runs

_FREE: dict[str, Any] = {"owner": None, "lease_until": None}
_PAGE = 500  # chunks read at a time, so that no slow reader holds a transaction open
_FIELDS = [field.name for field in fields(Batch)]
_BATCH = select(*(batches.c[name] for name in _FIELDS))
_BY_ID = _BATCH.where(batches.c.id == bindparam("batch"))
_AFTER = (chunks.c.batch == bindparam("batch"), chunks.c.seq > bindparam("after"))
_CHUNKS = select(chunks).where(*_AFTER).order_by(chunks.c.seq).limit(_PAGE)


class Description(TypedDict, total=False):
    """What becomes known of a batch while it is worked on."""

    sha256: str
    config: str
    reason: str | None
    rows_read: int
    rows_invalid: int


class Ledger:
    """Batches, claims, chunks and what else must be remembered, in SQLite or PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.packets = Packets(engine)
        self.keys = Keys(engine)
        self.erasures = Erasures(engine)

    @classmethod
    def open(cls, url: str) -> Self:
        """Open the ledger at the URL; its tables are made, or brought up to date, first.

        Raises:
            LedgerError: when the URL is wrong, the database unreachable, or the ledger newer than this program.
        """
        engine = database.connect(url)
        try:
            database.migrate(engine)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- batches

    def seen(self, group_key: str) -> set[tuple[str, str]]:
        """Return the (file, version) of every drop of the group that was ever taken up."""
        with database.read(self._engine) as connection:
            known = select(drops.c.file, drops.c.version).where(drops.c.group_key == group_key)
            return {(file, version) for file, version in connection.execute(known)}

    def add(self, drop: Drop, group_key: str) -> Batch | None:
        """Queue a new batch for the drop; None when this version of the file is known already."""
        with database.write(self._engine, "add") as connection:
            batch = sql.queue_batch(connection, group_key, drop.key, drop.version, drop.size)
            identity = {"group_key": group_key, "file": drop.key, "version": drop.version}
            if sql.insert_new(connection, drops, **identity, batch=batch.id):
                return batch
            connection.rollback()
            return None

    def duplicate_of(self, batch: Batch, sha256: str) -> str | None:
        """Return the id of the oldest other batch of the same file with these bytes.

        Describe the batch's own `sha256` first: of two that are worked on at once, at least one then sees the other.
        """
        same = (batches.c.group_key == batch.group_key, batches.c.file == batch.file, batches.c.sha256 == sha256)
        others = select(batches.c.id).where(*same, batches.c.id != batch.id)
        with database.read(self._engine) as connection:
            return connection.scalar(others.order_by(batches.c.received_at, batches.c.id).limit(1))

    def drop_duplicate(self, claim: Claim, original_id: str) -> bool:
        """Forget a batch that is the same as another; its drop now belongs to the original.

        Returns:
            False, and nothing is changed, when this batch is to be worked on: chunks of it were committed, or the
            original was itself forgotten.
        """
        batch_id = claim.batch.id
        with database.write(self._engine, "drop_duplicate") as connection:
            # Both are locked, in one order: two batches must not be forgotten in favour of each other.
            both = select(batches.c.id).where(batches.c.id.in_([batch_id, original_id])).order_by(batches.c.id)
            present = connection.scalars(both.with_for_update()).all()
            sql.fence(connection, claim)
            begun = connection.scalar(select(exists().where(chunks.c.batch == batch_id)))
            if begun or original_id not in present:
                return False
            connection.execute(update(drops).where(drops.c.batch == batch_id).values(batch=original_id))
            connection.execute(delete(runs).where(runs.c.batch == batch_id))
            connection.execute(delete(batches).where(batches.c.id == batch_id))
            return True

    def batch(self, batch_id: str) -> Batch | None:
        """Return the batch, or None when there is none with this id."""
        if "\0" in batch_id:
            return None  # PostgreSQL does not take the question
        with database.read(self._engine) as connection:
            return next(_found(connection, _BY_ID, batch=batch_id), None)

    def batches(
        self,
        groups: str | Collection[str] | None = None,
        state: State | None = None,
        limit: int | None = None,
        before: Batch | None = None,
    ) -> list[Batch]:
        """Return batches, newest first; of one group, of several or of all, and older than a certain one."""
        order = (batches.c.received_at, batches.c.id)
        query = _BATCH.order_by(*(column.desc() for column in order)).limit(limit)
        if groups is not None:
            query = query.where(batches.c.group_key.in_([groups] if isinstance(groups, str) else groups))
        if before is not None:
            query = query.where(tuple_(*order) < tuple_(literal(before.received_at, Utc), before.id))
        if state is not None:
            query = query.where(batches.c.state == state)
        with database.read(self._engine) as connection:
            return list(_found(connection, query))

    def waiting(self, group_key: str) -> list[Batch]:
        """Return the group's batches that anyone may claim now, oldest first."""
        with database.read(self._engine) as connection:
            query = _BATCH.where(batches.c.group_key == group_key, *sql.claimable(connection))
            return list(_found(connection, query.order_by(batches.c.received_at, batches.c.id)))

    # --- claims

    def claim(self, batch_id: str, owner: str, seconds: float = 30) -> Claim | None:
        """Take the batch, to work on it alone; None when it is closed, gone, or somebody works on it.

        No lease lasts longer than `statements.LONGEST`.
        """
        with database.write(self._engine, "claim") as connection:
            now = sql.now(connection)
            taken = (
                update(batches)
                .where(batches.c.id == batch_id, *sql.claimable(connection))
                .values(
                    state=State.RUNNING,
                    token=batches.c.token + 1,
                    owner=owner,
                    lease_until=sql.lease_clock(connection) + timedelta(seconds=seconds),
                    attempts=batches.c.attempts + 1,
                    started_at=func.coalesce(batches.c.started_at, literal(now, Utc)),
                )
                .returning(*_BATCH.selected_columns, batches.c.token, batches.c.attempts)
            )
            row = connection.execute(taken).one_or_none()
            if row is None:
                return None
            *values, token, attempts = row
            claim = Claim(Batch(*values), token, owner, attempts, seconds)
            sql.record_run(connection, claim, now)
            return claim

    def renew(self, claim: Claim, seconds: float = 30) -> None:
        """Keep the claim for so many seconds from now."""
        with database.write(self._engine, "renew") as connection:
            sql.update_fenced(connection, claim, lease_until=sql.lease_clock(connection) + timedelta(seconds=seconds))

    def release(self, claim: Claim, *, crashed: bool = False) -> None:
        """Give an unfinished batch back, for anyone to go on with; unless it `crashed`, this was no attempt."""
        with database.write(self._engine, "release") as connection:
            # counted from what stands there, which is 0 once the run got further than those before it
            attempts = batches.c.attempts - case((batches.c.attempts > 0, int(not crashed)), else_=0)
            sql.fence(connection, claim)
            connection.execute(update(batches).where(batches.c.id == claim.batch.id).values(**_FREE, attempts=attempts))

    def progressed(self, claim: Claim) -> None:
        """Note that this run got further than those before it, so that it is no failed attempt even if it is killed."""
        with database.write(self._engine, "progress") as connection:
            sql.update_fenced(connection, claim, attempts=0)

    def in_progress(self, batch_id: str) -> tuple[str, datetime] | None:
        """Return who works on the batch, and until when at least by the clock of leases; None when nobody does."""
        with database.read(self._engine) as connection:
            held = (batches.c.id == batch_id, sql.lease_holds(connection))
            lease = select(batches.c.owner, batches.c.lease_until).where(*held)
            row = connection.execute(lease).one_or_none()
            return row and (row.owner, row.lease_until)

    def describe(self, claim: Claim, **known: Unpack[Description]) -> None:
        """Write down what became known of the batch; its run keeps the config for audit."""
        with database.write(self._engine, "describe") as connection:
            _describe(connection, claim, known)

    def finish(
        self,
        claim: Claim,
        state: State,
        reason: str | None = None,
        finished_at: datetime | None = None,
        rows_invalid: int | None = None,
    ) -> Batch:
        """Close the batch in the given state, and give its lease back; `finished_at` is now, unless told."""
        closed: dict[str, Any] = {"state": state, "reason": reason and packing.storable(reason), "attempts": 0}
        if rows_invalid is not None:
            closed["rows_invalid"] = rows_invalid
        with database.write(self._engine, "close") as connection:
            sql.update_fenced(connection, claim, **_FREE, **closed, finished_at=finished_at or sql.now(connection))
            return next(_found(connection, _BY_ID, batch=claim.batch.id))

    # --- chunks

    def put(self, claim: Claim, these: Sequence[Chunk], **known: Unpack[Description]) -> None:
        """Commit chunks in one transaction: new ones in this order, known ones (by id) with their new content.

        What became `known` of the batch with them is written down in the same transaction.
        """
        with database.write(self._engine, "put_chunks") as connection:
            if known:
                _describe(connection, claim, known)
            else:
                sql.fence(connection, claim)
            sql.put_chunks(connection, claim.batch.id, these)

    def chunks(self, batch_id: str, integration: str | None = None) -> Iterator[Chunk]:
        """Yield the batch's chunks in the order in which they were first committed."""
        query = _CHUNKS if integration is None else _CHUNKS.where(chunks.c.integration == integration)
        after, page = 0, None
        while page is None or len(page) == _PAGE:
            page, after = self._page(query, batch_id, after)
            yield from page

    def _page(self, query: Select[Any], batch_id: str, after: int) -> tuple[list[Chunk], int]:
        with database.read(self._engine) as connection:
            rows = connection.execute(query, {"batch": batch_id, "after": after}).all()
            return [packing.unpack(row) for row in rows], rows[-1].seq if rows else after

    def reopen(self, seen: Batch, reopened: Sequence[Chunk], *, config: str | None) -> bool:
        """Queue a closed batch again, to owe the rows of the given chunks.

        False when it is not closed any more as it was `seen`: others may have sent what it owed then.
        `config` is the fingerprint of the config to go on with; None keeps the batch's own.
        """
        queued = {"state": State.QUEUED, "finished_at": None, "reason": None}
        as_seen = (batches.c.id == seen.id, batches.c.finished_at == seen.finished_at)
        closed = update(batches).where(*as_seen, batches.c.state.in_(CLOSED))
        with database.write(self._engine, "reopen") as connection:
            row = connection.execute(
                closed.values(**queued, config=func.coalesce(config, batches.c.config)).returning(
                    batches.c.token, batches.c.config
                )
            ).one_or_none()
            if row is None:
                return False
            sql.put_chunks(connection, seen.id, reopened)
            asked = {"trigger": Trigger.RERUN, "started_at": sql.now(connection), "config": row.config}
            connection.execute(runs.insert().values(batch=seen.id, token=row.token + 1, **asked))
            return True

    def amend(self, batch: Batch, these: Sequence[Chunk], packets: Mapping[str, str]) -> bool:
        """Give a closed batch another state, reason and hash, chunks, and hashes of its packets by their ids.

        Returns:
            False, and nothing is changed, when it is not closed any more.
        """
        closed = update(batches).where(batches.c.id == batch.id, batches.c.state.in_(CLOSED))
        known = {"state": batch.state, "reason": batch.reason, "sha256": batch.sha256}
        with database.write(self._engine, "amend") as connection:
            if not connection.execute(closed.values(**known)).rowcount:
                return False
            sql.put_chunks(connection, batch.id, these)
            sql.amend_packets(connection, packets)
            return True

    # --- what else is remembered

    def save_config(self, fingerprint: str, document: str) -> None:
        """Keep a group's config as it was when it was used."""
        with database.write(self._engine, "save_config") as connection:
            sql.insert_new(connection, configs, fingerprint=fingerprint, document=document)

    def config(self, fingerprint: str) -> str | None:
        """Return the config that was saved under the fingerprint."""
        with database.read(self._engine) as connection:
            return connection.scalar(select(configs.c.document).where(configs.c.fingerprint == fingerprint))

    def report_once(self, group_key: str, key: str) -> bool:
        """Tell whether this is the first time that the key is to be reported."""
        with database.write(self._engine, "report") as connection:
            return sql.insert_new(connection, reported, group_key=group_key, file=key)

    def last_fire(self, group_key: str, now: datetime) -> datetime | None:
        """Return the latest nominal time up to now at which the group's schedule ran."""
        passed = (fires.c.group_key == group_key, fires.c.at <= now)
        with database.read(self._engine) as connection:
            last: datetime | None = connection.scalar(select(func.max(fires.c.at)).where(*passed))
            return last

    def fired(self, group_key: str, at: datetime) -> bool:
        """Take a nominal time of the group's schedule; False when it was taken already."""
        with database.write(self._engine, "fire") as connection:
            return sql.insert_new(connection, fires, group_key=group_key, at=at)


def _describe(connection: Connection, claim: Claim, known: Description) -> None:
    sql.update_fenced(connection, claim, **known)
    if "config" in known:
        this_run = update(runs).where(runs.c.batch == claim.batch.id, runs.c.token == claim.token)
        connection.execute(this_run.values(config=known["config"]))


def _found(connection: Connection, query: Select[Any], **which: Any) -> Iterator[Batch]:
    for row in connection.execute(query, which):
        yield msgspec.convert(dict(zip(_FIELDS, row, strict=True)), Batch)  # checked: a damaged ledger holds anything
