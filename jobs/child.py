"""What each process of a server's does first."""

from __future__ import annotations

import gc

from jobs import logs
from jobs.start import ALLOCATIONS


def prepare() -> None:
    """Tell the garbage collector what kind of program this is, and where its log goes."""
    gc.set_threshold(ALLOCATIONS, 50, 100)
    gc.freeze()
    logs.configure(verbose=True)
