"""The ledger's tables. `batch/migrations` makes them; a test holds the two together."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Enum,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

from batch.batch import State
from batch.chunk import ChunkState
from batch.outcome import Outcome


class Utc(TypeDecorator[datetime]):
    """A moment in UTC. SQLite keeps no zone, and PostgreSQL answers in the session's."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Turn any aware time into UTC, so that SQLite's text sorts as time."""
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Turn what the database answers into UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Trigger(StrEnum):
    """What made a run of a batch start."""

    FIRST = "first"
    RESUME = "resume"
    RERUN = "rerun"


def _word(words: type[StrEnum]) -> Enum:
    """Store an enum as its plain word: a new word needs no migration."""
    return Enum(words, native_enum=False, length=16, values_callable=lambda enum: [word.value for word in enum])


metadata = MetaData()

_OPEN = text("finished_at IS NULL")  # an index of these stays small, however many batches there were

batches = Table(
    "batches",
    metadata,
    Column("id", Text, primary_key=True),
    Column("group_key", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("state", _word(State), nullable=False),
    Column("received_at", Utc, nullable=False),
    Column("sha256", Text),
    Column("reason", Text),
    Column("config", Text),
    Column("started_at", Utc),
    Column("finished_at", Utc),
    Column("rows_read", BigInteger),
    Column("rows_invalid", BigInteger),
    Column("token", Integer, nullable=False, default=0),  # the fencing number: +1 a claim
    Column("owner", Text),  # who holds the lease; null when it was given back
    Column("lease_until", Utc),
    Column("attempts", Integer, nullable=False, default=0),  # claims since it was last closed or given back in order
    Index("batches_file", "group_key", "file"),
    Index("batches_received", "group_key", "received_at"),
    Index("batches_open", "group_key", "received_at", sqlite_where=_OPEN, postgresql_where=_OPEN),
)

drops = Table(  # every drop that was ever taken up: the only memory of what is not new
    "drops",
    metadata,
    Column("group_key", Text, primary_key=True),
    Column("file", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("batch", ForeignKey("batches.id"), nullable=False, index=True),
)

chunks = Table(
    "chunks",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),  # the order of first insertion
    Column("batch", ForeignKey("batches.id"), nullable=False),
    Column("id", Text, nullable=False),
    Column("integration", Text, nullable=False),
    Column("state", _word(ChunkState), nullable=False),
    Column("outcome", _word(Outcome)),
    Column("rows", LargeBinary, nullable=False),
    Column("findings", LargeBinary, nullable=False),
    Column("key", Text),
    Column("payload", Text),
    Column("requests", Integer, nullable=False),
    Column("possible_duplicates", BigInteger, nullable=False),
    Column("job", Text),  # the destination's id of the job that the request has started
    UniqueConstraint("batch", "id"),
    Index("chunks_integration", "batch", "integration", "seq"),
    sqlite_autoincrement=True,
)

runs = Table(  # for audit: who worked on a batch, when, why, with which config
    "runs",
    metadata,
    Column("batch", ForeignKey("batches.id"), primary_key=True),
    Column("token", Integer, primary_key=True),
    Column("trigger", _word(Trigger), nullable=False),
    Column("started_at", Utc, nullable=False),
    Column("owner", Text),  # null while a rerun was asked for and has not begun
    Column("config", Text),
)

configs = Table(
    "configs",
    metadata,
    Column("fingerprint", Text, primary_key=True),
    Column("document", Text, nullable=False),
)

reported = Table(  # files that are not drops, each told of once
    "reported",
    metadata,
    Column("group_key", Text, primary_key=True),
    Column("file", Text, primary_key=True),
)

fires = Table(  # nominal times at which a group's schedule ran
    "fires",
    metadata,
    Column("group_key", Text, primary_key=True),
    Column("at", Utc, primary_key=True),
)

forgotten = Table(  # whom a group is not to know any more, by salted hashes of what they are known by
    "forgotten",
    metadata,
    Column("group_key", Text, primary_key=True),
    Column("attribute", Text, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("salt", LargeBinary, nullable=False),
    Column("at", Utc, nullable=False),  # what is received later is a new matter
)

_WAITS = text("batch IS NULL")  # an index of these stays small, however many there were

packets = Table(  # records that the API took together: one small drop, and a part of one batch
    "packets",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),  # the order of commits
    Column("id", Text, nullable=False, unique=True),
    Column("group_key", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("taken_at", Utc, nullable=False),
    Column("batch", ForeignKey("batches.id"), index=True),  # null while it waits
    Column("first_row", BigInteger),  # the row of the batch that its first record is
    Index("packets_waiting", "group_key", "seq", sqlite_where=_WAITS, postgresql_where=_WAITS),
    sqlite_autoincrement=True,
)

LASTING = text("name >= 'ff'")  # answers that are asked for by something that tells no time; there are fewer

answers = Table(  # what was answered to a request, by a hash of what makes the request the same one again
    "answers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("record", Text, nullable=False),
    Column("until", BigInteger, nullable=False),  # seconds since 1970: there are thousands a second
    Index("answers_lasting", "until", sqlite_where=LASTING, postgresql_where=LASTING),
    sqlite_with_rowid=False,
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("secret", LargeBinary, nullable=False),  # encrypted
    Column("name", Text),
    Column("groups", JSON, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("last_used_at", Utc),
    Column("revoked_at", Utc),
)
