"""The command that tries destinations before a night does: `connect test`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from jobs import screen
from jobs.commands.drops import key_of
from jobs.options import AsJson, ConfigPath, GroupKey, OneIntegration, chosen

if TYPE_CHECKING:
    from jobs.connecting import Tried

connect_app = typer.Typer(help="Do the destinations know us?", no_args_is_help=True)


@connect_app.callback()
def connect() -> None:
    """Do the destinations know us?"""


@connect_app.command("test")
def try_out(
    ctx: typer.Context,
    group: GroupKey,
    integration: OneIntegration = None,
    json: AsJson = False,
    config: ConfigPath = None,
) -> None:
    """Prove a group's credentials, settings and mapped fields by calls that change nothing."""
    from config.load import load, load_groups
    from jobs.connecting import tried

    deployment = load(chosen(ctx, config))
    groups = load_groups(deployment)
    one = groups[key_of(groups, group)]
    if integration is not None and integration not in one.integrations:
        raise typer.BadParameter(
            f"{integration}: {group} has {', '.join(one.integrations)}", param_hint="--integration"
        )
    found = tried(deployment, one, [name for name in one.integrations if integration in (None, name)])
    if json:
        screen.as_json([asdict(each) for each in found])
    else:
        screen.table(["integration", "type", "", "what"], ([it.integration, it.type, *_said(it)] for it in found))
    raise typer.Exit(1 if any(it.ok is False for it in found) else 0)


def _said(it: Tried) -> tuple[str, str]:
    if it.ok is None:
        return "untried", it.message or ""
    if it.ok:
        return "ok", "; ".join(it.proved)
    return "no", f"{it.code}: {it.message}"
