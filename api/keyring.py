"""The keyring: the valid credentials, in memory, since every request asks for one."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from datetime import UTC, datetime

import structlog

from api.credential import Credential
from api.vault import Vault
from batch.errors import LedgerError
from batch.keys import Key, Keys
from config.errors import ConfigError

_APART = 0.5  # seconds between two refreshes that callers ask for: wrong signatures must not keep the ledger busy

log = structlog.get_logger()


class Keyring:
    """The valid credentials of a ledger as of the last refresh; it is empty before the first one.

    It may be used from several threads, but `fresh` only from one event loop.
    """

    def __init__(self, keys: Keys, vault: Vault) -> None:
        self._keys, self._vault = keys, vault
        self._credentials: dict[str, Credential] = {}
        self._opened: dict[tuple[str, bytes], str | None] = {}
        self._used: dict[str, datetime] = {}
        self._noting = threading.Lock()
        self._refreshing = threading.Lock()
        self._tried = self._as_of = -math.inf  # when the last refresh began, and the last one that succeeded
        self._next: asyncio.Task[None] | None = None

    def find(self, key_id: str) -> Credential | None:
        """Return the valid credential with this id."""
        return self._credentials.get(key_id)

    def refresh(self) -> None:
        """Read the ledger again: new keys come, revoked ones vanish. A secret that cannot be opened is logged once.

        Raises:
            LedgerError: when the ledger cannot be read; then the credentials stay as they are.
        """
        with self._refreshing:  # one at a time, or a slow one would bring back what a later one found revoked
            began = self._tried = time.monotonic()
            valid = [key for key in self._keys.every() if key.revoked_at is None]
            self._opened = {(key.id, key.secret): self._secret(key) for key in valid}
            self._credentials = {
                key.id: Credential(key.id, secret, frozenset(key.groups))
                for key in valid
                if (secret := self._opened[key.id, key.secret]) is not None
            }
            self._as_of = began

    async def fresh(self) -> None:
        """Return when the credentials are as of this call, or later; many who ask at once share one refresh.

        Raises:
            LedgerError: when the ledger cannot be read.
        """
        asked = time.monotonic()
        while self._as_of < asked:
            if self._next is None or self._next.done():
                self._next = asyncio.create_task(self._refresh_next())
            await asyncio.shield(self._next)  # a caller that is cancelled must not cancel it for the others

    def used(self, key_id: str) -> None:
        """Note that a key is used now, to the second or so; `flush` writes it down."""
        if key_id in self._used:
            return  # most often: it is asked for each request
        moment = datetime.now(UTC)
        with self._noting:
            self._used[key_id] = moment

    def flush(self) -> None:
        """Write down when keys were last used.

        Raises:
            LedgerError: when the ledger cannot be written; then the next flush writes it.
        """
        with self._noting:
            times, self._used = self._used, {}
        try:
            self._keys.used(times)
        except LedgerError:
            with self._noting:
                self._used = {**times, **self._used}
            raise

    def _secret(self, key: Key) -> str | None:
        """Return a key's secret, opened at most once; None when it cannot be opened."""
        if (key.id, key.secret) in self._opened:
            return self._opened[key.id, key.secret]
        try:
            return self._vault.decrypt(key.secret, key.id)
        except ConfigError as error:  # one bad row must not stop a server that others use
            log.warning("key.not_opened", key=key.id, reason=str(error))
            return None

    async def _refresh_next(self) -> None:
        await asyncio.sleep(max(0.0, self._tried + _APART - time.monotonic()))
        await asyncio.to_thread(self.refresh)
