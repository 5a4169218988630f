"""The heartbeat that keeps a claim while its batch is worked on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from batch.claim import Claim
from batch.errors import LeaseLost, LedgerError
from batch.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Hold:
    """A held claim. `lost` is set when another process may work on the batch: send nothing more."""

    lost: threading.Event = field(default_factory=threading.Event)


@contextmanager
def holding(ledger: Ledger, claim: Claim, seconds: float = 30) -> Iterator[Hold]:
    """Renew the claim every third of its lease, in a thread, until the block is left.

    The claim is neither closed nor released here. A ledger that cannot be reached is asked again until the
    lease has run out; then the claim counts as lost, since another process may have taken it.
    """
    hold, done = Hold(), threading.Event()
    beat = threading.Thread(
        target=_beat, args=(ledger, claim, seconds, hold.lost, done), name=f"lease {claim.batch.id}", daemon=True
    )
    beat.start()
    try:
        yield hold
    finally:
        done.set()
        beat.join()


def _beat(ledger: Ledger, claim: Claim, seconds: float, lost: threading.Event, done: threading.Event) -> None:
    runs_out = time.monotonic() + seconds
    while not done.wait(seconds / 3):
        asked = time.monotonic()
        try:
            ledger.renew(claim, seconds)
            runs_out = asked + seconds
        except LeaseLost:
            lost.set()
        except LedgerError:
            if time.monotonic() >= runs_out:
                lost.set()
        if lost.is_set():
            return
