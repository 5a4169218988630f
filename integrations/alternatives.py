"""Alternatives: fields that only one of, or all of, may be mapped, for `wrong` of an integration to say."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Wrong = Callable[[Sequence[str]], str | None]
"""From the mapped fields to what is wrong with them together; None if nothing is."""


def one_of(*names: str) -> Wrong:
    """Return what refuses a mapping to more than one of these fields."""

    def wrong(mapped: Sequence[str]) -> str | None:
        found = [name for name in names if name in mapped]
        return f"maps {' and '.join(found)}, but a record may have only one of them" if len(found) > 1 else None

    return wrong


def together(*names: str) -> Wrong:
    """Return what refuses a mapping to some of these fields and not all."""

    def wrong(mapped: Sequence[str]) -> str | None:
        missing = [name for name in names if name not in mapped]
        if len(missing) in (0, len(names)):
            return None
        return f"lacks {' and '.join(missing)}; {' and '.join(names)} mean something only together"

    return wrong
