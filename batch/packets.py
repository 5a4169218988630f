"""Packets: records that the API took together, each packet a small drop, and how they become batches.

The ledger's row of a packet is its moment of truth: a drop under `_records/` without one was never acknowledged, and
is never delivered. Every method raises `LedgerError` when the database cannot be used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import accumulate

from sqlalchemy import Connection, Engine, bindparam, exists, select, update

from batch import answers, database
from batch import statements as sql
from batch.answers import Answer
from batch.batch import CLOSED, Batch
from batch.layout import is_records
from batch.tables import Trigger, batches, packets, runs

_MOST_PACKETS = 1000
_MOST_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class Packet:
    """Records of one group that were taken together: a small drop, and once it is gathered a part of a batch.

    `first_row` is the row of `batch` that the packet's first record is; both are None while the packet waits.
    """

    id: str
    group_key: str
    file: str
    bytes: int
    sha256: str
    rows: int
    taken_at: datetime
    batch: str | None = None
    first_row: int | None = None

    def record_id(self, number: int) -> str:
        """Return the id of the packet's record of this number, counted from 1."""
        return f"{self.id}-{number}"


_ENTER = packets.insert()
_COLUMNS = [field.name for field in fields(Packet)]
_BATCH = select(*(batches.c[field.name] for field in fields(Batch)))
_PACKET = select(*(packets.c[field.name] for field in fields(Packet)))


class Packets:
    """The packets in the ledger, and the answers that were given for their records."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def answered(self, names: Collection[bytes]) -> dict[bytes, Answer]:
        """Return the answers that are known under any of the names."""
        with database.read(self._engine) as connection:
            return answers.known(connection, names)

    def take(self, these: Sequence[Packet], given: Sequence[Answer]) -> bool:
        """Commit packets together with the answers for their records: from here on they will be delivered.

        Returns:
            False, and nothing is committed, when another process has answered one of the requests.
        """
        with database.write(self._engine, "take") as connection:
            if not answers.enter(connection, given):
                connection.rollback()
                return False
            if these:
                connection.execute(_ENTER, [{name: getattr(packet, name) for name in _COLUMNS} for packet in these])
            return True

    def waiting(self) -> list[str]:
        """Return the keys of the groups that have packets which belong to no batch yet."""
        with database.read(self._engine) as connection:
            keys = select(packets.c.group_key).where(packets.c.batch.is_(None)).distinct()
            return list(connection.scalars(keys.order_by(packets.c.group_key)))

    def unfinished(self, group_key: str) -> list[str]:
        """Return the ids of the group's batches of records that were never closed, oldest first."""
        with database.read(self._engine) as connection:
            return _unfinished(connection, group_key)

    def due(self, group_key: str, in_hand: Collection[str] = ()) -> Batch | None:
        """Return the batch of the group's records that is to begin now: one that was left, or what waits, gathered.

        None while an earlier one is in somebody else's hands, for later records must not overtake it. Who has batches
        `in_hand` sees to that for these.
        """
        with database.read(self._engine) as connection:
            ahead = next((one for one in _unfinished(connection, group_key) if one not in in_hand), None)
            if ahead is not None:
                row = connection.execute(_BATCH.where(batches.c.id == ahead, *sql.claimable(connection))).one_or_none()
                return None if row is None else Batch(*row)
            waits = select(packets.c.seq).where(packets.c.group_key == group_key, packets.c.batch.is_(None))
            if connection.scalar(waits.limit(1)) is None:
                return None
        return self.gather(group_key, in_hand)

    def gather(self, group_key: str, in_hand: Collection[str] = ()) -> Batch | None:
        """Make one batch of the packets of the group that wait, in the order in which they were taken.

        None while an earlier batch of the group's records is unfinished, unless it is one of those `in_hand`.
        """
        waiting = _PACKET.where(packets.c.group_key == group_key, packets.c.batch.is_(None))
        with database.write(self._engine, "gather") as connection:
            rows = connection.execute(waiting.order_by(packets.c.seq).limit(_MOST_PACKETS).with_for_update())
            these = list(_up_to(_MOST_ROWS, (Packet(*row) for row in rows)))
            # looked at once the packets are locked: nobody else gathers now
            if not these or not set(in_hand).issuperset(_unfinished(connection, group_key)):
                return None
            version = hashlib.sha256("".join(one.sha256 for one in these).encode()).hexdigest()
            batch = sql.queue_batch(connection, group_key, _file(these), version, sum(one.bytes for one in these))
            part_of = update(packets).where(packets.c.id == bindparam("packet"))
            ends = accumulate(one.rows for one in these)
            places = [{"packet": one.id, "first_row": end - one.rows + 1} for one, end in zip(these, ends, strict=True)]
            connection.execute(part_of.values(batch=batch.id, first_row=bindparam("first_row")), places)
            return batch

    def of(self, batch_id: str) -> list[Packet]:
        """Return the packets that a batch is made of, in row order; none for a batch of a customer's file."""
        with database.read(self._engine) as connection:
            mine = _PACKET.where(packets.c.batch == batch_id).order_by(packets.c.first_row)
            return [Packet(*row) for row in connection.execute(mine)]

    def find(self, record_id: str, group_keys: Collection[str]) -> tuple[Packet, int] | None:
        """Return the packet of a record with the record's number in it, if it is of one of the groups."""
        packet_id, _, number = record_id.rpartition("-")
        with database.read(self._engine) as connection:
            query = _PACKET.where(packets.c.id == packet_id, packets.c.group_key.in_(group_keys))
            row = connection.execute(query).one_or_none()
        packet = None if row is None else Packet(*row)
        found = packet and next((place for place in range(1, packet.rows + 1) if str(place) == number), None)
        return (packet, found) if packet and found else None

    def closed(self, ids: Collection[str]) -> set[str]:
        """Return those of the packets whose batch is closed."""
        done = packets.join(batches, packets.c.batch == batches.c.id)
        query = select(packets.c.id).select_from(done).where(packets.c.id.in_(ids), batches.c.state.in_(CLOSED))
        with database.read(self._engine) as connection:
            return set(connection.scalars(query))

    def forget_answers(self) -> int:
        """Delete the answers whose time is over, and return how many they were."""
        with database.write(self._engine, "forget_answers") as connection:
            return answers.forget(connection)


def _unfinished(connection: Connection, group_key: str) -> list[str]:
    """Return the open batches of records, oldest first; one that is rerun is none: it is late by an operator's wish."""
    rerun = exists().where(runs.c.batch == batches.c.id, runs.c.trigger == Trigger.RERUN)
    opened = select(batches.c.id, batches.c.file).where(
        batches.c.group_key == group_key, batches.c.finished_at.is_(None), ~rerun
    )
    ordered = connection.execute(opened.order_by(batches.c.received_at, batches.c.id))
    return [row.id for row in ordered if is_records(row.file)]


def _up_to(rows: int, waiting: Iterable[Packet]) -> Iterator[Packet]:
    """Yield as many packets as make one batch."""
    for packet in waiting:
        yield packet
        rows -= packet.rows
        if rows <= 0:
            return


def _file(these: Sequence[Packet]) -> str:
    """Return the name that a batch has as a file: that of its first packet, and how many more there are."""
    first, more = these[0].file, len(these) - 1
    return first if not more else f"{first.removesuffix('.jsonl')}+{more}.jsonl"
