"""Contacts: what a destination knows of people once it has taken records of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from integrations.integration import Integration


def absorb(integration: Integration, contact: dict[str, Any], fields: Mapping[str, Any]) -> None:
    """Put a record's fields into a contact: what is absent stays, what is cleared goes, what adds up is added."""
    for name, value in _flat(fields):
        known = integration.field(name)
        if known is not None and known.clear is not None and value == json.loads(known.clear):
            contact.pop(name, None)
        elif known is not None and known.adds and isinstance(value, list):
            contact[name] = list(dict.fromkeys([*contact.get(name, []), *value]))
        else:
            contact[name] = value


def _flat(fields: Mapping[str, Any], under: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in fields.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{under}{name}.")
        else:
            yield f"{under}{name}", value
