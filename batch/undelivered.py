"""The undelivered file: every row that somebody must act on, as it stood in the drop, with what is wrong.

A row stands there once for each integration that owes it; `_integration` is empty for a row that failed the group's
own check. A mended file can be dropped as it is: reading leaves the six columns out and undoes the neutralising.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from batch.outcome import Finding, Rows
from batch.reading import REPORT, Part, is_json_lines, verbatim
from batch.sheet import Sheet, neutral, neutrals
from config.files import FileFormat

_ROW, _SAID = REPORT[0], REPORT[1:]
_AT_ONCE = 20_000  # lines, so that a block that failed on every integration takes no more memory than others
_OBJECT = msgspec.json.Decoder(dict[str, Any])


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
    source = verbatim(drop, name, files, rows := ledger.rows)
    if is_json_lines(name):
        with to.open("w", encoding="utf-8", newline="\n") as file:
            for texts in source.lines() if len(rows) else ():
                file.writelines(_json_lines(ledger.of(list(texts)), texts))
        return
    # one encoding that holds everything; its mark tells readers (and ours) where the group declares another one
    encoding = "utf-8" if codecs.lookup(files.encoding).name == "utf-8" else "utf-8-sig"
    sheet = Sheet(source.delimiter)
    with to.open("w", encoding=encoding, newline="") as file:
        file.write(sheet.line([*REPORT, *map(neutral, source.header)]) + "\n")
        for part in source.tables() if len(rows) else ():
            for entries in ledger.of(part.rows).iter_slices(_AT_ONCE):
                file.write(_cells(entries, part, sheet).str.join("\n").item() + "\n")


def _cells(entries: pl.DataFrame, part: Part, sheet: Sheet) -> pl.Series:
    """Return the lines of a table's entries."""
    # a destination's words stand in the message, and words can begin with = too
    entries = entries.with_columns(neutrals(entries["_column"]), neutrals(entries["_message"])).with_row_index("place")
    even = entries.join(part.even, on=_ROW, how="inner", maintain_order="left")
    cells = [even[_ROW].cast(pl.String), *even.select(_SAID), *map(neutrals, even[:, len(entries.columns) :])]
    lines = sheet.lines(pl.DataFrame(cells))
    if not part.odd:
        return lines
    odd = entries.filter(pl.col(_ROW).is_in(list(part.odd)))
    odd_lines = [sheet.line([str(row), *said, *map(neutral, part.odd[row])]) for _, row, *said in odd.iter_rows()]
    both = pl.DataFrame({"place": [*even["place"], *odd["place"]], "line": [*lines, *odd_lines]})
    return both.sort("place")["line"]


def _json_lines(entries: pl.DataFrame, texts: Mapping[int, str]) -> Iterator[str]:
    """Yield the lines of entries whose records are JSON text, or should be."""
    for row, *said in entries.iter_rows():
        head, text = f'{{"{_ROW}": {row}, {_members(*said)}', texts[row]
        rest = text.strip()[1:].lstrip() if _is_object(text) else f'"_text": {json.dumps(text, ensure_ascii=False)}}}'
        yield f"{head}}}\n" if rest == "}" else f"{head}, {rest}\n"


@lru_cache
def _members(*said: str) -> str:
    """Return what is said of a row as members of a JSON object; it is the same for many rows."""
    return json.dumps(dict(zip(_SAID, said, strict=True)), ensure_ascii=False)[1:-1]


def _is_object(text: str) -> bool:
    """Say whether a text is a JSON object; what the quick and strict way takes, the other one takes too."""
    try:
        _OBJECT.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        with suppress(ValueError, RecursionError):
            return isinstance(json.loads(text), dict)
        return False
    return True


class _Entries:
    """Findings looked up by row, in arrays: a batch may have a finding on every one of its million rows."""

    def __init__(self, findings: Iterable[tuple[str | None, Finding]]) -> None:
        self._findings = list(findings)
        every = [finding.rows for _, finding in self._findings]
        rows = np.concatenate(every) if every else np.empty(0, dtype=np.int64)
        numbers = np.repeat(np.arange(len(every)), [len(one) for one in every])
        order = np.argsort(rows, kind="stable")
        self._rows, self._numbers = rows[order], numbers[order]
        names = {name: place for place, (name, _) in enumerate(self._findings)}
        self._integrations = np.array([names[name] for name, _ in self._findings], dtype=np.int64)

    @property
    def rows(self) -> Rows:
        return self._rows[np.diff(self._rows, prepend=0) > 0]

    def of(self, rows: Rows | Sequence[int]) -> pl.DataFrame:
        """Return the entries of neighbouring rows, in order: the row number and what is said of it.

        A row has an entry for each integration; several broken rules make one entry with all their sentences.
        """
        start, end = np.searchsorted(self._rows, [rows[0], rows[-1] + 1])
        numbers = self._numbers[start:end]
        each = pl.DataFrame({_ROW: self._rows[start:end], "integration": self._integrations[numbers], "these": numbers})
        entries = each.group_by(_ROW, "integration", maintain_order=True).agg("these")
        said = [(these, *self._said(these)) for these in entries["these"].unique()]
        texts = pl.DataFrame(said, {"these": pl.List(pl.Int64), **dict.fromkeys(_SAID, pl.String)}, orient="row")
        return entries.join(texts, on="these", how="left", maintain_order="left").select(REPORT)

    def _said(self, these: Iterable[int]) -> tuple[str, ...]:
        (integration, first), *_ = findings = [self._findings[number] for number in these]
        message = "; ".join(finding.message for _, finding in findings)
        return integration or "", first.outcome.value, first.code, first.column or "", message
