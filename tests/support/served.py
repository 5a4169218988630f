"""The API of a whole installation, served on a port of its own in this process."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
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
from api.server import address, listening, serving
from api.vault import Vault
from batch.careful import Failed, carefully
from batch.runtime import Runtime
from batch.taking import Offer, Result, Taker
from jobs.courier import Courier


class InThread:
    """Takes records in a thread of this process, where tests can look on."""

    def __init__(self, take: Callable[[Sequence[Offer]], Sequence[Result]]) -> None:
        self._take = take
        self._thread = ThreadPoolExecutor(max_workers=1)

    def take(self, offers: Sequence[Offer]) -> asyncio.Future[Sequence[Result | Failed]]:
        return asyncio.get_running_loop().run_in_executor(self._thread, carefully, self._take, offers)

    async def __aenter__(self) -> InThread:
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._thread.shutdown()


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
        taker = InThread(Taker(runtime.ledger.packets, runtime.zone, runtime.groups).take)
        app = api.application(
            api.Installation(
                runtime.deployment.api, runtime.groups, runtime.ledger, runtime.zone, ring, taker, taken, log.append
            )
        )
        listener = stack.enter_context(listening("127.0.0.1", 0))
        stack.enter_context(serving(app, listener))
        yield Served(address(listener), runtime, ring, log)


def until(true: Callable[[], object], seconds: float = 30) -> None:
    """Wait until something is true."""
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.01)
