"""Opening: from the configuration's files to an installation at work."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from os import getpid
from pathlib import Path

from batch import zones
from batch.ledger import Ledger
from batch.runtime import Runtime
from config.load import load, load_groups


@contextmanager
def opened(config: Path | None) -> Iterator[Runtime]:
    """Read the configuration, and open the ledger and the drop zone that it names.

    Raises:
        ConfigError: when the configuration is wrong.
        LedgerError: when the ledger cannot be used.
    """
    deployment = load(config)
    groups = load_groups(deployment)
    zone = zones.find(deployment.drop_zone, deployment.s3, deployment.base)
    with Ledger.open(deployment.ledger) as ledger:
        yield Runtime(deployment, groups, ledger, zone)


def owner() -> str:
    """Return the name under which this process claims batches."""
    return f"{socket.gethostname()}:{getpid()}"
