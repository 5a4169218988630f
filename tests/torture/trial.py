"""A trial: one fault in one place, and an end that is counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass
class End:
    """What came of a trial, in rows; all counts must be 0, but for `declared`: doubled, and the receipt says so."""

    struck: bool = True  # whether the fault came to pass
    lost: int = 0
    undeclared: int = 0
    declared: int = 0
    stuck: int = 0
    breaks: int = 0
    wrong: int = 0  # another outcome than the oracle's

    @property
    def good(self) -> bool:
        """Whether nothing happened that must not."""
        return not (self.lost or self.undeclared or self.stuck or self.breaks or self.wrong)


@dataclass(frozen=True)
class Trial:
    """What is tried, the line of the table it belongs to, the ledger it needs, and how it is run.

    `run` takes a folder of its own, which need not exist yet, and the URL of an empty ledger.
    """

    line: str
    case: str
    run: Callable[[Path, str], End]
    ledger: str = "sqlite"

    def __str__(self) -> str:
        return f"{self.line}: {self.case} ({self.ledger})"
