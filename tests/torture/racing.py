"""Processes at one installation: they race, are stopped past their lease and woken, and are told to end."""

from __future__ import annotations

import functools
import itertools
import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier
from typing import Any

from sqlalchemy import create_engine, select
from support.destination import Answer, destination
from support.failing import failing
from support.installation import KEY, Installation, enabled, made, people, to

from batch.batch import CLOSED, State
from batch.runtime import silent
from batch.tables import batches, chunks, runs
from integrations.sandbox import running
from jobs import logs
from jobs import rerun as reruns
from torture.kills import KINDS, LEASE, PATIENCE, Case, brought_home, ended, prepared, program
from torture.trial import End, Trial

PROCESSES = 4
FILES = 200
GRACE = 10  # seconds in which a process that was told to end has ended
IMPATIENT = """
import batch.database
batch.database.BUSY = batch.database.IDLE = 2
"""
TOGETHER = """
import batch.pipeline, jobs.commands.drops, jobs.opening
print("ready", flush=True)
input()
"""


def started(
    it: Installation, case: Case, words: Sequence[str], orders: Sequence[str] = (), before: str = IMPATIENT
) -> subprocess.Popen[str]:
    """Start the command line, some code goes before; by itself that it waits for nobody's lock for long."""
    (*start, code), env = program(case)
    whole, _, main = code.rpartition("main()")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(
        [*start, f"{whole}{before}main(){main}", *words],
        env={**env, **failing(*orders)},
        cwd=it.home,
        text=True,
        **pipes,
    )


def over(process: subprocess.Popen[str], end: End, *codes: int) -> tuple[str, str]:
    """Wait until a process has ended, as it should, and return what it said."""
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        end.stuck += 1
        return "", ""
    end.wrong += process.returncode not in codes or "Traceback" in err or "fault of the program" in err
    return out, err


def until_it_sends(home: Path) -> None:
    """Wait until the destination has taken something."""
    ends, journal = time.monotonic() + PATIENCE, home / "journal.jsonl"
    while not (journal.exists() and journal.stat().st_size) and time.monotonic() < ends:
        time.sleep(0.05)


def summed(found: End, also: End) -> End:
    """Add what a trial itself has seen to what the audit has found."""
    found.stuck += also.stuck
    found.wrong += also.wrong
    return found


# --- a race


def raced(
    kind: str, seed: int, home: Path, ledger_url: str, *, files: int = FILES, each: Sequence[str] = ("",) * PROCESSES
) -> End:
    """Processes, set off together, over many small files: each file is one batch, each row there once.

    `each` has the code that goes before one of them.
    """
    sizes = [random.Random(seed).randint(1, 9) for _ in range(files)]
    home.mkdir(parents=True, exist_ok=True)
    with running(home / "journal.jsonl") as base:
        it = made(home, it=enabled(KINDS[kind], base, settings={"requests_per_second": 10_000}))
        it.ledger = ledger_url
        it.write()
        for number, size in enumerate(sizes):
            it.drop(f"{KEY}/{number}.csv", people(size, 10 * number))
        case, end = Case("file", "race", seed, "here", kind), End()
        racers = [started(it, case, ["run", "--json"], before=before + TOGETHER) for before in each]
        for racer in racers:
            racer.stdout.readline()
        told = [_receipts(over(racer, end, 0)[0]) for racer in _set_off(racers)]
    every = Counter(file for files in told for file in files)
    end.struck = sum(map(bool, told)) > 1
    _count(end, it, {f"{KEY}/{number}.csv" for number in range(files)}, every)
    expected = {10 * number + n for number, size in enumerate(sizes) for n in range(size)}
    there = _journalled(home / "journal.jsonl", KINDS[kind])
    end.lost += len(expected - there.keys())
    end.undeclared += (there - Counter(expected)).total()
    return end


def _set_off(racers: list[subprocess.Popen[str]]) -> list[subprocess.Popen[str]]:
    for racer in racers:
        racer.stdin.write("\n")
        racer.stdin.flush()
    return racers


def _receipts(out: str) -> list[str]:
    return [receipt["file"] for receipt in json.loads(out or "[]")]


def _count(end: End, it: Installation, files: set[str], told: Counter[str]) -> None:
    """Each file has one batch, which is closed, and whose receipt one process told of."""
    with it.opened() as runtime:
        found = runtime.ledger.batches()
    end.stuck += sum(batch.state not in CLOSED for batch in found)
    end.wrong += sum(batch.state is not State.DELIVERED for batch in found)
    end.wrong += (Counter(batch.file for batch in found) != Counter(files)) + (told != Counter(files))


def _journalled(path: Path, kind: str) -> Counter[int]:
    places: Mapping[str, Callable[[Any], str]] = {
        "mailchimp": lambda record: record["merge_fields"]["ID"],
        "webhook": lambda record: record["id"],
    }
    lines = map(json.loads, path.read_text().splitlines())
    return Counter(int(places[kind](line["record"])) for line in lines)


# --- stopped, and woken


PLACES = [
    ("ledger.claim.after", 1),
    ("zone.fetch.after", 1),
    ("ledger.describe.after", 2),
    ("ledger.put_chunks.before", 2),
    ("ledger.put_chunks.after", 2),
    ("ledger.put_chunks.after", 4),
    ("send.before", 2),
    ("send.answered", 2),
    ("send.after", 3),
    ("zone.write.after", 2),
    ("ledger.close.before", 1),
]
"""Where a process is that has a claim; before a commit it also has the ledger's lock."""
_LONG_BEFORE_THE_END = ("ledger.claim.after", "zone.fetch.after")


def has_stopped(process: subprocess.Popen[str]) -> bool:
    """Wait until a process stands still; false if it has ended instead."""
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        return True
    process.returncode = os.waitstatus_to_exitcode(status)
    return False


def woken(case: Case, home: Path, ledger_url: str) -> End:
    """Stop a process past its lease, let another one finish its batch, and wake it: it commits nothing more."""
    end = End()
    with prepared(case, home, ledger_url) as (it, words):
        sleeper = started(it, case, words, [f"{case.point}=stop:{case.nth}"])
        stopped = has_stopped(sleeper)
        time.sleep(LEASE * 1.1)
        taker = started(it, case, ["run"])
        _, said = over(taker, end, 0, 1)
        # in SQLite nobody can write while one who sleeps has the lock; then all that can be done is to say so
        locked = ledger_url.startswith("sqlite") and "database is locked" in said
        with it.opened() as runtime:
            taken = all(batch.state in CLOSED for batch in runtime.ledger.batches())
        before = entries(ledger_url)
        if stopped:
            sleeper.send_signal(signal.SIGCONT)
        over(sleeper, end, 0, 1)
        if locked:
            brought_home(it, case, words)
        else:
            end.wrong += entries(ledger_url) != before
        return summed(ended(it, died=stopped and (locked or taken)), end)


def entries(ledger_url: str) -> list[list[Any]]:
    """Return what stands in the ledger of batches, as it stands there."""
    engine = create_engine(ledger_url)
    try:
        with engine.connect() as connection:
            every = [(batches, batches.c.id), (chunks, chunks.c.seq), (runs, runs.c.token)]
            return [list(connection.execute(select(table).order_by(order))) for table, order in every]
    finally:
        engine.dispose()


# --- told to end


def told_to_end(case: Case, home: Path, ledger_url: str) -> End:
    """Send SIGTERM at a place: the process finishes or gives back within a grace, and the next one has all there is."""
    end = End()
    with prepared(case, home, ledger_url) as (it, words):
        process = started(it, case, words, [f"{case.point}=stop:{case.nth}"])
        stopped = has_stopped(process)
        if stopped:
            _tell_to_end(process, awake=case.point in _LONG_BEFORE_THE_END)
        since = time.monotonic()
        _, said = over(process, end, 0, 1)
        end.wrong += case.point in _LONG_BEFORE_THE_END and "stopped before its end" not in said
        end.stuck += time.monotonic() - since > GRACE
        with it.opened() as runtime:
            end.wrong += any(runtime.ledger.in_progress(batch.id) for batch in runtime.ledger.batches())
        brought_home(it, case, words)
        return summed(ended(it, died=stopped), end)


def _tell_to_end(process: subprocess.Popen[str], *, awake: bool) -> None:
    """Send SIGTERM to one that stands still.

    While it sleeps it gets it at that very place, but any of its threads may, so that the main one hears of it late;
    once it is awake it has gone on a little.
    """
    if awake:
        process.send_signal(signal.SIGCONT)
        time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
    else:
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)


# --- reruns


def _owing(home: Path, ledger_url: str, base: str, rows: int) -> tuple[Installation, str]:
    """Return an installation with a batch whose rows were all refused."""
    home.mkdir(parents=True)
    it = made(home, hook=to(base, settings={"batch_size": 5}))
    it.ledger = ledger_url
    it.write()
    it.drop(f"{KEY}/{home.name}.csv", people(rows))
    return it, it.one()["batch"]


def _carried_out(it: Installation, batch: str, planned: Callable[[], object]) -> bool:
    """Rerun a batch, as an operator does, and say whether that was not refused; `planned` is called in between."""
    with it.opened() as runtime:
        try:
            plan = reruns.plan(runtime, batch)
            planned()
            if plan.nothing:
                return False
            reruns.carry_out(runtime, plan, lambda _batch: silent)
        except reruns.RerunError:
            return False
        return True


def rerun_by_several(seed: int, home: Path, ledger_url: str, rounds: int) -> End:
    """Operators who saw the same rows owed ask for them almost at once: one is heard, and each row goes once."""
    chance, end = random.Random(seed), End(struck=False)
    for turn in range(rounds):
        with destination(then=Answer(401)) as there, ThreadPoolExecutor(PROCESSES) as threads:
            it, batch = _owing(home / str(turn), ledger_url, there.base, rows=10)
            there.calls.clear()
            there.script()
            saw = Barrier(PROCESSES)

            def ask(seconds: float, it: Installation = it, batch: str = batch, saw: Barrier = saw) -> bool:
                return _carried_out(it, batch, lambda: (saw.wait(PATIENCE), time.sleep(seconds)))

            heard = list(threads.map(ask, [chance.choice([0, 0, 0.1, 0.6]) for _ in range(PROCESSES)]))
            taken = Counter(there.rows())
        end.struck |= len(heard) > 1
        end.wrong += heard.count(True) != 1
        end.lost += 10 - len(taken)
        end.undeclared += taken.total() - len(taken)
    return end


def rerun_meanwhile(home: Path, ledger_url: str, times: int = 100) -> End:
    """An operator asks for a rerun while the batch is processed: it is refused, every time."""
    end = End()
    with destination(then=Answer(401)) as there, ThreadPoolExecutor(1) as threads:
        it, batch = _owing(home, ledger_url, there.base, rows=20)
        there.calls.clear()
        there.script(then=Answer(after=1))
        with it.opened() as runtime:
            stale = reruns.plan(runtime, batch)
            at_work = threads.submit(_carried_out, it, batch, lambda: None)
            there.wait_for(1)
            asked = 0
            while not at_work.done() and asked < times:
                asked += 1
                for ask in (lambda: reruns.plan(runtime, batch), lambda: reruns.reopen(runtime, stale)):
                    with suppress(reruns.RerunError):
                        ask()
                        end.wrong += not at_work.done()
            end.struck = asked > times / 4
            end.wrong += not at_work.result(PATIENCE)
            with suppress(reruns.RerunError):  # what it saw owed is owed no more
                reruns.reopen(runtime, stale)
                end.wrong += 1
        end.lost += 20 - len(set(there.rows()))
        end.undeclared += len(there.rows()) - len(set(there.rows()))
    return end


_LEDGERS = ("sqlite", "postgresql")


def trials(seed: int) -> Iterator[Trial]:
    """Yield the races, the sleepers, those that are told to end, and the reruns."""
    logs.configure(verbose=False)
    for (kind, ledger), turn in itertools.product(itertools.product(KINDS, _LEDGERS), range(2)):
        run = functools.partial(raced, kind, seed + turn)
        yield Trial("four processes race over 200 files", f"{kind} {turn}", run, ledger)
    for kind, place, ledger in itertools.product(KINDS, PLACES, _LEDGERS):
        case = Case("file", *place, ledger, kind)
        yield Trial(f"stopped past the lease and woken, {kind}", str(case), functools.partial(woken, case), ledger)
    kinds = itertools.cycle(KINDS)
    for place, ledger in itertools.product(PLACES, _LEDGERS):
        case = Case("file", *place, ledger, next(kinds))
        yield Trial("SIGTERM at a place", str(case), functools.partial(told_to_end, case), ledger)
    for ledger in _LEDGERS:
        several = functools.partial(rerun_by_several, seed, rounds=10)
        yield Trial("reruns by several at once", "ten rounds", several, ledger)
        yield Trial("reruns while it is processed", "a hundred tries", rerun_meanwhile, ledger)
