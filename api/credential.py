"""Credentials: what callers of the API sign their requests with."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credential:
    """A valid API key with its secret: its id (the ACCESS_KEY_ID), and the groups that it may send to and ask for."""

    id: str
    secret: str = field(repr=False)
    groups: frozenset[str]
