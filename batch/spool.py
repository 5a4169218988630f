"""The spool: a private folder for one run of a batch, with the drop's bytes and its checked records."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType

import polars as pl

_PREFIX = "flatdrop-"
_LOCK = ".lock"
_YOUNG = 60  # seconds; a younger spool may not have got its lock yet


class Spool(AbstractContextManager["Spool"]):
    """A folder that only this user can read and that is gone when the run is over.

    It makes the way of a batch two passes over local files: everything is read and checked before the first record is
    sent, whatever the size of the file, with one block in memory.
    """

    def __init__(self) -> None:
        _sweep()
        self._folder = tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True)
        self._path = Path(self._folder.name)
        self._lock = (self._path / _LOCK).open("wb")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._count = 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.close()
        self._folder.cleanup()

    @property
    def drop(self) -> Path:
        """Where the drop's own bytes stand."""
        return self._path / "drop"

    def file(self, name: str) -> Path:
        """Return the path of a further file of this run."""
        return self._path / name

    def add(self, frame: pl.DataFrame) -> None:
        """Keep the checked records of one block."""
        if frame.height:
            frame.write_ipc(self._path / f"{self._count}.arrow")
            self._count += 1

    def frames(self) -> Iterator[pl.DataFrame]:
        """Yield the kept frames, in order, one in memory at a time."""
        for number in range(self._count):
            yield pl.read_ipc(self._path / f"{number}.arrow")


def _sweep() -> None:
    """Remove the spools of processes that were killed, for they hold customers' records and fill the disk.

    A living process holds the lock of its spool.
    """
    for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
        with suppress(OSError):  # held, gone, or somebody else's
            if lock.stat().st_mtime < time.time() - _YOUNG:
                with lock.open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(lock.parent, ignore_errors=True)
