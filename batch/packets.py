"""Packets: records that the API took together, each packet a small drop, and how they become batches.

The ledger's row of a packet is its moment of truth: a drop under `_records/` without one was never acknowledged, and
is never delivered. Every method raises `LedgerError` when the database cannot be used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from functools import cache
from itertools import accumulate
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, delete, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite

from batch import database
from batch import statements as sql
from batch.batch import CLOSED, Batch
from batch.tables import Utc, answers, batches, packets

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


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request, for when it comes again: `name` is a hash of what makes it the same request.

    `fingerprint` is the hash of its body, and `record` the id of the record that was taken.
    """

    name: bytes
    fingerprint: bytes
    record: str
    until: datetime


_PACKET = select(*(packets.c[field.name] for field in fields(Packet)))
_ANSWER = select(*(answers.c[field.name] for field in fields(Answer)))


class Packets:
    """The packets in the ledger, and the answers that were given for their records."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def answered(self, names: Collection[bytes]) -> dict[bytes, Answer]:
        """Return the answers that are known under any of the names."""
        with database.read(self._engine) as connection:
            current = answers.c.until > literal(sql.now(connection), Utc)
            found = connection.execute(_ANSWER.where(answers.c.name.in_(names), current))
            return {row.name: Answer(*row) for row in found}

    def take(self, these: Sequence[Packet], given: Sequence[Answer]) -> bool:
        """Commit packets together with the answers for their records: from here on they will be delivered.

        Returns:
            False, and nothing is committed, when another process has answered one of the requests.
        """
        with database.write(self._engine) as connection:
            if given and not _answer(connection, given):
                connection.rollback()
                return False
            connection.execute(packets.insert(), [asdict(packet) for packet in these])
            return True

    def waiting(self) -> list[str]:
        """Return the keys of the groups that have packets which belong to no batch yet."""
        with database.read(self._engine) as connection:
            keys = select(packets.c.group_key).where(packets.c.batch.is_(None)).distinct()
            return list(connection.scalars(keys.order_by(packets.c.group_key)))

    def gather(self, group_key: str) -> Batch | None:
        """Make one batch of the packets of the group that wait, in the order in which they were taken."""
        waiting = _PACKET.where(packets.c.group_key == group_key, packets.c.batch.is_(None))
        with database.write(self._engine) as connection:
            rows = connection.execute(waiting.order_by(packets.c.seq).limit(_MOST_PACKETS).with_for_update())
            these = _together([Packet(*row) for row in rows])
            if not these:
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
        with database.write(self._engine) as connection:
            over = answers.c.until <= literal(sql.now(connection), Utc)
            return connection.execute(delete(answers).where(over)).rowcount


@cache
def _answering(dialect: str) -> postgresql.Insert | sqlite.Insert:
    """Insert an answer, or take the place of one whose time is over."""
    statement = sql.insert(dialect, answers)
    return statement.on_conflict_do_update(
        index_elements=[answers.c.name],
        set_={name: statement.excluded[name] for name in ("fingerprint", "record", "until")},
        where=answers.c.until <= bindparam("now", type_=Utc),
    )


def _answer(connection: Connection, given: Sequence[Answer]) -> bool:
    now = sql.now(connection)
    values: list[dict[str, Any]] = [{**asdict(answer), "now": now} for answer in given]
    return connection.execute(_answering(connection.dialect.name), values).rowcount == len(given)


def _together(waiting: Sequence[Packet]) -> list[Packet]:
    """Return as many packets as make one batch."""
    return list(_up_to(waiting, _MOST_ROWS))


def _up_to(waiting: Sequence[Packet], rows: int) -> Iterator[Packet]:
    for packet in waiting:
        yield packet
        rows -= packet.rows
        if rows <= 0:
            return


def _file(these: Sequence[Packet]) -> str:
    """Return the name that a batch has as a file: that of its first packet, and how many more there are."""
    first, more = these[0].file, len(these) - 1
    return first if not more else f"{first.removesuffix('.jsonl')}+{more}.jsonl"
