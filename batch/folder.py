"""A drop zone in a folder."""

from __future__ import annotations

import io
import os
import shutil
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from batch.batch import Drop
from batch.dropzone import DropZoneError, spool
from batch.errors import BatchError, DropChanged
from batch.failpoints import around
from batch.layout import Listing, is_group, sort_out

STILL = 1.0
"""Seconds for which a file must not have changed before it counts as wholly there."""

PATIENCE = 60.0
"""Seconds that a listing waits for files that are being written; what takes longer is left for the next run."""

_PIECE = 1 << 20
_MANY = 1000  # folders that are remembered: every batch has one of its own for its results
_LATEST = datetime(9999, 1, 1, tzinfo=UTC)


class FolderZone:
    """A folder with one folder a group. Symbolic links are not followed, so that no group reaches outside itself."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._safe: set[Path] = set()

    def groups(self) -> list[str]:
        """Return the group keys under which something lies."""
        with self._speaking("groups"), os.scandir(self._root) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        return sorted(name for name in names if is_group(name) and _is_text(name))

    def listing(self, group_key: str) -> Listing:
        """Return the drops and strays of exactly this group; files that are being written are waited for."""
        with self._speaking("listing"):
            if self._path(f"{group_key}/_") is None:
                raise DropZoneError(f"{group_key}/ in the drop zone is a symbolic link; make it a folder, or mount it.")
            found, odd = self._walk(group_key)
            listing = sort_out(found, odd)
            return sort_out(self._settled(listing.drops), listing.strays)

    def stat(self, key: str) -> Drop | None:
        """Return the file at the key as it is now, or None when there is none."""
        with self._speaking("stat"), suppress(FileNotFoundError, NotADirectoryError):
            path = self._path(key)
            found = path.lstat() if path else None
            if found and stat.S_ISREG(found.st_mode):
                return _drop(key, found)
        return None

    def fetch(self, drop: Drop, to: Path) -> str:
        """Copy the drop to a local file and return its SHA-256; see DropZone."""
        return spool(self._pieces(drop), drop, to)

    def write(self, key: str, source: Path) -> None:
        """Put a local file at the key, whole or not at all, and see it safely to the disk."""
        with self._speaking("write"):
            path = self._place(key)
            # Directly under the group, where a name that begins with a dot is no drop.
            half = self._root / key.partition("/")[0] / f".{uuid4().hex}"
            try:
                with source.open("rb") as whole:
                    _copy(whole, half)
                half.replace(path)
            finally:
                half.unlink(missing_ok=True)
            _sync(path.parent)

    def put(self, key: str, content: bytes) -> None:
        """Put a small file at a new key, and see it safely to the disk; nobody may read it before this returns."""
        with self._speaking("put"):
            path = self._place(key)
            _copy(io.BytesIO(content), path)
            _sync(path.parent)

    def upload_url(self, key: str, seconds: int) -> None:  # noqa: ARG002 - a folder has no address
        """Return None: nobody can reach a folder from elsewhere."""
        return

    def _place(self, key: str) -> Path:
        """Return where a file with this key goes, in a folder that is there."""
        path = self._path(key)
        if path is None or path.parent == self._root:
            raise DropZoneError("A file's key must lie in its group's folder, and not behind a symbolic link.")
        self._make(path.parent)
        return path

    def _make(self, folder: Path) -> None:
        """Make a folder, and see its name safely to the disk, once in the life of this process."""
        if folder in self._safe:
            if folder.is_dir():
                return
            self._safe.clear()  # somebody cleans up
        if folder != self._root:
            self._make(folder.parent)
            folder.mkdir(exist_ok=True)
            _sync(folder.parent)
        if len(self._safe) >= _MANY:
            self._safe.clear()
        self._safe.add(folder)

    def discard(self, key: str) -> None:
        """Remove a file of the program's own, if it is there."""
        with self._speaking("discard"), suppress(FileNotFoundError):
            if path := self._path(key):
                path.unlink()

    def read(self, key: str) -> bytes:
        """Return the bytes of a small file."""
        with self._speaking("read"):
            path = self._path(key)
            if path is None or not stat.S_ISREG(path.lstat().st_mode):
                raise DropZoneError(f"{key!r} is not a file in the drop zone.")
            return path.read_bytes()

    def _path(self, key: str) -> Path | None:
        """Return where the key is on the disk, or None when that is not inside the drop zone."""
        if "\0" in key or any(segment in {"", ".", ".."} for segment in key.split("/")):
            return None
        path = self._root / key
        return path if path.parent.resolve() == path.parent else None

    def _walk(self, group_key: str) -> tuple[list[Drop], list[str]]:
        """Return every file under the group, and the keys of what is neither file nor folder."""
        found: list[Drop] = []
        odd: list[str] = []
        folders = [group_key] if (self._root / group_key).is_dir() else []
        while folders:
            folder = folders.pop()
            with os.scandir(self._root / folder) as entries:
                for entry in entries:
                    key = f"{folder}/{entry.name}"
                    if not _is_text(key):
                        odd.append(_printable(key))
                    elif entry.is_dir(follow_symlinks=False):
                        folders.append(key)
                    elif entry.is_file(follow_symlinks=False):
                        with suppress(FileNotFoundError):  # deleted since the folder was read
                            found.append(_drop(key, entry.stat(follow_symlinks=False)))
                    else:
                        odd.append(key)
        return found, odd

    def _settled(self, drops: Sequence[Drop]) -> list[Drop]:
        """Return the drops that nobody writes to any more.

        Two looks at the file decide, for its own time may come from another machine's clock.
        """
        give_up = time.monotonic() + PATIENCE
        fresh = {drop.key: drop for drop in drops if drop.modified.timestamp() > time.time() - STILL}
        settled = [drop for drop in drops if drop.key not in fresh]
        while fresh and time.monotonic() < give_up:
            time.sleep(STILL)
            now = {key: self.stat(key) for key in fresh}
            settled += [drop for key, drop in fresh.items() if now[key] == drop]
            fresh = {key: drop for key, drop in now.items() if drop and fresh[key] != drop}
        return settled

    def _pieces(self, drop: Drop) -> Iterator[bytes]:
        """Yield the drop's bytes, sure at both ends that the open file is the one that was listed."""
        with self._speaking("fetch"):
            try:
                with self._opened(drop.key) as file:
                    _same(drop, file)
                    while piece := os.read(file, _PIECE):
                        yield piece
                    _same(drop, file)
            except OSError as error:  # one file's trouble, which the others need not share
                raise BatchError("file.unreadable", f"The file could not be read: {error.strerror}.") from None

    @contextmanager
    def _opened(self, key: str) -> Iterator[int]:
        path = self._path(key)
        if path is None or self.stat(key) is None:
            raise DropChanged("it is not there any more")
        # NONBLOCK, lest somebody put a pipe in its place just now.
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            yield file
        finally:
            os.close(file)

    @contextmanager
    def _speaking(self, name: str) -> Iterator[None]:
        """Ask for the drop zone's folder, and turn what the system says into a sentence for an operator."""
        if not self._root.is_dir():
            raise DropZoneError(f"The drop zone's folder {self._root} does not exist; make it.")
        try:
            with around(f"zone.{name}"):
                yield
        except OSError as error:
            raise DropZoneError(_printable(f"The drop zone {self._root} cannot be used: {error}.")) from None


def _drop(key: str, found: os.stat_result) -> Drop:
    # A file's time is its writer's to choose, even beyond what Python can hold.
    modified = datetime.fromtimestamp(max(0.0, min(found.st_mtime_ns / 1e9, _LATEST.timestamp())), UTC)
    return Drop(key.partition("/")[0], key, _version(found), found.st_size, modified)


def _version(found: os.stat_result) -> str:
    return f"{found.st_mtime_ns}-{found.st_size}-{found.st_ino}"


def _same(drop: Drop, file: int) -> None:
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode) or _version(found) != drop.version:
        raise DropChanged("it was written to after it was listed")


def _copy(whole: BinaryIO, to: Path) -> None:
    with to.open("xb") as file:
        try:
            shutil.copyfileobj(whole, file, _PIECE)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            to.unlink()
            raise


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes that are not UTF-8: no ledger and no receipt could hold such a name
        return False
    return True


def _printable(name: str) -> str:
    return name.encode(errors="backslashreplace").decode()
