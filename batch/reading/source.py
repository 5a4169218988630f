"""A drop's file: what its name, its first bytes and its group's format say of it, put together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from batch.errors import BatchError
from batch.reading import compression, encoding
from batch.reading.block import Sizes, Tally
from batch.reading.delimited import Table
from config.files import FileFormat

_COMPRESSED = {".gz", ".zst", ".bz2"}
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_JSON_LINES = {".jsonl", ".ndjson"}


def _ending(name: str) -> str:
    """Return a name's ending before that of a compression, in lower case."""
    path = PurePosixPath(name.lower())
    return PurePosixPath(path.stem).suffix if path.suffix in _COMPRESSED else path.suffix


def is_json_lines(name: str) -> bool:
    """Return whether a drop of this name holds JSON lines; it is delimited text otherwise."""
    return _ending(name) in _JSON_LINES


def delimiter(name: str, files: FileFormat) -> str:
    """Return what stands between the cells of a drop of this name, if it is delimited text."""
    return files.delimiter or _DELIMITERS.get(_ending(name), ",")


@dataclass(frozen=True, slots=True)
class Source:
    """One local file, the drop's name, how the group's files are written, and how much to read at a time."""

    path: Path
    name: str
    files: FileFormat
    sizes: Sizes

    def __post_init__(self) -> None:
        if _ending(self.name) not in _DELIMITERS.keys() | _JSON_LINES:
            raise BatchError(
                "file.unreadable", "The name must end in .csv, .tsv, .jsonl or .ndjson, then perhaps .gz, .zst or .bz2."
            )

    @property
    def delimiter(self) -> str:
        """What stands between the cells of delimited text."""
        return delimiter(self.name, self.files)

    def text(self) -> Iterator[bytes]:
        """Yield the file's text in pieces, as UTF-8."""
        return encoding.utf8(compression.pieces(self.path, self.sizes), self.files.encoding)

    def table(self, tally: Tally) -> Table:
        """Return the file as delimited text, read from its start."""
        return Table(self.text(), self.delimiter, self.sizes, tally)
