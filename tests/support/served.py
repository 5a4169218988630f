"""The API of a whole installation, served on a port of its own in this process."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from support.client import Client
from support.installation import SECRET_KEY
from support.installation import Installation as Installed

from api import app as api
from api import keyring
from api.issuing import issue
from api.keyring import Keyring
from api.server import serving
from api.vault import Vault
from batch.runtime import Runtime
from jobs.courier import Courier


@dataclass
class Served:
    """A server at work: its address, and what it logged of its requests."""

    base: str
    runtime: Runtime
    ring: Keyring
    log: list[str] = field(default_factory=list)

    def client(self, *groups: str) -> Client:
        """Make a key for these groups, and return who signs with it; the server knows it at once."""
        credential = issue(self.runtime.ledger, Vault(SECRET_KEY), groups)
        self.ring.refresh()
        return Client(self.base, credential)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The access log so far."""
        return [json.loads(line) for line in "".join(self.log).splitlines()]

    def logged(self, count: int) -> list[dict[str, Any]]:
        """Return the last lines of the access log, once there are so many."""
        until(lambda: len(self.lines) >= count)
        return self.lines[-count:]


@contextmanager
def served(it: Installed, *, delivers: bool = False) -> Iterator[Served]:
    """Serve an installation while the block lasts; only if it `delivers` do its records go anywhere."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(keyring, "_APART", 0.02))  # what is refused would wait for half a second
        runtime = stack.enter_context(it.opened())
        ring = Keyring(runtime.ledger.keys, Vault(SECRET_KEY))
        ring.refresh()
        courier = stack.enter_context(Courier(runtime, lambda _report: None)) if delivers else None
        log: list[str] = []
        taken = courier.wake if courier else lambda: None
        app = api.application(
            api.Installation(
                runtime.deployment.api, runtime.groups, runtime.ledger, runtime.zone, ring, taken, log.append
            )
        )
        base = stack.enter_context(serving(app, "127.0.0.1", 0))
        yield Served(base, runtime, ring, log)


def until(true: Callable[[], object], seconds: float = 30) -> None:
    """Wait until something is true."""
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.01)
