"""Ways to read bytes as a drop in a few words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from batch.reading import Block, Chosen, Reader, Sizes, Tally, is_json_lines, verbatim
from config.files import FileFormat


@dataclass
class Read:
    """All that a file gave: its good records by row, the bad rows by code, and the account."""

    blocks: list[Block]
    tally: Tally
    verbatim: dict[int, list[str] | str]

    @property
    def good(self) -> dict[int, dict[str, Any]]:
        names = list(dict.fromkeys(name for block in self.blocks for name in block.frame.columns if name != "_row"))
        records = (record for block in self.blocks for record in block.frame.iter_rows(named=True))
        return {record["_row"]: {name: record.get(name) for name in names} for record in records}

    @property
    def values(self) -> list[tuple[Any, ...]]:
        return [tuple(record.values()) for record in self.good.values()]

    @property
    def bad(self) -> dict[int, str]:
        findings = [finding for block in self.blocks for finding in block.findings]
        return dict(sorted((row, finding.code) for finding in findings for row in finding.rows.tolist()))


def check_account(read: Read) -> None:
    """Every record has exactly one end, in order, and the counts agree."""
    row = 1
    for block in read.blocks:
        assert block.first_row == row
        bad = [number for finding in block.findings for number in finding.rows.tolist()]
        good = block.frame["_row"].to_list()
        assert good == sorted(good)
        assert sorted(good + bad) == list(range(row, row + block.count))
        row += block.count
    assert read.tally.records == row - 1
    assert list(read.verbatim) == list(range(1, row))


def _verbatim(chosen: Chosen) -> Iterator[tuple[int, str | list[str]]]:
    if is_json_lines(chosen.source.name):
        for texts in chosen.lines():
            yield from texts.items()
        return
    for part in chosen.tables():
        cells = {row: cells for row, *cells in part.even.iter_rows()} | dict(part.odd)
        assert sorted(cells) == part.rows.tolist()
        yield from sorted(cells.items())


Reading = Callable[..., Read]


def read_file(path: Path, name: str, sizes: Sizes, **format_: Any) -> Read:
    files = FileFormat(**format_)
    reader = Reader(path, name, files, sizes)
    blocks = list(reader)
    chosen = verbatim(path, name, files, np.arange(1, reader.records + 1), sizes)
    assert chosen.header == (reader.header or ())
    read = Read(blocks, reader, dict(_verbatim(chosen)))
    check_account(read)
    return read


@pytest.fixture(scope="session")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Reading:
    """Read bytes under a name; `block` and `record` are the sizes, the rest is the group's file format."""
    path = tmp_path_factory.mktemp("reading") / "drop"

    def read(data: bytes, name: str = "a.csv", *, block: int = 8 << 20, record: int = 1 << 20, **format_: Any) -> Read:
        path.write_bytes(data)
        return read_file(path, name, Sizes(block, record), **format_)

    return read
