"""Parcels: the records of one request, cut to the destination's limits."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from batch.outcome import Rows

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Parcel:
    """Records on their way: their row numbers, JSON items and, where the destination has one, identities.

    Rows of one person may have been merged into one item: `places` has for each row the number of its item (None: each
    row is an item). `shared` has for each item the JSON text of the field that a whole request has in common, where
    the destination has such a field.
    """

    rows: Rows
    items: pl.Series
    identities: pl.Series | None = None
    shared: pl.Series | None = None
    places: Places | None = None

    def __len__(self) -> int:
        return len(self.items)

    @cached_property
    def text(self) -> bytes:
        """The items in UTF-8 with commas between."""
        # joined by polars, which lets other threads run meanwhile; a list of Python's own strings would not
        text: bytes = self.items.str.join(",").cast(pl.Binary).item()
        return text

    @cached_property
    def payload(self) -> str:
        """The SHA-256 of what is sent, which tells whether a later run would send the same."""
        return hashlib.sha256(self.text + (self.common if self.shared is not None else b"")).hexdigest()

    @property
    def common(self) -> bytes:
        """The JSON text of what the records have in common: null where that is nothing."""
        return b"null" if self.shared is None or not len(self) else str(self.shared[0] or "null").encode()

    @cached_property
    def by_row(self) -> Places:
        """For each row the number of its item."""
        return np.arange(len(self.rows)) if self.places is None else self.places

    @cached_property
    def sizes(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """The bytes of each item."""
        return self.items.str.len_bytes().to_numpy().astype(np.int64)

    def ready(self) -> Parcel:
        """Work out now, in this thread, what sending will ask for, and return the parcel."""
        _ = self.payload
        return self

    def part(self, start: int, end: int) -> Parcel:
        """Return the items from `start` up to `end`, with their rows."""
        own = slice(start, end) if self.places is None else (start <= self.places) & (self.places < end)
        places = None if self.places is None else self.places[own] - start
        return self._of(self.rows[own], places, lambda series: series[start:end])

    def halves(self) -> tuple[Parcel, Parcel]:
        """Return two parcels of half the records each."""
        middle = len(self) // 2
        return self.part(0, middle), self.part(middle, len(self))

    def only(self, wanted: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Parcel:
        """Return the rows where `wanted` is true, with their items."""
        kept = np.unique(self.by_row[wanted])
        places = None if self.places is None else np.searchsorted(kept, self.places[wanted])
        return self._of(self.rows[wanted], places, lambda series: series.gather(kept))

    def _of(self, rows: Rows, places: Places | None, chosen: Callable[[pl.Series], pl.Series]) -> Parcel:
        identities = None if self.identities is None else chosen(self.identities)
        shared = None if self.shared is None else chosen(self.shared)
        return Parcel(rows, chosen(self.items), identities, shared, places)

    def alike(self) -> Iterator[Parcel]:
        """Yield a parcel for each thing that its records have in common, in the order in which they come up."""
        if self.shared is None or self.shared.n_unique() <= 1:
            if len(self):
                yield self
            return
        for one in self.shared.unique(maintain_order=True):
            yield self.only(self.shared.eq_missing(one).to_numpy()[self.by_row])


def join(parts: list[Parcel]) -> Parcel:
    """Return one parcel of several, in row order."""
    if len(parts) == 1:
        return parts[0]
    before = np.cumsum([0, *(len(part) for part in parts)])
    merged = any(part.places is not None for part in parts)
    places = np.concatenate([part.by_row + start for part, start in zip(parts, before, strict=False)])
    return Parcel(
        np.concatenate([part.rows for part in parts]),
        pl.concat([part.items for part in parts]),
        _concat([part.identities for part in parts]),
        _concat([part.shared for part in parts]),
        places if merged else None,
    )


def _concat(these: list[pl.Series | None]) -> pl.Series | None:
    there = [one for one in these if one is not None]
    return pl.concat(there) if there else None


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
