"""The catalog: each file here is an integration, and being here is all that it takes to be one."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType

from integrations.integration import Integration


class UnknownIntegrationError(KeyError):
    """No integration has this name; `nearest` is the name that was probably meant, if any."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name
        self.nearest = next(iter(get_close_matches(name.lower(), CATALOG, 1)), None)

    def __str__(self) -> str:
        hint = f"did you mean {self.nearest}?" if self.nearest else f"there are {', '.join(CATALOG)}"
        return f"no integration is called {self.name!r} ({hint})"


def _load() -> dict[str, Integration]:
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {name: importlib.import_module(f"{__name__}.{name}").INTEGRATION for name in names}


def find(name: str) -> Integration:
    """Return the integration of this name.

    Raises:
        UnknownIntegrationError: when there is none; it is a KeyError and knows the nearest name.
    """
    try:
        return CATALOG[name]
    except KeyError:
        raise UnknownIntegrationError(name) from None


CATALOG: Mapping[str, Integration] = MappingProxyType(_load())
"""Every integration by its name, which is the name of its file."""
