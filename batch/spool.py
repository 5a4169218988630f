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

_IN_MEMORY = 80 << 20
"""Bytes of checked records that are kept in memory, whatever the size of the file: most nights fit in."""


class Spool(AbstractContextManager["Spool"]):
    """A folder that only this user can read and that is gone when the run is over.

    It makes the way of a batch two passes over local files: everything is read and checked before the first record is
    sent, whatever the size of the file, with a bounded part of it in memory.
    """

    def __init__(self) -> None:
        _sweep()
        self._folder = tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True)
        self._path = Path(self._folder.name)
        self._lock = (self._path / _LOCK).open("wb")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._frames: list[pl.DataFrame | Path] = []
        self._held = 0

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
        """Keep the checked records of one block: in memory while there is room, and then on disk."""
        if frame.is_empty():
            return
        size = int(frame.estimated_size())
        if self._held + size <= _IN_MEMORY:
            self._held += size
            self._frames.append(frame)
        else:
            path = self._path / f"{len(self._frames)}.arrow"
            frame.write_ipc(path)
            self._frames.append(path)

    def frames(self) -> Iterator[pl.DataFrame]:
        """Yield the kept frames, in order; of those on disk, one is in memory at a time."""
        for kept in self._frames:
            yield pl.read_ipc(kept) if isinstance(kept, Path) else kept


def trouble(error: OSError) -> str:
    """Return a sentence for an operator on what the system says of this machine's disk."""
    said = error.strerror or str(error) or type(error).__name__
    where = f": {error.filename}" if error.filename else ""
    place = tempfile.tempdir or "the system's folder for them"
    return (
        f"This machine's disk cannot be used: {said}{where}. Temporary files are in {place}: make room there, or set "
        "TMPDIR to another folder."
    )


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
