"""Former chunks: requests that nothing answered, to be sent again just as they were."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from batch import parcel as parcels
from batch.chunk import Chunk
from batch.parcel import Parcel

Wave = list[tuple[Parcel, Chunk | None]]
"""Parcels that may travel at the same time, each with the former chunk that it repeats, if it does."""


class Former:
    """Gathers the records of former chunks from the blocks that their rows stand in."""

    def __init__(self, chunks: list[Chunk]) -> None:
        self._parts: list[tuple[Chunk, list[Parcel]]] = [(chunk, []) for chunk in chunks]

    def take(self, parcel: Parcel) -> tuple[Parcel, list[tuple[Parcel, Chunk]]]:
        """Divide records into fresh ones and chunks of former days that are now complete."""
        complete: list[tuple[Parcel, Chunk]] = []
        for chunk, parts in list(self._parts):
            own = np.isin(parcel.rows, chunk.rows)
            if not own.any():
                continue
            parts.append(parcel.only(own))
            parcel = parcel.only(~own)
            if sum(len(part.rows) for part in parts) == len(chunk.rows):
                complete.append((parcels.join(parts), chunk))
                self._parts = [kept for kept in self._parts if kept[0] is not chunk]
        return parcel, complete

    def rest(self) -> list[tuple[Parcel, Chunk]]:
        """Return what is left of chunks that did not come together again, since the mapping has changed."""
        return [(parcels.join(parts), chunk) for chunk, parts in self._parts if parts]


def waves(again: list[tuple[Parcel, Chunk]]) -> Iterator[Wave]:
    """Divide repeated requests, as fresh records are divided, so that no identity stands twice in a wave."""
    wave: Wave = []
    met: set[str] = set()
    for parcel, chunk in sorted(again, key=lambda one: int(one[0].rows[0])):
        own = set() if parcel.identities is None else set(parcel.identities.to_list())
        if met & own:
            yield wave
            wave, met = [], set()
        wave.append((parcel.ready(), chunk))
        met |= own
    if wave:
        yield wave
