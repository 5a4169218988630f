"""What only the program's own tests need."""

from __future__ import annotations

from jobs import screen


def failpoints() -> None:
    """List the places at which a test can let the program die, stand still or fail."""
    from batch.failpoints import NAMES

    for name in NAMES:
        screen.say(name)
