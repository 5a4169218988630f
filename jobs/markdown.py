"""Markdown: tables and fences for the generated pages of the docs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any


def json_text(value: Any, indent: int | None = None) -> str:
    """Return a value as JSON for people."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def fenced(kind: str, *lines: str) -> str:
    """Return lines as a block of code."""
    return "\n".join((f"```{kind}", *lines, "```"))


def table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(map(_cell, row))} |" for row in rows)


def _cell(text: str) -> str:
    return text.replace("|", r"\|")
