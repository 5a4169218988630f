"""The spool: a private folder for one run of a batch, with the drop's bytes and its checked records."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

import polars as pl


class Spool(AbstractContextManager["Spool"]):
    """A folder that only this user can read and that is gone when the run is over.

    It makes the way of a batch two passes over local files: everything is read and checked before the first record is
    sent, whatever the size of the file, with one block in memory.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="flatdrop-", ignore_cleanup_errors=True)
        self._path = Path(self._folder.name)
        self._count = 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
