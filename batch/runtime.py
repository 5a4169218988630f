"""What the way of a batch needs around it: the configuration, the ledger and the drop zone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event

from batch.dropzone import DropZone
from batch.ledger import Ledger
from batch.preparing import Known
from batch.turns import Turn
from config.deployment import Deployment
from config.group import Group

Progress = Callable[[str, int], None]
"""Told of rows as they are done: "checked" or an integration's name, and how many more."""


def silent(_step: str, _rows: int) -> None:
    """Show nothing."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """One installation at work; when `stopping` is set, nothing new is sent and what is in flight is seen through.

    `turn` is the place of a batch that must not overtake others; `known` is what destinations were asked beforehand.
    """

    deployment: Deployment
    groups: Mapping[str, Group]
    ledger: Ledger
    zone: DropZone
    stopping: Event = field(default_factory=Event)
    turn: Turn = field(default_factory=Turn)
    known: Known = field(default_factory=Known)
