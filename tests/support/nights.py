"""Nights: an installation with any integration of the catalog, and what its stand-in has at the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from support.installation import KEY, Installation, made

from integrations.integration import Integration
from integrations.sandbox import settings_for

FILE = f"{KEY}/people.csv"


def mapping_of(integration: Integration) -> dict[str, str]:
    """Return a mapping that has little but the identity."""
    required = {one.name: "id" for one in integration.fields if one.required}
    identity = integration.identity[0] if integration.identity else "email"
    return {**required, identity: "email"}


def installed(home: Path, integration: Integration, base: str, **more: Any) -> Installation:
    credentials = {name: f"file:secrets/{integration.name}.{name}" for name in integration.sample.credentials}
    settings = {**settings_for(integration.name, base), **more}
    enabled = {"type": integration.name, "credentials": credentials, "settings": settings}
    it = made(home)
    # text, and not checked as an address, so that the destination gets to say what it thinks of it
    it.group(
        attributes={"email": {"type": "string"}}, integrations={"it": {**enabled, "mapping": mapping_of(integration)}}
    )
    return it


def contacts(base: str, integration: Integration) -> dict[str, Any]:
    with urlopen(f"{base}/_contacts?integration={integration.name}", timeout=10) as answer:
        found: dict[str, Any] = json.loads(answer.read())
        return found


def journalled(base: str) -> int:
    with urlopen(f"{base}/_journal", timeout=10) as answer:
        return len(answer.read().splitlines())
