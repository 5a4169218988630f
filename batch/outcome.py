"""Outcomes: the one end of one row on one integration, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]  # row numbers: 1-based, ascending, unique


class Outcome(StrEnum):
    """Where a row ended on an integration; the docstring of each word is in docs/reference/outcomes."""

    DELIVERED = "delivered"
    FILTERED = "filtered"
    UNCHANGED = "unchanged"
    INVALID = "invalid"
    REJECTED = "rejected"
    FAILED = "failed"
    UNKNOWN = "unknown"


SETTLED = frozenset({Outcome.DELIVERED, Outcome.FILTERED, Outcome.UNCHANGED})
"""Outcomes that nobody has to act on."""


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """Why rows did not end well: their outcome, a stable code, the attribute or field, a sentence, the rows.

    `message` says what to do and holds no record values of its own; a destination's own words may follow.
    """

    outcome: Outcome
    code: str
    column: str | None
    message: str
    rows: Rows
