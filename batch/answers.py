"""Answers: what was answered to requests, for when they come again.

There are thousands a second, so they go to and from the database as one JSON text a statement: a parameter for each
value would cost many times as much.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import JSON, BigInteger, Connection, Text, bindparam, cast, column, delete, func, select, true
from sqlalchemy.dialects import postgresql, sqlite

from batch import statements as sql
from batch.tables import LASTING, answers

_LASTING = b"\xff"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request, under one of its names (see `timed` and `lasting`).

    `fingerprint` is the hash of its body, and `record` the id of the record that was taken; `until` when it is
    forgotten, in seconds since 1970.
    """

    name: bytes
    fingerprint: bytes
    record: str
    until: int


def timed(until: int, digest: bytes) -> bytes:
    """Return the name of a request that is known by something that tells when it is forgotten, like its signature.

    What comes together stands together in the ledger, which is several times as fast, and needs no index to forget by.
    """
    return until.to_bytes(6) + digest


def lasting(digest: bytes) -> bytes:
    """Return the name of a request that is known by something that tells no time."""
    return _LASTING + digest


def is_lasting(name: bytes) -> bool:
    """Tell whether a name is of that kind."""
    return name.startswith(_LASTING)


def known(connection: Connection, names: Collection[bytes]) -> dict[bytes, Answer]:
    """Return the answers that are known under any of the names."""
    asked = msgspec.json.encode([[name.hex()] for name in names]).decode()
    values = {"values": asked, "now": int(sql.now(connection).timestamp())}
    found = connection.execute(_known(connection.dialect.name), values)
    told = (Answer(bytes.fromhex(row.name), bytes.fromhex(row.fingerprint), row.record, row.until) for row in found)
    return {answer.name: answer for answer in told}


def enter(connection: Connection, given: Sequence[Answer]) -> bool:
    """Insert answers; false when there is one already under the same name."""
    if not given:
        return True
    # in one order, or two processes would wait for each other's names
    ordered = sorted((one.name.hex(), one.fingerprint.hex(), one.record, one.until) for one in given)
    values = {"values": msgspec.json.encode(ordered).decode()}
    counted = {"preserve_rowcount": True}  # or nobody knows it of an INSERT, once it is done
    return connection.execute(_enter(connection.dialect.name), values, execution_options=counted).rowcount == len(given)


def forget(connection: Connection) -> int:
    """Delete the answers whose time is over, and return how many they were."""
    now = int(sql.now(connection).timestamp())
    past = answers.c.name < timed(now + 1, b"").hex()
    return sum(
        connection.execute(delete(answers).where(*over)).rowcount
        for over in ([past], [LASTING, answers.c.until <= now])
    )


@cache
def _known(dialect: str) -> Any:
    value, source = _listed(dialect)
    named = answers.c.name.in_(select(value[0].as_string()).select_from(source))
    return select(answers).where(named, answers.c.until > bindparam("now", type_=BigInteger))


@cache
def _enter(dialect: str) -> postgresql.Insert | sqlite.Insert:
    value, source = _listed(dialect)
    columns = [value[place].as_string() for place in range(3)]
    # `true`, or SQLite takes what follows for a join
    rows = select(*columns, cast(value[3].as_string(), BigInteger)).select_from(source).where(true())
    statement = sql.insert(dialect, answers).from_select(["name", "fingerprint", "record", "until"], rows)
    return statement.on_conflict_do_nothing()


def _listed(dialect: str) -> tuple[Any, Any]:
    """Return a row's value, and the rows, of the JSON list in the parameter `values`."""
    text = bindparam("values", type_=Text)
    if dialect == "postgresql":
        source = func.json_array_elements(cast(text, postgresql.JSON)).table_valued(column("value", postgresql.JSON))
    else:
        source = func.json_each(text).table_valued(column("value", JSON))
    return source.c.value, source
