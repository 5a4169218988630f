"""The front: the API in a process of its own, so that no delivery keeps callers waiting."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from types import TracebackType
from typing import Self

import structlog

from api.app import Installation, application
from api.clerk import Clerk
from api.keyring import Keyring
from api.server import address, listening, serving
from api.vault import Vault
from batch import zones
from batch.errors import LedgerError
from batch.ledger import Ledger
from batch.runtime import Runtime
from config.deployment import Deployment
from config.group import Group
from jobs.child import prepare

_CHORES = 1.0  # seconds between two rounds of small work: keys as they are now, and when they were used
_spawn = multiprocessing.get_context("spawn")

log = structlog.get_logger()


class Front:
    """Answers requests while the block lasts: `with Front(runtime, taken) as front:`; `taken` is called after commits.

    The block is entered when callers are let in, and left when all of them are answered.

    Raises:
        ConfigError: when the port cannot be listened on.
    """

    def __init__(self, runtime: Runtime, taken: Callable[[], object]) -> None:
        self._runtime, self._taken = runtime, taken

    def __enter__(self) -> Self:
        api = self._runtime.deployment.api
        with ExitStack() as stack:
            self._listener = stack.enter_context(listening(api.host, api.port))
            self._begin()
            self._stack = stack.pop_all()
        return self

    @property
    def address(self) -> str:
        """Where it listens, like `http://127.0.0.1:8080`."""
        return address(self._listener)

    def tend(self) -> None:
        """Begin again if the process has died; who knocks meanwhile is let in then."""
        if not self._process.is_alive():
            log.error("front.gone", exit=self._process.exitcode)
            self._begin()

    def _begin(self) -> None:
        ours, theirs = socket.socketpair()
        deployment, groups = self._runtime.deployment, dict(self._runtime.groups)
        os.environ["POLARS_MAX_THREADS"] = "1"  # for it: a few records are checked faster by one thread
        self._process = _spawn.Process(target=_answer, args=(deployment, groups, self._listener, theirs))
        with theirs, _deaf():
            self._process.start()
        wait([ours, self._process.sentinel])
        threading.Thread(target=self._hear, args=[ours], name="front", daemon=True).start()

    def _hear(self, front: socket.socket) -> None:
        with front:
            while front.recv(4096):
                self._taken()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        self._process.terminate()
        self._process.join()


def _answer(deployment: Deployment, groups: dict[str, Group], listener: socket.socket, parent: socket.socket) -> None:
    """Answer requests until told to stop."""
    prepare()
    threading.Thread(target=_follow, name="parent", daemon=True).start()
    stopping = _stopped_by_signals()
    parent.setblocking(False)

    def tell() -> None:
        with suppress(OSError):  # it has heard often enough, or is gone
            parent.send(b".")

    with Ledger.open(deployment.ledger) as ledger:
        keyring = Keyring(ledger.keys, Vault.of(deployment))
        keyring.refresh()
        zone = zones.find(deployment.drop_zone, deployment.s3, deployment.base)
        clerk = Clerk(deployment, groups, prepare)
        about = Installation(deployment.api, groups, ledger, zone, keyring, clerk, tell, sys.stderr.write, stopping)
        with serving(application(about), listener):
            tell()
            while not stopping.wait(_CHORES):
                _do_chores(keyring)
        _do_chores(keyring)


@contextmanager
def _deaf() -> Iterator[None]:
    """Let what is begun never hear a Ctrl-C, which goes to all processes of a terminal: its parent tells it to stop."""
    resource_tracker.ensure_running()  # else it is begun with the process, and gives it its hearing back
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def _stopped_by_signals() -> threading.Event:
    """Return what is set by SIGTERM, however often it comes: whoever was let in is answered."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    return stopping


def _follow() -> None:
    """End when the parent does: the next one will want the port."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _do_chores(keyring: Keyring) -> None:
    try:
        keyring.refresh()
        keyring.flush()
    except LedgerError as error:  # the next round tries again
        log.warning("ledger_unavailable", reason=str(error))
