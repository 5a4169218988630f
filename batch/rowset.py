"""Sets of row numbers, packed small enough to stand in a ledger row."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np

from batch.outcome import Rows

EMPTY: Rows = np.empty(0, dtype=np.int64)


def pack(rows: Rows) -> bytes:
    """Pack ascending row numbers: first row (8 bytes, big-endian), then a deflated bitmap from there on."""
    if not len(rows):
        return b""
    first = int(rows[0])
    bits = np.zeros(int(rows[-1]) - first + 1, dtype=bool)
    bits[rows - first] = True
    return first.to_bytes(8, "big") + zlib.compress(np.packbits(bits).tobytes(), level=1)


def unpack(packed: bytes) -> Rows:
    """Return the row numbers that `pack` packed."""
    if not packed:
        return EMPTY
    bits = np.unpackbits(np.frombuffer(zlib.decompress(packed[8:]), dtype=np.uint8))
    return np.flatnonzero(bits).astype(np.int64) + int.from_bytes(packed[:8], "big")


def of(*rows: int) -> Rows:
    """Return the given row numbers as an ascending set."""
    return np.unique(np.array(rows, dtype=np.int64))


def union(sets: Iterable[Rows]) -> Rows:
    """Return the rows that stand in any of the sets."""
    sets = [rows for rows in sets if len(rows)]
    if not sets:
        return EMPTY
    return sets[0] if len(sets) == 1 else np.unique(np.concatenate(sets))


def both(one: Rows, other: Rows) -> Rows:
    """Return the rows that stand in both sets (numpy's own intersection would hash or sort a million rows again)."""
    return one[np.isin(one, other, assume_unique=True)] if len(one) and len(other) else EMPTY


def minus(one: Rows, other: Rows) -> Rows:
    """Return the rows of the first set that do not stand in the other."""
    return one[np.isin(one, other, assume_unique=True, invert=True)] if len(one) and len(other) else one
