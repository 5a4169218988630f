"""Commands that take drops up: `run` and `serve`."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Event
from typing import Annotated

import typer

from jobs import screen
from jobs.options import AnyGroup, AsJson, ConfigPath, chosen


def run(
    ctx: typer.Context,
    group: AnyGroup = None,
    file: Annotated[
        str | None, typer.Option("--file", metavar="KEY", help="One drop's key, like abc123/customers.csv.")
    ] = None,
    json: AsJson = False,
    config: ConfigPath = None,
) -> None:
    """Process every drop that waits, now."""
    from jobs import run as runs
    from jobs.opening import opened

    with opened(chosen(ctx, config)) as runtime, stopping_on_signals(runtime.stopping):
        keys = [key_of(runtime.groups, group)] if group else list(runtime.groups)
        if file and not group:
            keys = [key_of(runtime.groups, file.partition("/")[0])]
        with screen.progress(quiet=json) as watch:
            report = runs.run(runtime, keys, file=file, watch=watch)
    for notice in report.notices:
        screen.warn(notice)
    for problem in report.problems:
        screen.warn(problem)
    if json:
        screen.as_json(report.receipts)
    else:
        for receipt in report.receipts:
            screen.receipt(receipt)
        if not report.receipts and not report.problems:
            screen.say("No drop is waiting.")
    raise typer.Exit(1 if report.needs_operator else 0)


def serve(ctx: typer.Context, config: ConfigPath = None) -> None:
    """Serve the API and run each group by its schedule until told to stop; what is in flight is seen through."""
    from jobs import logs, serving
    from jobs.opening import opened

    logs.configure(verbose=True)  # a server's log is all that its operator sees of it
    with opened(chosen(ctx, config)) as runtime, stopping_on_signals(runtime.stopping):
        serving.serve(runtime)


def key_of(groups: Mapping[str, object], key: str, what: str = "group") -> str:
    """Return the key if it is one of these groups', or of what `what` names.

    Raises:
        typer.BadParameter: when there is none.
    """
    from mappers.nearest import nearest

    if key in groups:
        return key
    hint = nearest(key, groups) or f"choose from {', '.join(groups)}"
    raise typer.BadParameter(f"there is no {what} {key} ({hint})")


@contextmanager
def stopping_on_signals(stopping: Event) -> Iterator[None]:
    """Set the event on the first SIGTERM or SIGINT, and let a second one end the process as usual."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    former = {number: signal.getsignal(number) for number in numbers}

    def stop(number: int, _frame: object) -> None:
        stopping.set()
        signal.signal(number, former[signal.Signals(number)])

    for number in numbers:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
