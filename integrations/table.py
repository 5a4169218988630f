"""Tables: records as CSV with a line of names, as destinations take and give them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence


def table(rows: Sequence[Mapping[str, str]]) -> bytes:
    """Return rows as CSV in UTF-8 with line feeds; what a row does not have is an empty cell."""
    out, columns = io.StringIO(), list(dict.fromkeys(name for row in rows for name in row))
    if any("\r" in cell for row in rows for cell in row.values()):  # for which alone nothing would be quoted
        writer = csv.DictWriter(out, columns, restval="", lineterminator="\n", quoting=csv.QUOTE_ALL)
    else:
        writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def rows(body: bytes) -> list[dict[str, str]]:
    """Return the rows of a CSV in UTF-8 by the names of their columns.

    Raises:
        ValueError: when it is not text, or a row has too few cells or too many.
    """
    csv.field_size_limit(max(csv.field_size_limit(), len(body)))
    found = list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline="")))
    if any(None in row or None in row.values() for row in found):
        raise ValueError("a row does not fit its heading")
    return found
