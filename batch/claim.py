"""A claim: the right to work on a batch, for as long as its lease is renewed."""

from __future__ import annotations

from dataclasses import dataclass

from batch.batch import Batch


@dataclass(frozen=True, slots=True)
class Claim:
    """A batch as it was when it was claimed, by whom, and the fencing number that each commit must show.

    `seconds` is how long its lease lasts without being renewed. `attempts` counts the claims that ended neither in
    a close nor in an orderly release, this one included: 1 for a batch that nobody crashed on.
    """

    batch: Batch
    token: int
    owner: str
    attempts: int
    seconds: float = 30
