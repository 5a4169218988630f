"""API keys in the ledger: who may call the API for which groups. Their secrets are encrypted before they come here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime

from sqlalchemy import Engine, bindparam, func, literal, or_, select, update

from batch import database
from batch import statements as sql
from batch.tables import Utc, api_keys


@dataclass(frozen=True, slots=True)
class Key:
    """An API key: its id (the ACCESS_KEY_ID), its encrypted secret, and the groups that it may send to and ask for."""

    id: str
    secret: bytes
    name: str | None
    groups: tuple[str, ...]
    created_at: datetime
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


_KEY = select(*(api_keys.c[field.name] for field in fields(Key)))


class Keys:
    """The API keys in the ledger; every method raises `LedgerError` when the database cannot be used."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, key_id: str, secret: bytes, name: str | None, groups: tuple[str, ...]) -> Key:
        """Add a key, valid from now."""
        with database.write(self._engine, "add_key") as connection:
            key = Key(key_id, secret, name, groups, sql.now(connection))
            connection.execute(api_keys.insert().values(**asdict(key)))
            return key

    def every(self) -> list[Key]:
        """Return all keys, revoked ones too, oldest first."""
        with database.read(self._engine) as connection:
            rows = connection.execute(_KEY.order_by(api_keys.c.created_at, api_keys.c.id))
            return [Key(row.id, row.secret, row.name, tuple(row.groups), *row[4:]) for row in rows]

    def revoke(self, key_id: str) -> bool:
        """Make a key invalid from now on; False when there is none with this id. Its first revocation stands."""
        with database.write(self._engine, "revoke_key") as connection:
            first = func.coalesce(api_keys.c.revoked_at, literal(sql.now(connection), Utc))
            one = update(api_keys).where(api_keys.c.id == key_id).values(revoked_at=first)
            return connection.execute(one).rowcount == 1

    def used(self, times: Mapping[str, datetime]) -> None:
        """Note when keys were last used; a later note of another process stands."""
        if not times:
            return
        moment = bindparam("moment", type_=Utc)
        earlier = or_(api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at < moment)
        note = update(api_keys).where(api_keys.c.id == bindparam("key"), earlier).values(last_used_at=moment)
        with database.write(self._engine, "note_keys") as connection:
            connection.execute(note, [{"key": key, "moment": at} for key, at in times.items()])
