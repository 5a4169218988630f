"""A mended undelivered file, dropped again: its report columns, and the texts in it that were neutralised.

`batch.undelivered` puts an apostrophe before text that a spreadsheet would run as a formula, and before text that
looks as if that had been done to it already; so taking one off is always right.
"""

from __future__ import annotations

import re

import polars as pl

REPORT = ("_row", "_integration", "_outcome", "_code", "_column", "_message")
"""The columns that stand before a drop's own in its undelivered file."""

_NEUTRALISED = r"^'('*[=+\-@\t\r\n\x00])"
_PATTERN = re.compile(_NEUTRALISED)


def restore(text: str) -> str:
    """Return the text as the drop had it."""
    return text[1:] if _PATTERN.match(text) else text


def restored(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with every text as the drop had it."""
    return frame.with_columns(pl.col(pl.String).str.replace(_NEUTRALISED, "${1}"))
