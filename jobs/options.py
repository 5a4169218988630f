"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigPath = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="PATH",
        help="flatdrop.yaml, or its folder. Else $FLATDROP_CONFIG, ./flatdrop.yaml or config/flatdrop.yaml.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
GroupKey = Annotated[str, typer.Option("--group", metavar="KEY", help="The group's key.", show_default=False)]
AnyGroup = Annotated[
    str | None, typer.Option("--group", metavar="KEY", help="One group's key; all groups if not given.")
]
OneIntegration = Annotated[
    str | None, typer.Option("--integration", metavar="NAME", help="One integration's name; all if not given.")
]
LocalFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", exists=True, dir_okay=False, readable=True, help="A CSV, TSV or JSONL file on this machine."
    ),
]


def chosen(ctx: typer.Context, config: Path | None) -> Path | None:
    """Return the configuration that a command was given, on itself or before it."""
    root = ctx.find_root().params.get("config")
    return config or (Path(root) if root else None)
