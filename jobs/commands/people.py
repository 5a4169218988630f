"""Commands for people whose data was sent: `forget`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from jobs import screen
from jobs.commands.drops import key_of
from jobs.options import AsJson, ConfigPath, GroupKey, chosen


def forget(
    ctx: typer.Context,
    group: GroupKey,
    match: Annotated[
        str,
        typer.Option(
            "--match",
            metavar="ATTR=VALUE",
            help="What tells the person apart, like epost=john@example.com.",
            show_default=False,
        ),
    ],
    json: AsJson = False,
    config: ConfigPath = None,
) -> None:
    """Erase a person from undelivered files, API records and the ledger, and keep reruns from bringing them back."""
    from jobs.forget import forget as erase
    from jobs.opening import opened

    attribute, separator, value = match.partition("=")
    if not separator:
        raise typer.BadParameter("write it as ATTR=VALUE", param_hint="--match")
    with opened(chosen(ctx, config)) as runtime:
        erased = erase(runtime, key_of(runtime.groups, group), attribute.strip(), value)
    if json:
        screen.as_json({"group_key": group, "attribute": attribute.strip(), **asdict(erased)})
    else:
        lines, records = screen.counted(erased.undelivered, "line"), screen.counted(erased.records, "record")
        words = screen.counted(erased.messages, "message")
        screen.say(f"Erased {lines} of undelivered files, {records} of the API and {words} in the ledger.")
        screen.say("Reruns of what was received until now leave the person out.")
        screen.say("The drops themselves are yours to mend, and what destinations have is theirs to delete.")
        for batch in erased.open:
            screen.warn(f"not looked at, because it is not closed: {batch}; run this again when it is")
    raise typer.Exit(1 if erased.open else 0)
