"""Decompression by content, in pieces of bounded size, strict about how the file ends."""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import zstandard

from batch.errors import BatchError
from batch.reading.block import Sizes

_PIECE = 4 << 20
_ALWAYS = 64 << 20  # bytes that any file may unpack to: a few good records can be very much alike


def _whole(engine: Any, data: bytes) -> Iterator[bytes]:
    yield engine.decompress(data)


def _bounded(engine: Any, data: bytes) -> Iterator[bytes]:
    yield engine.decompress(data, _PIECE)
    while not (engine.eof or engine.needs_input):
        yield engine.decompress(b"", _PIECE)


@dataclass(frozen=True, slots=True)
class _Method:
    """A compression: how its files begin, its decompressor, and how to feed that without a flood coming out.

    A byte of gzip swells to 1032 at most and four bytes of zstd to 128 KiB, so small feeds bound a piece to 17 MB;
    bz2 knows no such bound, but takes a limit.
    """

    name: str
    magic: bytes
    engine: Callable[[], Any]
    feed: int
    run: Callable[[Any, bytes], Iterator[bytes]] = _whole


_METHODS = (
    _Method("gzip", b"\x1f\x8b", lambda: zlib.decompressobj(zlib.MAX_WBITS | 16), 16 << 10),
    _Method("zstd", b"\x28\xb5\x2f\xfd", lambda: zstandard.ZstdDecompressor().decompressobj(), 512),
    _Method("bz2", b"BZh", bz2.BZ2Decompressor, 64 << 10, _bounded),
)


def _method(head: bytes) -> _Method | None:
    return next((method for method in _METHODS if head.startswith(method.magic)), None)


def pieces(path: Path, sizes: Sizes) -> Iterator[bytes]:
    """Yield a file's bytes, decompressed when its first bytes say that it is compressed.

    Raises:
        BatchError: `file.compression` when it is damaged, cut short, or goes on after its end; `file.expanded` when
            more comes out of it than `sizes` allow.
    """
    with path.open("rb") as file:
        method = _method(file.read(4))
        file.seek(0)
        if method is None:
            yield from iter(partial(file.read, _PIECE), b"")
        else:
            yield from _no_bomb(_decompressed(file, method), path.stat().st_size, sizes)


def _no_bomb(unpacked: Iterator[bytes], packed: int, sizes: Sizes) -> Iterator[bytes]:
    """Yield what is unpacked for as long as it is not suspiciously much."""
    most, size = min(sizes.expanded, max(sizes.ratio * packed, _ALWAYS)), 0
    for piece in unpacked:
        size += len(piece)
        if size > most:
            raise BatchError(
                "file.expanded",
                f"The file becomes larger than {most:,} bytes by unpacking. If it is meant to, drop it in parts or "
                "unpacked, or let an operator raise `limits.expanded` or `limits.ratio`.",
            )
        yield piece


def _decompressed(file: BinaryIO, method: _Method) -> Iterator[bytes]:
    engine: Any = None  # of the member that is being read: a file may hold several, one after the other
    while data := file.read(method.feed):
        while data:
            engine = engine or method.engine()
            try:
                yield from method.run(engine, data)
            except (zlib.error, OSError, zstandard.ZstdError):
                raise BatchError(
                    "file.compression", f"The {method.name} data is damaged, or something else follows its end."
                ) from None
            data = engine.unused_data
            if engine.eof:
                engine = None
    if engine is not None:
        raise BatchError("file.compression", f"The {method.name} data is cut short: the file was not uploaded whole.")
