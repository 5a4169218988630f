"""Commands to try things with: `sandbox` and `demo`."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Annotated

import typer

from jobs import screen
from jobs.options import AsJson


def sandbox(
    port: Annotated[
        int, typer.Option("--port", metavar="PORT", min=1, max=65535, help="The port to listen on.")
    ] = 8099,
    faults: Annotated[
        str,
        typer.Option(
            "--faults",
            metavar="LIST",
            help="What goes wrong, like mailchimp=503x3,hubspot=401,webhook=hang: TYPE=FAULT, for N requests with xN.",
        ),
    ] = "",
    journal: Annotated[
        Path | None, typer.Option("--journal", metavar="FILE", help="Append what is taken to this file, as JSON lines.")
    ] = None,
) -> None:
    """Play every integration of the catalog on this machine, until stopped."""
    from integrations import sandbox as stage

    try:
        planned = stage.Faults.parse(faults)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    base = f"http://127.0.0.1:{port}"
    words = f"playing every integration at {base}/TYPE; what it took is at {base}/_journal; Ctrl-C stops"
    try:
        stage.serve(port, journal=journal, faults=planned, credentials={}, started=lambda: screen.warn(words))
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        screen.warn(f"port {port} is taken; choose another with --port" if taken else f"cannot start: {error.strerror}")
        raise typer.Exit(2) from None


def demo(
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="DIR", help="Work in this folder, and leave it there.")
    ] = None,
    s3: Annotated[bool, typer.Option("--s3", help="Drop the file into S3 (moto's server, on this machine).")] = False,
    rows: Annotated[int, typer.Option("--rows", metavar="N", min=1, help="How many rows to make up.")] = 10_000,
    json: AsJson = False,
) -> None:
    """Run the whole way on this machine: made-up data, stand-ins for the destinations, a receipt."""
    from jobs import demo as tour

    raise typer.Exit(tour.show(keep, s3=s3, rows=rows, json=json))
