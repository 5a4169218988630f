"""The undelivered file: every row that somebody must act on, as it stood in the drop, with what is wrong.

A row stands there once for each integration that owes it; `_integration` is empty for a row that failed the group's
own check. A mended file can be dropped as it is: reading leaves the six columns out and undoes the neutralising.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from batch.outcome import Finding, Rows
from batch.reading import REPORT, Verbatim, is_json_lines, verbatim
from config.files import FileFormat

_FORMULA = re.compile(r"'*[=+\-@\t\r\n\0]")
_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?")


class Entry(NamedTuple):
    """One line of the file, without the record's own values."""

    row: int
    integration: str
    outcome: str
    code: str
    column: str
    message: str


def write(to: Path, drop: Path, name: str, files: FileFormat, findings: Iterable[tuple[str | None, Finding]]) -> None:
    """Write the undelivered file of a drop.

    Args:
        to: the file to write.
        drop: the drop's bytes.
        name: the drop's name, whose ending tells the format.
        files: how the group's files are written; the undelivered file is written the same way.
        findings: what stands against rows, with the integration that says it (None: the group's own check).
    """
    ledger = _Entries(findings)
    source = verbatim(drop, name, files, ledger.rows)
    records = source.records() if len(ledger.rows) else ()
    lines = ((entry, record) for row, record in records for entry in ledger.of(row))
    if is_json_lines(name):
        with to.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{_json_line(entry, record)}\n" for entry, record in lines)
        return
    # one encoding that holds everything; its mark tells readers (and ours) where the group declares another one
    encoding = "utf-8" if codecs.lookup(files.encoding).name == "utf-8" else "utf-8-sig"
    with to.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=source.delimiter, lineterminator="\n")
        careful = csv.writer(file, delimiter=source.delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow([*REPORT, *map(neutral, source.header)])
        for entry, record in lines:
            cells = [*_cells(entry), *map(neutral, record)]
            # Python before 3.13 leaves a lone carriage return without quotes, which is a line end to readers
            (careful if "\r" in "".join(map(str, cells)) else writer).writerow(cells)


def neutral(cell: str) -> str:
    """Return a cell that no spreadsheet runs as a formula (OWASP, CSV injection); plain numbers stay as they are."""
    return f"'{cell}" if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) else cell


def _cells(entry: Entry) -> list[str | int]:
    # a destination's words stand in the message, and words can begin with = too
    row, integration, outcome, code, column, message = entry
    return [row, integration, outcome, code, neutral(column), neutral(message)]


def _json_line(entry: Entry, record: Verbatim) -> str:
    text = record if isinstance(record, str) else ""
    own: dict[str, Any] = dict(zip(REPORT, entry, strict=True))
    with suppress(ValueError, RecursionError):
        if isinstance(json.loads(text), dict):
            rest = text.strip()[1:].lstrip()
            head = json.dumps(own, ensure_ascii=False)[:-1]
            return head + rest if rest == "}" else f"{head}, {rest}"
    return json.dumps(own | {"_text": text}, ensure_ascii=False)


class _Entries:
    """Findings looked up by row, in arrays: a batch may have a finding on every one of its million rows."""

    def __init__(self, findings: Iterable[tuple[str | None, Finding]]) -> None:
        self._findings = list(findings)
        every = [finding.rows for _, finding in self._findings]
        rows = np.concatenate(every) if every else np.empty(0, dtype=np.int64)
        numbers = np.repeat(np.arange(len(every)), [len(one) for one in every])
        order = np.argsort(rows, kind="stable")
        self._rows, self._numbers = rows[order], numbers[order]

    @property
    def rows(self) -> Rows:
        return np.unique(self._rows)

    def of(self, row: int) -> Iterator[Entry]:
        """Yield an entry for each integration; several broken rules make one entry with all their sentences."""
        start, end = np.searchsorted(self._rows, [row, row + 1])
        said: dict[str | None, list[Finding]] = {}
        for number in self._numbers[start:end]:
            integration, finding = self._findings[number]
            said.setdefault(integration, []).append(finding)
        for integration, these in said.items():
            first = these[0]
            message = "; ".join(finding.message for finding in these)
            yield Entry(row, integration or "", first.outcome.value, first.code, first.column or "", message)
