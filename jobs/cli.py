"""The command line. Errors that people make end in a sentence and an exit code, never in a traceback."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import click
import typer

from jobs import logs, screen
from jobs.commands import batches, catalog, configuration, drops, files, playing
from jobs.options import ConfigPath

app = typer.Typer(
    name="flatdrop",
    help="From a customer's file to their marketing and CRM systems, with an account of every row.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(configuration.config_app, name="config")
for command in (
    playing.demo,
    configuration.init,
    drops.run,
    drops.serve,
    files.check,
    files.preview,
    batches.batches,
    batches.show,
    batches.rerun,
    catalog.integrations,
    playing.sandbox,
):
    app.command()(command)


@app.callback()
def root(
    config: ConfigPath = None,  # noqa: ARG001 - read by `jobs.options.chosen`
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens, on stderr.")] = False,
) -> None:
    """Set up what every command needs."""
    logs.configure(verbose=verbose)


def main() -> None:
    """Run the command line."""
    try:
        code = app(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.Abort:
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:  # noqa: BLE001 - the last resort, which has a sentence for everything
        code = _explained(error)
    sys.exit(code if isinstance(code, int) else 0)


def _explained(error: Exception) -> int:
    """Print what an error says to people, and return the exit code that goes with it."""
    from batch.dropzone import DropZoneError
    from batch.errors import LedgerError
    from config.errors import ConfigError
    from jobs.rerun import RerunError

    codes: dict[type[Exception], int] = {ConfigError: 2, RerunError: 2, LedgerError: 1, DropZoneError: 1}
    for kind, code in codes.items():
        if isinstance(error, kind):
            screen.warn(str(error))
            return code
    if os.environ.get("FLATDROP_DEBUG"):
        raise error
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
