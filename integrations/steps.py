"""Steps: calls to a destination that follow from one another, written as a generator that somebody else carries out.

A catalog file yields what is to be asked and gets the replies; it never waits, retries or opens a connection itself.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from integrations.exchange import JSON, Reply

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Call:
    """One call: its path below the integration's address, or a whole address that the destination gave.

    `{name}` in the path is filled from `values`, then from the settings, as one path segment. `proves` says what a
    yes to it proves ("the audience exists"), for who asks whether the settings are right.
    """

    method: str
    path: str
    values: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    content_type: str = "application/json"
    proves: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """The destination has given the job this id: it is to be remembered before anything else is asked."""

    job: str


@dataclass(frozen=True, slots=True)
class Pause:
    """The job goes on: ask again later."""


Steps = Generator[Call | Started | Pause, Reply, _T]
"""Yields calls and gets the reply of each (always a 2xx); what is sent in after the other two means nothing."""


def get(path: str, proves: str = "", **values: str) -> Call:
    """Return a call that asks for something."""
    return Call("GET", path, values, proves=proves)


def send(method: str, path: str, document: JSON, **values: str) -> Call:
    """Return a call that sends a JSON document."""
    return Call(method, path, values, json.dumps(document, ensure_ascii=False).encode())
