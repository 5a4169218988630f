"""The screen: what commands show, to a person or as one JSON document on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from batch import results
from batch.batch import Batch
from batch.runtime import Progress as Told

OUT = Console(highlight=False, soft_wrap=True)
ERR = Console(stderr=True, highlight=False, soft_wrap=True)

_SENTENCE = 30
_UNBROKEN = 100_000  # what reads a pipe or a file wants a line a row

_COLOURS = {"delivered": "green", "partial": "yellow", "failed": "red", "running": "cyan", "queued": "cyan"}
_COUNTS = ("delivered", "acknowledged", "filtered", "unchanged", "invalid", "rejected", "failed", "unknown")


def say(text: str = "") -> None:
    """Print a line for a person."""
    OUT.print(escape(text))


def warn(text: str) -> None:
    """Print a line on stderr."""
    ERR.print(escape(text))


def as_json(document: Any) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def counted(number: int, what: str) -> str:
    """Return a number with what it counts, in the singular for one."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def table(heads: Sequence[str], lines: Iterable[Sequence[object]]) -> None:
    """Print a table; numbers stand to the right, and only the last column is broken where a terminal is narrow."""
    cells = [list(line) for line in lines]
    shown = [["" if c is None else f"{c:,}" if isinstance(c, int) else str(c) for c in line] for line in cells]
    grid = Table(box=None, pad_edge=False, header_style="dim")
    for number, head in enumerate(heads):
        right = bool(cells) and all(isinstance(line[number], int) for line in cells)
        last = number == len(heads) - 1
        grid.add_column(head, justify="right" if right else "left", overflow="fold", no_wrap=not last)
    for line in shown:
        grid.add_row(*map(escape, line))
    firm = sum(max(map(cell_len, column)) + 2 for column in zip(heads[:-1], *(x[:-1] for x in shown), strict=True))
    width = max(OUT.width, firm + _SENTENCE) if OUT.is_terminal else _UNBROKEN
    Console(highlight=False, soft_wrap=True, width=width).print(grid)


def receipt(document: dict[str, Any]) -> None:
    """Print a receipt."""
    colour = _COLOURS.get(document["state"], "white")
    OUT.print(f"[bold]{escape(document['file'])}[/]  [{colour}]{document['state']}[/]  batch {document['batch']}")
    if document["reason"]:
        OUT.print(f"  [red]{escape(document['reason'])}[/]")
    rows = document["rows"]
    OUT.print(f"  {counted(rows['read'], 'row')} read = {rows['valid']:,} valid + {rows['invalid']:,} invalid")
    integrations = document["integrations"]
    if integrations:
        shown = [name for name in _COUNTS if name == "delivered" or any(one[name] for one in integrations.values())]
        heads = ["  integration", *shown, "requests"]
        lines = [[f"  {name}", *(one[count] for count in shown), one["requests"]] for name, one in integrations.items()]
        doubled = any(one["possible_duplicates"] for one in integrations.values())
        if doubled:
            heads.append("possible duplicates")
            lines = [
                [*line, one["possible_duplicates"]] for line, one in zip(lines, integrations.values(), strict=True)
            ]
        table(heads, lines)
    codes(document["codes"])
    for line in _next_steps(document):
        OUT.print(f"  {escape(line)}")


def _next_steps(document: dict[str, Any]) -> Iterator[str]:
    batch, counts = document["batch"], document["integrations"].values()
    if document["codes"]:
        place = results.folder(document["group_key"], document["file"], batch)
        yield f"undelivered rows: {place}/{results.undelivered_name(document['file'])}"
    if document["state"] == "failed" or any(one["failed"] for one in counts):
        yield f"to send again what failed: flatdrop rerun {batch}"
    if any(one["unknown"] for one in counts):
        yield f"to send again what may have arrived: flatdrop rerun {batch} --outcome unknown"


def codes(lines: list[dict[str, Any]]) -> None:
    """Print what stands against rows, by code."""
    if lines:
        table(
            ["  code", "rows", "first row", "by", "what"],
            ([f"  {x['code']}", x["rows"], x["first_row"], x["integration"] or "check", x["message"]] for x in lines),
        )


@contextmanager
def progress(*, quiet: bool) -> Iterator[Watcher]:
    """Show bars while work goes on, on a terminal only."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=ERR, transient=True, disable=quiet or not ERR.is_terminal) as bars:
        yield Watcher(bars)


class Watcher:
    """Makes a bar for each step of each batch."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars

    def __call__(self, batch: Batch) -> Told:
        """Return who is told of the rows of a batch."""
        return self.named(batch.file)

    def named(self, file: str) -> Told:
        """Return who is told of the rows of a file."""
        tasks: dict[str, Any] = {}
        read = 0

        def told(step: str, rows: int) -> None:
            nonlocal read
            read += rows if step == "checked" else 0
            if step not in tasks:
                tasks[step] = self._bars.add_task(escape(f"{file}  {step}"), total=None if step == "checked" else read)
            self._bars.advance(tasks[step], rows)

        return told
