"""Careful taking: a fault that one record brings about fails that record only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from batch.dropzone import DropZoneError
from batch.errors import LedgerError
from batch.taking import Offer, Result

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Failed:
    """A record that was not taken because of what is no fault of it."""

    error: Exception


def carefully(
    take: Callable[[Sequence[Offer]], Sequence[Result]], offers: Sequence[Offer]
) -> Sequence[Result | Failed]:
    """Take records together; when a fault of the program comes up, each alone, so that only one of them fails."""
    try:
        return take(offers)
    except (LedgerError, DropZoneError, OSError) as error:
        return [Failed(error)] * len(offers)
    except Exception as error:
        log.exception("intake.fault", records=len(offers))
        if len(offers) == 1:
            return [Failed(RuntimeError(type(error).__name__))]  # its own words may hold values
        return [result for offer in offers for result in carefully(take, [offer])]
