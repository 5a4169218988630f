"""The database under the ledger: how it is opened, brought up to date, and how it explains itself."""

from __future__ import annotations

import sqlite3
import threading
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    column,
    create_engine,
    event,
    exc,
    func,
    inspect,
    make_url,
    select,
    table,
)
from tenacity import retry, retry_if_exception, stop_after_delay, wait_random

from batch.errors import LedgerError
from batch.failpoints import reached
from batch.migrations import REVISIONS

FORMS = "write sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
BUSY = 30  # seconds to wait for another writer
IDLE = 10  # seconds for which a transaction may stand still: whoever was stopped in one holds up all the others
VERSION_TABLE = "ledger_version"
_MIGRATION_LOCK = 0x666C6174  # any number that only we lock: "flat"
_alembic_is_global = threading.Lock()


def connect(url: str) -> Engine:
    """Return an engine for the ledger's URL; nothing is opened yet.

    Raises:
        LedgerError: when the URL is not one of a database that can hold a ledger.
    """
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError):
        # The parser's own words may hold a part of the password.
        raise LedgerError(f"`ledger` is not a database URL: {FORMS}.") from None
    match parsed.get_backend_name():
        case "sqlite":
            return _sqlite(parsed)
        case "postgresql":
            return _postgresql(parsed)
        case other:
            raise LedgerError(f"`ledger` cannot be kept in {other!r}: {FORMS}.")


def _sqlite(url: URL) -> Engine:
    if url.database in (None, "", ":memory:"):
        raise LedgerError("`ledger` has to be a file that lasts: write sqlite:///FILE.")
    engine = create_engine(url.set(drivername="sqlite+pysqlite"), connect_args={"timeout": BUSY}, hide_parameters=True)
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)
    return engine


def _set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where we say so, not where the driver guesses
    _write_ahead(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _is_busy(error: BaseException) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY  # its extended codes too


# SQLite does not keep its busy timeout when two connections switch a new file to WAL at once.
@retry(retry=retry_if_exception(_is_busy), stop=stop_after_delay(BUSY), wait=wait_random(0.001, 0.05), reraise=True)
def _write_ahead(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")


def _begin(connection: Connection) -> None:
    # A deferred transaction that turns from reading to writing fails at once when another one has written.
    deferred = connection.get_execution_options().get("reading")
    connection.exec_driver_sql("BEGIN" if deferred else "BEGIN IMMEDIATE")


def _postgresql(url: URL) -> Engine:
    if "@" in (url.host or ""):
        raise LedgerError("`ledger` has an @ in its user or password: write it as %40.")
    # A server that vanished must not hold a thread for ever: the lease would outlive its holder.
    patience: dict[str, Any] = {"connect_timeout": 10, "tcp_user_timeout": 30_000, "application_name": "flatdrop"}
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={name: value for name, value in patience.items() if name not in url.query},
        hide_parameters=True,
        pool_pre_ping=True,
    )
    event.listen(engine, "connect", _limit_idling)
    event.listen(engine, "do_executemany", _execute_many)
    return engine


def _limit_idling(connection: Any, _record: object) -> None:
    connection.execute(f"SET idle_in_transaction_session_timeout = '{IDLE}s'")
    connection.commit()


def _execute_many(cursor: Any, statement: str, parameters: Any, _context: object) -> bool:
    cursor.executemany(statement, parameters)
    cursor.connection.execute("SELECT")  # after a pipeline by itself, PostgreSQL does not look how long it is idle
    return True


def reading(engine: Engine) -> Connection:
    """Return a connection for transactions that only read: on SQLite they wait for no writer."""
    return engine.connect().execution_options(reading=True)


@contextmanager
def write(engine: Engine, name: str) -> Iterator[Connection]:
    """Write in one transaction, which has a name for failpoints.

    Raises:
        LedgerError: when the database refuses or cannot be reached.
    """
    with explained(engine):
        with engine.begin() as connection:
            yield connection
            reached(f"ledger.{name}.before")
        reached(f"ledger.{name}.after")


@contextmanager
def read(engine: Engine) -> Iterator[Connection]:
    """Read in one transaction.

    Raises:
        LedgerError: when the database refuses or cannot be reached.
    """
    with explained(engine), reading(engine) as connection:
        yield connection


@contextmanager
def explained(engine: Engine) -> Iterator[None]:
    """Turn the database's errors into a sentence that names the ledger without its password.

    Raises:
        LedgerError: when the database refuses or cannot be reached, or what it holds is not what was written.
    """
    try:
        yield
    except (exc.DBAPIError, exc.TimeoutError, sqlite3.Error, OSError) as error:
        # Not the cause itself: it would bring the statement along.
        raise LedgerError(f"The ledger {_name(engine)} cannot be used: {_reason(error)}.") from None
    except (LookupError, ValueError, zlib.error) as error:  # what is read is no word, time or chunk of ours
        damaged = f"The ledger {_name(engine)} is damaged: restore it from a backup."
        raise LedgerError(damaged) from error


def _name(engine: Engine) -> str:
    return engine.url.set(query={}).render_as_string(hide_password=True)


def _reason(error: Exception) -> str:
    said = str(error.orig if isinstance(error, exc.DBAPIError) else error).strip()
    if not isinstance(error, exc.OperationalError):
        said = said.partition("\n")[0]  # what follows may hold values; of a failed connection it holds the reasons
    return " ".join(said.split()).rstrip(".") or "no reason given"


def migrate(engine: Engine) -> None:
    """Bring the ledger's tables up to date; several processes may do so at once.

    Raises:
        LedgerError: when the ledger is newer than this program, or cannot be used.
    """
    with explained(engine):
        with reading(engine) as connection:
            if _is_current(connection):
                return
        with _alembic_is_global, engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            if not _is_current(connection):  # another process may have been first
                _upgrade(connection)


def purge(engine: Engine) -> None:
    """Make the database let go of what was deleted or overwritten in it, as far as it can.

    SQLite writes itself anew. PostgreSQL frees the room of old rows, whose bytes go when something else is put there.

    Raises:
        LedgerError: when the database refuses, or somebody else holds it.
    """
    with explained(engine), closing(engine.raw_connection()) as pooled:
        connection: Any = pooled.driver_connection  # not SQLAlchemy's, which begins a transaction for everything
        if engine.dialect.name == "sqlite":
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            connection.autocommit = True
            connection.execute("VACUUM")
            connection.autocommit = False


def _is_current(connection: Connection) -> bool:
    versions = table(VERSION_TABLE, column("version_num"))
    known = inspect(connection).has_table(VERSION_TABLE)
    revision = connection.scalar(select(versions.c.version_num)) if known else None
    if revision is not None and revision not in REVISIONS:
        raise LedgerError(f"The ledger is newer (revision {revision}) than this Flatdrop: install its newer version.")
    return bool(revision == REVISIONS[-1])


def _upgrade(connection: Connection) -> None:
    # most starts find their ledger up to date, and need not wait a sixth of a second for these
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "batch:migrations")
    config.attributes.update(connection=connection, version_table=VERSION_TABLE)
    command.upgrade(config, "head")
