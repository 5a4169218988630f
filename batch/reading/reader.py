"""Reading a file once, from start to end, as blocks of records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from batch.reading import delimited, jsonl
from batch.reading.block import Block, Sizes, Tally
from batch.reading.fitting import fitting
from batch.reading.source import Source, is_json_lines
from config.files import FileFormat


class Reader(Tally):
    """The blocks of a file, to be iterated once, and the account of it, which is whole after the last.

    Args:
        path: the file, on this machine.
        name: the drop's name, whose ending says CSV, TSV or JSONL.
        files: how the group's files are written.
        sizes: how much is read at a time, and how much one record may have.

    Raises:
        BatchError: here or while iterating, when the file as a whole cannot be used.
    """

    def __init__(self, path: Path, name: str, files: FileFormat, sizes: Sizes | None = None) -> None:
        super().__init__()
        source = Source(path, name, files, sizes or Sizes())
        if is_json_lines(name):
            blocks = jsonl.blocks(source.text(), files.clear, source.sizes, self)
        else:
            blocks = delimited.blocks(source.table(self))
        self._blocks = fitting(blocks, source.sizes.value)

    def __iter__(self) -> Iterator[Block]:
        return self._blocks
