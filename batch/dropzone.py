"""The drop zone: where customers put their files and find what became of them, on S3 or in a folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from batch.batch import Drop
from batch.errors import DropChanged
from batch.layout import Listing


class DropZoneError(Exception):
    """The drop zone cannot be used (an operator acts); the text says what is wrong and what to do."""


class S3Settings(Protocol):
    """How to reach S3: `endpoint_url` for another S3-compatible service, and the region."""

    @property
    def endpoint_url(self) -> str | None:
        """The service's address; None for Amazon's own."""

    @property
    def region(self) -> str | None:
        """The bucket's region; None for the environment's."""


class DropZone(Protocol):
    """What S3 and a folder do alike. Keys run from the drop zone's root; every method may raise DropZoneError."""

    def groups(self) -> list[str]:
        """Return the group keys under which something lies."""

    def listing(self, group_key: str) -> Listing:
        """Return the drops and strays of exactly this group."""

    def stat(self, key: str) -> Drop | None:
        """Return the file at the key as it is now, or None when there is none."""

    def fetch(self, drop: Drop, to: Path) -> str:
        """Copy the drop to a local file that only this user can read.

        Returns:
            The SHA-256 of its bytes, in hexadecimal.

        Raises:
            DropChanged: when the drop is no longer there at this version.
            BatchError: `file.unreadable`, when it is this file alone that cannot be read.
            OSError: when `to` cannot be written. Whatever is raised, `to` is removed.
        """

    def write(self, key: str, source: Path) -> None:
        """Put a local file at the key, whole or not at all."""

    def put(self, key: str, content: bytes) -> None:
        """Put a small file at a new key; nobody may read it before this returns."""

    def discard(self, key: str) -> None:
        """Remove a file of the program's own, if it is there."""

    def read(self, key: str) -> bytes:
        """Return the bytes of a small file."""

    def upload_url(self, key: str, seconds: int) -> str | None:
        """Return an address to which the file at the key can be PUT for so long; None where there is no such thing."""


def spool(pieces: Iterable[bytes], drop: Drop, to: Path) -> str:
    """Write a drop's bytes to a file that only this user can read, and return their SHA-256.

    Raises:
        DropChanged: when they are not as many as were listed.
    """
    try:
        digest, length = _pour(pieces, to, drop.size)
    except BaseException:
        to.unlink(missing_ok=True)
        raise
    if length != drop.size:
        to.unlink()
        raise DropChanged(f"it has not the {drop.size} bytes that were listed")
    return digest


def _pour(pieces: Iterable[bytes], to: Path, enough: int) -> tuple[str, int]:
    digest, length = hashlib.sha256(), 0
    with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        for piece in pieces:
            file.write(piece)
            digest.update(piece)
            length += len(piece)
            if length > enough:  # a file that grows faster than it is read would never end
                break
    return digest.hexdigest(), length
