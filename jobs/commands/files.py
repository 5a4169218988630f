"""Commands for a file that has not been dropped yet: `check` and `preview`."""

from __future__ import annotations

import json as jsons
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs import screen
from jobs.commands.drops import key_of
from jobs.options import AsJson, ConfigPath, GroupKey, LocalFile, OneIntegration, chosen

if TYPE_CHECKING:
    from config.deployment import Deployment
    from config.group import Group
    from jobs.rehearsal import Line, Verdict


def check(
    ctx: typer.Context,
    file: LocalFile,
    group: GroupKey,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Where to write the undelivered file; beside FILE if not given."),
    ] = None,
    json: AsJson = False,
    config: ConfigPath = None,
) -> None:
    """Give the verdict that a drop of this file would get; nothing is sent."""
    from batch.errors import BatchError
    from jobs import rehearsal

    deployment, found = _group(ctx, config, group)
    to = _place(deployment, file, out)
    try:
        with screen.progress(quiet=json) as watch:
            verdict = rehearsal.check(file, found, to, deployment.limits, watch.named(file.name))
    except BatchError as error:
        _failed(file, error, json=json)
    document = _document(file, verdict, to)
    if json:
        screen.as_json(document)
        return
    rows = document["rows"]
    screen.say(
        f"{file}: {screen.counted(rows['read'], 'row')} read = {rows['valid']:,} valid + {rows['invalid']:,} invalid"
    )
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
    integration: OneIntegration = None,
    rows: Annotated[int, typer.Option("--rows", metavar="N", min=1, help="How many rows to show.")] = 10,
    json: AsJson = False,
    config: ConfigPath = None,
) -> None:
    """Show what would be sent, row by row; nothing is sent."""
    from batch.errors import BatchError
    from jobs import rehearsal

    deployment, found = _group(ctx, config, group)
    if integration is not None:
        key_of(found.integrations, integration, "integration")
    try:
        lines = rehearsal.preview(file, found, integration, rows, deployment.limits)
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


def _group(ctx: typer.Context, config: Path | None, key: str) -> tuple[Deployment, Group]:
    from config.load import load, load_groups

    deployment = load(chosen(ctx, config))
    groups = load_groups(deployment)
    return deployment, groups[key_of(groups, key)]


def _place(deployment: Deployment, file: Path, out: Path | None) -> Path:
    """Return where the undelivered file goes: not into the drop zone, where it would be a drop itself."""
    from batch.results import undelivered_name

    name = f"{file.name.split('.')[0]}.{undelivered_name(file.name)}"
    for place in [out] if out else [file.with_name(name), Path(name)]:
        if not place.resolve().is_relative_to(Path(deployment.drop_zone).resolve()):
            if not place.absolute().parent.is_dir():
                raise typer.BadParameter(f"there is no folder {place.parent}", param_hint="--out")
            if place.is_dir() or (place.exists() and place.samefile(file)):
                raise typer.BadParameter(f"{place} is a folder, or the file itself", param_hint="--out")
            return place
    raise typer.BadParameter("in the drop zone, it would be a drop itself; name another place", param_hint="--out")


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
