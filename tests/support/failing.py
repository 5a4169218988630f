"""Failpoints, ordered for another process."""

from __future__ import annotations


def failing(*orders: str) -> dict[str, str]:
    """What a process's environment has for it to obey the orders, like `send.before=kill:2`."""
    return {"FLATDROP_TESTING": "1", "FLATDROP_FAILPOINTS": ",".join(orders)}
