"""Commands for what happened: `batches`, `show` and `rerun`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs import screen
from jobs.commands.drops import stopping_on_signals
from jobs.options import AnyGroup, AsJson, ConfigPath, OneIntegration, chosen

if TYPE_CHECKING:
    from batch.outcome import Outcome
    from batch.runtime import Runtime
    from jobs.rerun import Rerun

BatchId = Annotated[str, typer.Argument(metavar="BATCH", help="A batch's id, or a beginning of it that only it has.")]
States = Annotated[
    str | None,
    typer.Option("--state", metavar="STATE", help="queued, running, delivered, partial or failed; all if not given."),
]


def batches(
    ctx: typer.Context, group: AnyGroup = None, state: States = None, json: AsJson = False, config: ConfigPath = None
) -> None:
    """List batches, newest first."""
    from batch.batch import State
    from batch.receipt import summary
    from jobs.opening import opened

    if state is not None and state not in set(State):
        raise typer.BadParameter(f"{state} is not a state; there are {', '.join(State)}")
    with opened(chosen(ctx, config)) as runtime:
        found = runtime.ledger.batches(group, State(state) if state else None)
    lines = [summary(batch) for batch in found]
    if json:
        screen.as_json(lines)
    elif not lines:
        screen.say("There is no such batch." if group or state else "There is no batch yet.")
    else:
        heads = ["batch", "file", "state", "rows", "invalid", "reason"]
        screen.table(heads, ([line[head] for head in heads] for line in lines))


def show(ctx: typer.Context, batch: BatchId, json: AsJson = False, config: ConfigPath = None) -> None:
    """Show a batch's receipt as the ledger has it now."""
    from batch.receipt import Books, compose
    from jobs.opening import opened

    with opened(chosen(ctx, config)) as runtime:
        found = runtime.ledger.batch(_whole_id(runtime, batch))
        receipt = compose(Books.read(runtime.ledger, found)) if found else None
    if receipt is None:
        raise _taken_out(batch)
    if json:
        screen.as_json(receipt)
    else:
        screen.receipt(receipt)


def _taken_out(batch: str) -> typer.BadParameter:
    return typer.BadParameter(f"the batch {batch} was taken out of the ledger just now")


def audit(
    ctx: typer.Context,
    batch: BatchId,
    integration: OneIntegration = None,
    journal: Annotated[
        Path | None,
        typer.Option("--journal", metavar="FILE", exists=True, dir_okay=False, help="What a sandbox took."),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(
            "--export", metavar="FILE", exists=True, dir_okay=False, help="What the destination has: CSV or JSON Lines."
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="FIELD", help="Tell records apart by this field; needed with --export."),
    ] = None,
    json: AsJson = False,
    config: ConfigPath = None,
) -> None:
    """Compare a batch's file, ledger and receipt with what its destinations have: lost, doubled, stuck."""
    from jobs import audit as audits
    from jobs.opening import opened

    if (journal is None) == (export is None):
        raise typer.BadParameter("give either --journal or --export")
    if export is not None and by is None:
        raise typer.BadParameter("--export needs --by: the field that tells the destination's records apart")
    with opened(chosen(ctx, config)) as runtime:
        found = runtime.ledger.batch(_whole_id(runtime, batch))
        if found is None:
            raise _taken_out(batch)
        if journal is not None:
            told = audits.against_journal(runtime, found, journal, by, integration)
        else:
            told = audits.against_export(runtime, found, export or Path(), by or "", integration)
    if json:
        screen.as_json(told.document)
    else:
        heads = ["integration", "delivered", "unknown", "found", "lost", "doubled", "declared"]
        screen.table(
            heads, ([name, *(getattr(share, head) for head in heads[1:])] for name, share in told.shares.items())
        )
        for sentence in [*told.breaks, *(["The batch is not closed."] if told.stuck else [])]:
            screen.say(sentence)
        screen.say("Everything is where the receipt says." if told.good else "Something is not as the receipt says.")
    raise typer.Exit(0 if told.good else 1)


def rerun(
    ctx: typer.Context,
    batch: BatchId,
    integration: OneIntegration = None,
    outcome: Annotated[
        str,
        typer.Option(
            "--outcome", metavar="LIST", help="Which rows: failed, unknown, rejected, invalid; several with commas."
        ),
    ] = "failed",
    config: Annotated[
        list[str] | None,
        typer.Option(
            "--config",
            metavar="original|current",
            help="`original` (as the batch was taken up) or `current` (as the group is configured today); "
            "else the path of flatdrop.yaml.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, and send nothing.")] = False,
    json: AsJson = False,
) -> None:
    """Send again what a batch still owes, and only that."""
    from batch.receipt import Books, compose
    from jobs import rerun as reruns
    from jobs.opening import opened
    from jobs.run import needs_operator

    named = [one for one in config or [] if one not in ("original", "current")]
    current = "current" in (config or [])
    outcomes = _outcomes(outcome)
    with opened(chosen(ctx, Path(named[-1]) if named else None)) as runtime:
        whole = _whole_id(runtime, batch)
        plan = reruns.plan(runtime, whole, integration=integration, outcomes=outcomes, current=current)
        _tell(plan, screen.warn if json else screen.say)  # the risk is told before anything is sent
        if dry_run:
            if json:
                screen.as_json(_plan_document(plan))
            else:
                screen.say("Nothing was sent.")
            return
        if plan.nothing:
            receipt = compose(Books.read(runtime.ledger, reruns.closed(runtime, whole)))
        else:
            with stopping_on_signals(runtime.stopping), screen.progress(quiet=json) as watch:
                receipt = reruns.carry_out(runtime, plan, watch)
    if json:
        screen.as_json(receipt)
    else:
        screen.receipt(receipt)
    raise typer.Exit(1 if needs_operator(receipt) else 0)


def _outcomes(text: str) -> tuple[Outcome, ...]:
    from batch.outcome import Outcome
    from jobs.rerun import RERUNNABLE

    names = [name.strip() for name in text.split(",") if name.strip()]
    wrong = [name for name in names if name not in RERUNNABLE]
    if wrong or not names:
        raise typer.BadParameter(f"{', '.join(wrong) or 'nothing'}: there are {', '.join(RERUNNABLE)}")
    return tuple(Outcome(name) for name in names)


def _whole_id(runtime: Runtime, start: str) -> str:
    """Return the one batch id that begins so."""
    matching = [batch.id for batch in runtime.ledger.batches() if batch.id.startswith(start)]
    if len(matching) == 1 or start in matching:
        return start if start in matching else matching[0]
    if matching:
        raise typer.BadParameter(f"{len(matching)} batches begin with {start}; give more of the id")
    raise typer.BadParameter(f"there is no batch {start}; `flatdrop batches` lists them")


def _plan_document(plan: Rerun) -> dict[str, Any]:
    return {
        "batch": plan.batch.id,
        "whole_file": plan.whole_file,
        "unchecked_rows": plan.unchecked,
        "integrations": {name: asdict(share) for name, share in plan.shares.items()},
    }


def _tell(plan: Rerun, say: Callable[[str], None]) -> None:
    from jobs.rerun import risk

    if plan.nothing:
        say("Nothing of that kind is owed.")
    if plan.whole_file:
        say("The file could not be used; it is read again.")
    if plan.unchecked:
        say(f"check: {screen.counted(plan.unchecked, 'row')} that it refused, to be checked again")
    for name, share in plan.shares.items():
        what = f"{screen.counted(share.rows, 'row')} in {screen.counted(share.requests, 'request')}"
        say(f"{name}: {what}; {risk(share)}")
