"""Commands to try things with: `sandbox` and `demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs import screen


def sandbox(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port to listen on.")] = 8099,
    faults: Annotated[
        str, typer.Option("--faults", help="What goes wrong, like mailchimp=503x3,hubspot=401,webhook=hang.")
    ] = "",
    journal: Annotated[
        Path | None, typer.Option("--journal", help="Append what is taken to this file, as JSON lines.")
    ] = None,
) -> None:
    """Play every integration of the catalog on this machine, until stopped."""
    from integrations import sandbox as stage

    try:
        planned = stage.Faults.parse(faults)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    screen.warn(f"playing every integration at http://127.0.0.1:{port}/TYPE; what was taken: /_journal; Ctrl-C stops")
    try:
        stage.serve(port, journal=journal, faults=planned, credentials={})
    except OSError as error:
        screen.warn(f"port {port} cannot be used: {error.strerror}")
        raise typer.Exit(2) from None


def demo(
    keep: Annotated[Path | None, typer.Option("--keep", help="Work in this folder, and leave it there.")] = None,
    s3: Annotated[bool, typer.Option("--s3", help="Drop the file into S3 (moto's server, on this machine).")] = False,
    rows: Annotated[int, typer.Option("--rows", min=1, help="How many rows to make up.")] = 10_000,
) -> None:
    """Run the whole way on this machine: made-up data, stand-ins for the destinations, a receipt."""
    from jobs import demo as tour

    raise typer.Exit(tour.show(keep, s3=s3, rows=rows))
