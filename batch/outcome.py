"""Outcomes: the one end of one row on one integration, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]  # row numbers: 1-based, ascending, unique


class Outcome(StrEnum):
    """Where a row ended on an integration; `MEANINGS` tells each."""

    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"
    FILTERED = "filtered"
    UNCHANGED = "unchanged"
    INVALID = "invalid"
    REJECTED = "rejected"
    FAILED = "failed"
    UNKNOWN = "unknown"


MEANINGS: dict[Outcome, tuple[str, str]] = {
    Outcome.DELIVERED: ("The destination said that it has the record.", "nobody"),
    Outcome.ACKNOWLEDGED: (
        "The destination took the request, and never tells what became of each record.",
        "nobody",
    ),
    Outcome.FILTERED: ("The integration's `where` left the row out, or its person was to be forgotten.", "nobody"),
    Outcome.UNCHANGED: ("The destination already has these values, and only changes are sent.", "nobody"),
    Outcome.INVALID: ("The row, or what its mapping gave, breaks a rule; it was not sent.", "the customer"),
    Outcome.REJECTED: (
        "The destination said no to this record, for a reason of its own.",
        "the customer, or whoever owns the mapping",
    ),
    Outcome.FAILED: (
        "Tries are used up, or credentials were refused; a rerun is safe.",
        "an operator",
    ),
    Outcome.UNKNOWN: (
        "It was sent, and no readable answer came: the destination may have it. A rerun says so before it resends.",
        "an operator",
    ),
}
"""For each outcome what it means, and who acts next."""

SETTLED = frozenset({Outcome.DELIVERED, Outcome.ACKNOWLEDGED, Outcome.FILTERED, Outcome.UNCHANGED})
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
