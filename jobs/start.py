"""Where the program starts: the command line, with the garbage collector told what kind of program this is."""

from __future__ import annotations

import gc

ALLOCATIONS = 100_000
"""Objects that are made before the garbage collector looks at the young ones."""


def main() -> None:
    """Run the command line.

    Imports make some hundred thousand objects that live as long as the process; with Python's own thresholds a
    quarter of the start-up, and all of the exit, would go into looking through them for garbage.
    """
    gc.set_threshold(ALLOCATIONS, 50, 100)
    from jobs.cli import main as run  # noqa: PLC0415

    try:
        run()
    finally:
        gc.freeze()
