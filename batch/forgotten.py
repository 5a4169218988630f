"""Forgotten people: what they were known by is kept as salted hashes only, so that their rows are known again.

A group's hashes share a salt, for a row to be hashed once. Whoever has the ledger can still try addresses one by one.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import blake2b

import numpy as np
import polars as pl
from sqlalchemy import Engine, select

from batch import database, rowset
from batch import statements as sql
from batch.outcome import Rows
from batch.tables import forgotten
from config.group import Group
from mappers import normalise
from mappers.attribute import Attribute
from mappers.expression import ROW

_WORD = re.compile(r"""[^\s"'<>|;:=,\\{}\[\]]+""")  # an address, a number, an id, wherever it stands
_SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Whom a group was told to forget: hashes of what they are known by, by attribute, of those that the group has."""

    attributes: Mapping[str, Attribute]
    salt: bytes = b""
    digests: Mapping[str, Collection[bytes]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.digests)

    def known(self, attribute: str, text: str) -> bool:
        """Say whether a value of the attribute is that of somebody who is to be forgotten."""
        digests = self.digests.get(attribute, ())
        declared = self.attributes.get(attribute)
        if (
            declared
            and declared.type == "phone"
            and self.digest(normalise.e164(text.strip(), declared.region)) in digests
        ):
            return True
        return self.digest(text) in digests

    def named_in(self, text: str) -> bool:
        """Say whether a word of a text is such a value, whatever its attribute."""
        return any(self.known(attribute, word) for word in _WORD.findall(text) for attribute in self.digests)

    def rows(self, frames: Iterable[pl.DataFrame]) -> Rows:
        """Return the rows of checked records that are of such people."""
        return rowset.union(found for frame in frames for found in self._rows(frame))

    def _rows(self, frame: pl.DataFrame) -> Iterator[Rows]:
        for attribute in self.digests.keys() & set(frame.columns):
            texts = frame[attribute].cast(pl.String)
            known = [text for text in texts.unique().drop_nulls() if self.known(attribute, text)]
            if known:
                yield frame[ROW].filter(texts.is_in(known)).to_numpy().astype(np.int64)

    def _tidy(self, attribute: str, text: str) -> str:
        declared = self.attributes.get(attribute)
        return normalise.e164(text.strip(), declared.region) if declared and declared.type == "phone" else text

    def digest(self, text: str) -> bytes:
        """Return the hash of a text, whose capitals and spaces around it do not count."""
        simple = unicodedata.normalize("NFC", text).strip().casefold()
        return blake2b(simple.encode("utf-8", "surrogateescape"), key=self.salt, digest_size=16).digest()


class Erasures:
    """The forgotten people in the ledger; every method raises `LedgerError` when the database cannot be used."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, group: Group, attribute: str, texts: Iterable[str]) -> Forgotten:
        """Remember from now on that a group is to forget whoever has one of these texts as the attribute's value."""
        with database.write(self._engine, "forget") as connection:
            salts = select(forgotten.c.salt).where(forgotten.c.group_key == group.group_key).limit(1)
            salt = connection.scalar(salts) or secrets.token_bytes(_SALT_BYTES)
            now, nobody = sql.now(connection), Forgotten(group.attributes, salt)
            digests = frozenset(map(nobody.digest, texts))
            for digest in digests:
                row = {"group_key": group.group_key, "attribute": attribute, "digest": digest, "salt": salt, "at": now}
                statement = sql.insert(connection.dialect.name, forgotten).values(**row)
                key = [forgotten.c.group_key, forgotten.c.attribute, forgotten.c.digest]
                connection.execute(statement.on_conflict_do_update(index_elements=key, set_={"at": now}))
            return replace(nobody, digests={attribute: digests})

    def of(self, group: Group, received_at: datetime) -> Forgotten:
        """Return whom the group was told to forget when, or after, something of it was received."""
        query = select(forgotten).where(forgotten.c.group_key == group.group_key, forgotten.c.at >= received_at)
        with database.read(self._engine) as connection:
            rows = connection.execute(query).all()
        names = {row.attribute for row in rows}
        digests = {name: frozenset(row.digest for row in rows if row.attribute == name) for name in names}
        return Forgotten(group.attributes, rows[0].salt if rows else b"", digests)

    def purge(self) -> None:
        """Make the database let go of what was deleted or overwritten in it."""
        database.purge(self._engine)


def forms(text: str, attribute: Attribute) -> set[str]:
    """Return how a value may stand in files and, once it is checked, in memory."""
    cell = pl.DataFrame({"it": [text]}, {"it": pl.String}).with_columns(normalise.tidy(pl.col("it"), attribute))
    found = [text, cell.item()]
    if normalise.has_value(attribute):
        found.append(cell.select(normalise.value("it", attribute).cast(pl.String)).item())
    return {one for one in found if one}
