"""The screen: what commands show, to a person or as one JSON document on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from batch.batch import Batch
from batch.runtime import Progress as Told

OUT = Console(highlight=False, soft_wrap=True)
ERR = Console(stderr=True, highlight=False, soft_wrap=True)

_COLOURS = {"delivered": "green", "partial": "yellow", "failed": "red", "running": "cyan", "queued": "cyan"}
_COUNTS = ("delivered", "filtered", "unchanged", "invalid", "rejected", "failed", "unknown")


def say(text: str = "") -> None:
    """Print a line for a person."""
    OUT.print(escape(text))


def warn(text: str) -> None:
    """Print a line on stderr."""
    ERR.print(escape(text))


def as_json(document: Any) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def table(heads: Sequence[str], lines: Iterable[Sequence[object]], *, title: str | None = None) -> None:
    """Print a table; numbers stand to the right."""
    lines = [list(line) for line in lines]
    grid = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="dim")
    for number, head in enumerate(heads):
        right = bool(lines) and all(isinstance(line[number], int) for line in lines)
        grid.add_column(head, justify="right" if right else "left", overflow="fold")
    for line in lines:
        grid.add_row(
            *(escape("" if cell is None else f"{cell:,}" if isinstance(cell, int) else str(cell)) for cell in line)
        )
    OUT.print(grid)


def receipt(document: dict[str, Any]) -> None:
    """Print a receipt."""
    colour = _COLOURS.get(document["state"], "white")
    OUT.print(f"[bold]{escape(document['file'])}[/]  [{colour}]{document['state']}[/]  batch {document['batch']}")
    if document["reason"]:
        OUT.print(f"  [red]{escape(document['reason'])}[/]")
    rows = document["rows"]
    OUT.print(f"  {rows['read']:,} rows read = {rows['valid']:,} valid + {rows['invalid']:,} invalid")
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
