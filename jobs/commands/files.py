"""Commands for a file that has not been dropped yet: `check` and `preview`."""

from __future__ import annotations

import json as jsons
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs import screen
from jobs.commands.drops import key_of
from jobs.options import AsJson, ConfigPath, GroupKey, LocalFile, chosen

if TYPE_CHECKING:
    from config.group import Group
    from jobs.rehearsal import Line, Verdict


def check(
    ctx: typer.Context,
    file: LocalFile,
    group: GroupKey,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where to write the undelivered file; beside FILE if not given.")
    ] = None,
    json: AsJson = False,
    config: ConfigPath = None,
) -> None:
    """Give the verdict that a drop of this file would get; nothing is sent."""
    from batch.errors import BatchError
    from batch.results import undelivered_name
    from jobs import rehearsal

    to = out or file.with_name(f"{file.name.split('.')[0]}.{undelivered_name(file.name)}")
    try:
        with screen.progress(quiet=json) as watch:
            verdict = rehearsal.check(file, _group(ctx, config, group), to, watch.named(file.name))
    except BatchError as error:
        _failed(file, error, json=json)
    document = _document(file, verdict, to)
    if json:
        screen.as_json(document)
        return
    rows = document["rows"]
    screen.say(f"{file}: {rows['read']:,} rows read = {rows['valid']:,} valid + {rows['invalid']:,} invalid")
    screen.table(
        ["  integration", "to send", "filtered", "invalid"],
        [[f"  {name}", *counts.values()] for name, counts in document["integrations"].items()],
    )
    screen.codes(document["codes"])
    if document["undelivered"]:
        screen.say(f"What to mend stands in {document['undelivered']}")


def preview(
    ctx: typer.Context,
    file: LocalFile,
    group: GroupKey,
    integration: Annotated[str | None, typer.Option("--integration", help="One integration; all if not given.")] = None,
    rows: Annotated[int, typer.Option("--rows", min=1, help="How many rows to show.")] = 10,
    json: AsJson = False,
    config: ConfigPath = None,
) -> None:
    """Show what would be sent, row by row; nothing is sent."""
    from batch.errors import BatchError
    from jobs import rehearsal

    found = _group(ctx, config, group)
    if integration is not None:
        key_of(dict(found.integrations), integration)
    try:
        lines = rehearsal.preview(file, found, integration, rows)
    except BatchError as error:
        _failed(file, error, json=json)
    if json:
        screen.as_json([_line(line) for line in lines])
        return
    screen.table(
        ["row", "integration", "outcome", "item"],
        (
            [line.row, line.integration or "check", line.outcome, "; ".join(line.problems) or _item(line.item)]
            for line in lines
        ),
    )


def _group(ctx: typer.Context, config: Path | None, key: str) -> Group:
    from config.load import load, load_groups

    groups = load_groups(load(chosen(ctx, config)))
    return groups[key_of(groups, key)]


def _failed(file: Path, error: Exception, *, json: bool) -> None:
    if json:
        screen.as_json({"file": str(file), "state": "failed", "reason": str(error)})
    else:
        screen.warn(f"{file} cannot be used: {error}")
    raise typer.Exit(1)


def _document(file: Path, verdict: Verdict, to: Path) -> dict[str, Any]:
    from batch.receipt import codes

    examined = verdict.examined
    invalid = len(examined.invalid)
    found = codes(verdict.findings())
    return {
        "file": str(file),
        "state": "partial" if found else "delivered",
        "reason": None,
        "rows": {"read": examined.rows, "valid": examined.rows - invalid, "invalid": invalid},
        "integrations": {
            name: {"send": share.send, "filtered": share.filtered, "invalid": share.invalid}
            for name, share in verdict.shares.items()
        },
        "codes": found,
        "undelivered": str(to) if found else None,
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "row": line.row,
        "integration": line.integration,
        "outcome": line.outcome,
        "item": line.item,
        "problems": list(line.problems),
    }


def _item(item: object) -> str:
    return "" if item is None else jsons.dumps(item, ensure_ascii=False)
