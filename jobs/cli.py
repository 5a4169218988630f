"""The command line. Errors that people make end in a sentence and an exit code, never in a traceback."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from typing import Annotated, Any

import typer

from jobs import logs, screen
from jobs.commands import batches, catalog, configuration, connecting, drops, files, keys, people, playing, testing
from jobs.options import ConfigPath

app = typer.Typer(
    name="flatdrop",
    help="From a customer's file to their marketing and CRM systems, with an account of every row.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(configuration.config_app, name="config")
app.add_typer(connecting.connect_app, name="connect")
app.add_typer(keys.keys_app, name="keys")
for command in (
    playing.demo,
    configuration.init,
    drops.run,
    drops.serve,
    files.check,
    files.preview,
    batches.batches,
    batches.show,
    batches.audit,
    batches.rerun,
    people.forget,
    catalog.integrations,
    playing.sandbox,
):
    app.command()(command)
app.command(hidden=True)(testing.failpoints)


def _show_version(asked: bool) -> None:
    if asked:
        screen.say(f"flatdrop {version('flatdrop')}")
        raise typer.Exit


@app.callback()
def root(
    config: ConfigPath = None,  # noqa: ARG001 - read by `jobs.options.chosen`
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens, on stderr.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Set up what every command needs."""
    logs.configure(verbose=verbose)


def main() -> None:
    """Run the command line; typer itself tells usage errors (exit code 2) and ends by the commands' own codes."""
    try:
        app()
    except Exception as error:  # noqa: BLE001 - the last resort, which has a sentence for everything
        sys.exit(_explained(error))


def _explained(error: Exception) -> int:
    """Print what an error says to people, and return the exit code that goes with it."""
    from batch.dropzone import DropZoneError
    from batch.errors import LedgerError
    from batch.spool import trouble
    from config.errors import ConfigError
    from jobs.audit import AuditError
    from jobs.forget import ForgetError
    from jobs.rerun import RerunError, RerunUnfinishedError

    codes: dict[type[Exception], int] = {
        ConfigError: 2, AuditError: 2, ForgetError: 2, RerunError: 2,
        RerunUnfinishedError: 1, LedgerError: 1, DropZoneError: 1
    }  # fmt: skip
    for kind, code in codes.items():
        if isinstance(error, kind):
            screen.warn(str(error))
            return code
    if os.environ.get("FLATDROP_DEBUG"):
        raise error
    if isinstance(error, OSError) and not isinstance(error, ConnectionError | TimeoutError):
        screen.warn(trouble(error))
        return 1
    screen.warn(_fault(error))
    return 1


def _fault(error: Exception) -> str:
    trace: Any = error.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}"
    return (
        f"A fault of the program: {type(error).__name__} at {place}. What was sent is in the ledger. "
        "Set FLATDROP_DEBUG=1 to see the whole traceback, and report it."
    )
