"""Runs that are killed at every failpoint and at random instants, brought home, and audited."""

from __future__ import annotations

import functools
import itertools
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.failing import failing
from support.installation import KEY, Installation, enabled, made, table

from batch.batch import CLOSED
from batch.failpoints import NAMES
from batch.taking import Offer, Taker
from integrations.sandbox import running
from jobs.audit import Audit, AuditError, against_journal
from torture import warm
from torture.trial import End, Trial

FILE = f"{KEY}/people.csv"
ROWS = 60
TRIES = 4
LEASE = 1
PATIENCE = 60

KINDS = {"key": "webhook", "upsert": "mailchimp", "bare": "webhook"}
"""Integrations by what makes sending twice harmless; for `bare` the webhook is told that nothing does."""

_CODE = f"""
import jobs.run, sys
jobs.run.LEASE = {LEASE}
from jobs.cli import main
"""
_BARE = """
from integrations.catalog import CATALOG
from integrations.integration import Resend
object.__setattr__(CATALOG["webhook"], "resend", Resend.BARE)
"""


@dataclass(frozen=True)
class Case:
    """Where, on what ledger and for what kind of destination a process dies."""

    scenario: str
    point: str
    nth: int
    ledger: str
    kind: str

    def __str__(self) -> str:
        return f"{self.scenario} {self.point}:{self.nth} {self.ledger} {self.kind}"


def a_file(start: int = 0) -> bytes:
    """Sixty people: one of them invalid, one rejected by the destination."""
    rows = [[n, f"p{n}@example.com"] for n in range(start, start + ROWS)]
    rows[7][1], rows[33][1] = "nobody", "p@rejected.example"
    return table(rows)


def _plain(it: Installation, case: Case) -> list[str]:
    it.drop(FILE, a_file())
    it.drop(f"{KEY}/stray.txt", b"not a drop")
    return ["run"]


def _records(it: Installation, case: Case) -> list[str]:
    with it.opened() as runtime:
        taker = Taker(runtime.ledger.packets, runtime.zone, runtime.groups)
        for start in range(0, ROWS, 20):
            people = ({"id": str(n), "email": f"p{n}@example.com"} for n in range(start, start + 20))
            lines = (json.dumps(person).encode() for person in people)
            taker.take([Offer(KEY, line, {b"\xff%d" % hash(line): 2**33}, line) for line in lines])
    return ["run"]


def _rerun(it: Installation, case: Case) -> list[str]:
    """The destination refuses everybody at first, so that all rows are owed."""
    it.drop(FILE, a_file())
    secret = next((it.home / "secrets").glob(f"{it.groups[KEY]['integrations']['it']['type']}.*"))
    right = secret.read_text()
    secret.write_text("whsec_d3Jvbmc=" if "webhook" in secret.name else "wrong-us1")
    command(it, case, ["run"])
    secret.write_text(right)
    with it.opened() as runtime:
        (batch,) = runtime.ledger.batches()
    return ["rerun", batch.id]


def _again(it: Installation, case: Case) -> list[str]:
    """The same bytes under the same name once more, which are not processed again."""
    it.drop(FILE, a_file())
    command(it, case, ["run"])
    it.drop(FILE, a_file())
    return ["run"]


SCENARIOS: Mapping[str, Callable[[Installation, Case], list[str]]] = {
    "file": _plain,
    "records": _records,
    "rerun": _rerun,
    "again": _again,
}


def points() -> Iterator[tuple[str, str, int]]:
    """Yield the scenarios, the failpoints in them, and the times that are tried."""

    def both(*names: str) -> list[str]:
        return [name for name in NAMES if name.rpartition(".")[0] in names]

    for name in both(*(f"ledger.{one}" for one in "add claim describe progress save_config close report".split())):
        yield "file", name, 1
    for name in both("ledger.put_chunks"):
        yield from (("file", name, nth) for nth in (1, 2, 3, 5, 9))
    for name in both("zone.fetch", "zone.listing", "zone.stat"):
        yield "file", name, 1
    for name in both("zone.write"):
        yield from (("file", name, nth) for nth in (1, 2))
    for name in both("send"):
        yield from (("file", name, nth) for nth in (1, 2, 4))
    for name in both("ledger.gather", "zone.read", "ledger.claim", "ledger.close"):
        yield "records", name, 1
    for name in both("ledger.reopen"):
        yield "rerun", name, 1
    for name in both("ledger.drop_duplicate"):
        yield "again", name, 1


def code(case: Case) -> str:
    """Return what runs the command line as the case wants it."""
    return f"{_CODE}{_BARE if case.kind == 'bare' else ''}main()"


def program(case: Case) -> tuple[list[str], dict[str, str]]:
    """Return the command line of the program, and the environment that it runs in."""
    return [sys.executable, "-c", code(case)], dict(os.environ)


def command(
    it: Installation, case: Case, words: list[str], orders: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end, or to its death."""
    return warm.completed(code(case), words, {**os.environ, **failing(*orders)}, it.home, PATIENCE)


@contextmanager
def prepared(case: Case, home: Path, ledger_url: str) -> Iterator[tuple[Installation, list[str]]]:
    """Make an installation whose destination is a sandbox, and what is to be done in it."""
    home.mkdir(parents=True)
    with running(home / "journal.jsonl") as base:
        settings = {"batch_size": 10, "in_flight": 2, "requests_per_second": 1000}
        it = made(home, it=enabled(KINDS[case.kind], base, settings=settings))
        it.ledger = ledger_url
        it.write()
        yield it, SCENARIOS[case.scenario](it, case)


def brought_home(it: Installation, case: Case, words: list[str]) -> None:
    """Do what an operator does after a crash: the same once more, then what the schedule does."""
    for turn in range(TRIES):
        time.sleep(LEASE * 1.1)
        command(it, case, words if turn == 0 else ["run"])
        with it.opened() as runtime:
            waiting = runtime.ledger.packets.waiting()
            if not waiting and all(batch.state in CLOSED for batch in runtime.ledger.batches()):
                return


def ended(it: Installation, *, died: bool) -> End:
    """Audit every batch, and look for what was never made one."""
    end = End(struck=died)
    with it.opened() as runtime:
        found = runtime.ledger.batches()
        for batch in found:
            try:
                _add(end, against_journal(runtime, batch, it.home / "journal.jsonl", None, None))
            except AuditError:  # it has not even begun
                end.stuck += 1
        end.stuck += not found or len(runtime.ledger.packets.waiting())
    return end


def _add(end: End, audit: Audit) -> None:
    for share in audit.shares.values():
        end.lost += share.lost
        end.undeclared += share.undeclared
        end.declared += share.doubled - share.undeclared
    end.stuck += audit.stuck
    end.breaks += len(audit.breaks)


def killed(case: Case, home: Path, ledger_url: str) -> End:
    """Kill a process at a failpoint, bring what is left home, and audit it."""
    with prepared(case, home, ledger_url) as (it, words):
        died = command(it, case, words, [f"{case.point}=kill:{case.nth}"]).returncode == -9
        brought_home(it, case, words)
        return ended(it, died=died)


def killed_after(case: Case, home: Path, ledger_url: str, seconds: float) -> End:
    """Kill a process after some seconds, wherever it is then."""
    with prepared(case, home, ledger_url) as (it, words):
        process = warm.begun(code(case), words, os.environ, it.home, it.home / "said.txt")
        time.sleep(seconds)
        process.kill()
        process.join()
        died = process.exitcode == -9
        brought_home(it, case, words)
        return ended(it, died=died)


_LEDGERS = ("sqlite", "postgresql")
_KILLS = 204
_LATEST = 0.8  # seconds after which an undisturbed run has mostly ended


def trials(seed: int) -> Iterator[Trial]:
    """Yield the whole matrix."""
    for kind in KINDS:
        for point, ledger in itertools.product(points(), _LEDGERS):
            case = Case(*point, ledger, kind)
            yield Trial(f"kill -9 at each failpoint, {kind}", str(case), functools.partial(killed, case), ledger)
    chance = random.Random(seed)
    spread = itertools.cycle(itertools.product(KINDS, ("file", "records"), _LEDGERS))
    for n, (kind, scenario, ledger) in enumerate(itertools.islice(spread, _KILLS)):
        case = Case(scenario, f"kill {n}", 0, ledger, kind)
        run = functools.partial(killed_after, case, seconds=0.02 + chance.random() * _LATEST)
        yield Trial(f"kill -9 at random instants, {kind}", str(case), run, ledger)
