"""Pieces of any size to buffers of about one size, and lines counted in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def buffers(pieces: Iterable[bytes], size: int) -> Iterator[tuple[bytes, bool]]:
    """Yield the bytes in buffers of `size` or a little more, each with whether it is the last, which may be empty."""
    held: list[bytes] = []
    length = 0
    for piece in _small(pieces, -(-size // 2)):
        held.append(piece)
        length += len(piece)
        if length >= size:
            yield b"".join(held), False
            held, length = [], 0
    yield b"".join(held), True


def _small(pieces: Iterable[bytes], most: int) -> Iterator[bytes]:
    for piece in pieces:
        for start in range(0, len(piece), most):
            yield piece[start : start + most]


def line_ends(text: bytes, end: int) -> int:
    """Return how many lines end before a place in the text: by LF, CR LF, or CR alone."""
    count = text.count(b"\n", 0, end)
    if text.find(b"\r", 0, end) >= 0:
        count += text.count(b"\r", 0, end) - text.count(b"\r\n", 0, end)
    return count
