"""Parcels: the records of one request, cut to the destination's limits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from batch.outcome import Rows


@dataclass(frozen=True, eq=False)
class Parcel:
    """Records on their way: their row numbers, JSON items and, where the destination has one, identities."""

    rows: Rows
    items: pl.Series
    identities: pl.Series | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def text(self) -> bytes:
        """The items in UTF-8 with commas between."""
        # joined by polars, which lets other threads run meanwhile; a list of Python's own strings would not
        text: bytes = self.items.str.join(",").cast(pl.Binary).item()
        return text

    @cached_property
    def payload(self) -> str:
        """The SHA-256 of the items, which tells whether a later run would send the same."""
        return hashlib.sha256(self.text).hexdigest()

    @cached_property
    def sizes(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """The bytes of each item."""
        return self.items.str.len_bytes().to_numpy().astype(np.int64)

    def ready(self) -> Parcel:
        """Work out now, in this thread, what sending will ask for, and return the parcel."""
        _ = self.payload
        return self

    def part(self, start: int, end: int) -> Parcel:
        """Return the records from `start` up to `end`."""
        identities = None if self.identities is None else self.identities[start:end]
        return Parcel(self.rows[start:end], self.items[start:end], identities)

    def halves(self) -> tuple[Parcel, Parcel]:
        """Return two parcels of half the records each."""
        middle = len(self) // 2
        return self.part(0, middle), self.part(middle, len(self))

    def only(self, wanted: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Parcel:
        """Return the records where `wanted` is true."""
        mask = pl.Series(wanted)
        identities = None if self.identities is None else self.identities.filter(mask)
        return Parcel(self.rows[wanted], self.items.filter(mask), identities)


def join(parts: list[Parcel]) -> Parcel:
    """Return one parcel of several, in row order."""
    if len(parts) == 1:
        return parts[0]
    identities = [part.identities for part in parts if part.identities is not None]
    return Parcel(
        np.concatenate([part.rows for part in parts]),
        pl.concat([part.items for part in parts]),
        pl.concat(identities) if identities else None,
    )


def waves(parcel: Parcel) -> list[Parcel]:
    """Divide records so that no identity stands twice in a wave: waves are sent one after the other.

    Two rows of one person would otherwise travel in one request, where no vendor says which of them wins, or in two
    at once, where nobody can. So the last row of the file wins.
    """
    if parcel.identities is None or parcel.identities.is_unique().all():
        return [parcel] if len(parcel) else []
    frame = pl.DataFrame({"identity": parcel.identities})
    turn = frame.select(pl.int_range(pl.len()).over("identity")).to_series().to_numpy()
    return [parcel.only(turn == number) for number in range(int(turn.max()) + 1)]


def cut(parcel: Parcel, records: int, size: int) -> Iterator[Parcel]:
    """Cut into parcels of at most `records` records and `size` bytes of items with the commas between them."""
    ends = np.cumsum(parcel.sizes + 1)
    start, total = 0, len(parcel)
    while start < total:
        before = ends[start - 1] if start else 0
        fitting = int(np.searchsorted(ends, before + size + 1, side="right"))
        end = min(start + records, max(fitting, start + 1), total)
        yield parcel.part(start, end)
        start = end
