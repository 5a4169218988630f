"""Compression: told by content, streamed in pieces, strict about the end."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zstandard

from batch.errors import BatchError
from batch.reading import compression
from batch.reading.block import UNBOUNDED, Sizes

if TYPE_CHECKING:
    from conftest import Reading

METHODS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "bz2": bz2.compress,
}
DATA = b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * 7919) for n in range(20_000))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "A.CSV.ZST", "a.csv.bz2"])
def test_content_tells_not_the_name(reading: Reading, method: str, name: str) -> None:
    assert reading(METHODS[method](DATA), name).values[-1] == ("19999", str(19999 * 7919))


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_plain_text_under_any_name(reading: Reading, name: str) -> None:
    assert reading(b"a\n1\n", name).values == [("1",)]


@pytest.mark.parametrize("method", METHODS)
def test_several_members(reading: Reading, method: str) -> None:
    compress = METHODS[method]
    assert len(reading(compress(DATA) + compress(b"x,y\n") + compress(b"")).values) == 20_001


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("cut", [1, 5, 1000])
def test_cut_short(reading: Reading, method: str, cut: int) -> None:
    with pytest.raises(BatchError, match="cut short") as caught:
        reading(METHODS[method](DATA)[:-cut])
    assert caught.value.code == "file.compression"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("more", [b"x", b"trailing garbage", b"\0" * 64])
def test_more_after_the_end(reading: Reading, method: str, more: bytes) -> None:
    with pytest.raises(BatchError) as caught:
        reading(METHODS[method](DATA) + more)
    assert caught.value.code == "file.compression"


@pytest.mark.parametrize("method", ["gzip", "bz2"])
def test_a_byte_changed(reading: Reading, method: str) -> None:
    data = bytearray(METHODS[method](DATA))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(BatchError) as caught:
        reading(bytes(data))
    assert caught.value.code == "file.compression"


@pytest.mark.parametrize("method", METHODS)
def test_a_bomb_comes_out_in_bounded_pieces(tmp_path: Path, method: str) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(METHODS[method](bytes(64 << 20)))
    sizes = list(map(len, compression.pieces(path, UNBOUNDED)))
    assert sum(sizes) == 64 << 20
    assert max(sizes) < 18 << 20


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "sizes",
    [
        Sizes(ratio=100),
        Sizes(ratio=1 << 40, expanded=65 << 20),
        Sizes(ratio=100, expanded=1 << 40),
        Sizes(expanded=1 << 20),
    ],
)
def test_a_bomb_is_given_up_soon(tmp_path: Path, method: str, sizes: Sizes) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(METHODS[method](bytes(128 << 20)))
    read = 0
    pieces = compression.pieces(path, sizes)
    with pytest.raises(BatchError, match=r"limits\.expanded") as caught:  # noqa: PT012
        while True:
            read += len(next(pieces))
    assert caught.value.code == "file.expanded"
    assert read <= max(65 << 20, 100 * path.stat().st_size)


@pytest.mark.parametrize("method", METHODS)
def test_a_small_file_may_be_very_much_alike(reading: Reading, method: str) -> None:
    same = b"a,b\n" + b"1,2\n" * 1_000_000
    assert len(reading(METHODS[method](same)).values) == 1_000_000
