"""JSON Lines: the text cut into its lines, blank ones left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from batch.errors import BatchError
from batch.reading.block import Sizes, Tally
from batch.reading.buffers import buffers


@dataclass(frozen=True, slots=True)
class Lines:
    """Some lines of a file, each one record; `cut` says that the last of them has no line end."""

    first_row: int
    texts: list[bytes]
    cut: bool


def lines(pieces: Iterable[bytes], sizes: Sizes, tally: Tally) -> Iterator[Lines]:
    """Yield the lines block by block. A raw CR cannot stand inside JSON text, so that each one ends a line.

    Raises:
        BatchError: `file.record.size` when a line is too long, `file.empty` when there is none.
    """
    tail, number = b"", 1
    for piece, last in buffers(pieces, sizes.block):
        text = tail + piece
        held = b"\r" if text.endswith(b"\r") and not last else b""  # perhaps the first half of CR LF
        text = text[: len(text) - len(held)]
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        every = text.split(b"\n")
        cut = last and every[-1].strip() != b""
        tail = b"" if last else every.pop() + held
        if last and not every[-1]:
            every.pop()
        _check_size(every, tail, number, sizes)
        texts = [line for line in every if line and not line.isspace()]
        tally.blank_lines += len(every) - len(texts)
        number += len(every)
        if texts:
            yield Lines(tally.records + 1, texts, cut)
            tally.records += len(texts)
    if not tally.records:
        raise BatchError("file.empty", "The file is empty: it has no record.")


def _check_size(every: list[bytes], tail: bytes, number: int, sizes: Sizes) -> None:
    longest = max(map(len, [*every, tail]))
    if longest > sizes.record:
        number += next(place for place, line in enumerate([*every, tail]) if len(line) == longest)
        raise BatchError(
            "file.record.size",
            f"Line {number} is larger than {sizes.record:,} bytes. Look for a missing line end.",
        )
