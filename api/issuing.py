"""Issuing: how API keys are made."""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterable

from api.credential import Credential
from api.vault import Vault
from batch.ledger import Ledger

_ID = string.ascii_uppercase + string.digits
_SECRET = string.ascii_letters + string.digits  # no shell and no URL reads these as anything else


def issue(ledger: Ledger, vault: Vault, groups: Iterable[str], name: str | None = None) -> Credential:
    """Make a key that may use these groups, valid from now. Its secret is nowhere else but encrypted in the ledger.

    Raises:
        ConfigError: when the vault does not open the keys that are there; secrets of two vaults must never mix.
        LedgerError: when the ledger cannot be used.
    """
    vault.prove(ledger.keys.every())
    key_id, secret = f"FD{_drawn(18, _ID)}", _drawn(40, _SECRET)
    key = ledger.keys.add(key_id, vault.encrypt(secret, key_id), name, tuple(dict.fromkeys(groups)))
    return Credential(key.id, secret, frozenset(key.groups))


def _drawn(length: int, characters: str) -> str:
    return "".join(secrets.choice(characters) for _ in range(length))
