"""Failpoints, ordered for another process."""

from __future__ import annotations

import os


def failing(*orders: str) -> dict[str, str]:
    """The environment in which a process obeys the orders, like `send.before=kill:2`."""
    return {**os.environ, "FLATDROP_TESTING": "1", "FLATDROP_FAILPOINTS": ",".join(orders)}
