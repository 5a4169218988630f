"""The vault: how the secrets of API keys lie in the ledger, encrypted with a key that the ledger never has."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Iterable
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from batch.keys import Key
from config.deployment import Deployment
from config.errors import BadValueError, ConfigError, Problem
from config.references import resolve

_PLACE = "api.secret_key"
_NONCE = 12
_BITS_OF_32_BYTES = "AEIMQUYcgkosw048"  # those that the last of 43 characters can be
_KEY = re.compile(rf"(?:[A-Za-z0-9+/]{{42}}|[A-Za-z0-9_-]{{42}})[{_BITS_OF_32_BYTES}]=?")
_STANDARD = str.maketrans("-_", "+/")
_MAKE = "make one with `openssl rand -base64 32`, and keep it: the API keys are of no use without it"
_WRONG = "what it refers to is not the key that the API keys' secrets were encrypted with: it does not open that of"
_LOST = "put the right one back; if it is lost, revoke the API keys and create new ones"


class Vault:
    """Encrypts secrets with AES-256-GCM, each for the one key id that it belongs to."""

    def __init__(self, secret_key: str) -> None:
        """Take the key to encrypt with: 32 bytes in base64, standard or URL-safe, with or without padding.

        Raises:
            ConfigError: when it is anything else; it is not repeated.
        """
        if not _KEY.fullmatch(secret_key):
            raise ConfigError([Problem("what it refers to is not 32 bytes in base64", path=_PLACE, hint=_MAKE)])
        self._cipher = AESGCM(base64.b64decode(secret_key[:43].translate(_STANDARD) + "="))

    @classmethod
    def of(cls, deployment: Deployment) -> Self:
        """Return the vault of a deployment.

        Raises:
            ConfigError: when its secret key is not where the reference says, or is none.
        """
        try:
            secret_key = resolve(deployment.api.secret_key, deployment.base, deployment.s3.region)
        except BadValueError as mistake:
            raise ConfigError([Problem(mistake.reason, path=_PLACE, hint=mistake.hint or _MAKE)]) from None
        return cls(secret_key)

    def encrypt(self, secret: str, key_id: str) -> bytes:
        """Return the secret of an API key as the ledger keeps it."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), key_id.encode())

    def decrypt(self, kept: bytes, key_id: str) -> str:
        """Return the secret of an API key from what the ledger keeps of it.

        Raises:
            ConfigError: when it was encrypted with another key, or for another key id, or is damaged.
        """
        try:
            return self._cipher.decrypt(kept[:_NONCE], kept[_NONCE:], key_id.encode()).decode()
        except (InvalidTag, ValueError):  # ValueError: too short to have been encrypted at all
            raise ConfigError([Problem(f"{_WRONG} {key_id}", path=_PLACE, hint=_LOST)]) from None

    def prove(self, keys: Iterable[Key]) -> None:
        """Make sure that this vault opens the secrets of all these keys but the revoked ones.

        Raises:
            ConfigError: when it does not.
        """
        for key in keys:
            if key.revoked_at is None:
                self.decrypt(key.secret, key.id)
