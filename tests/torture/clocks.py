"""Clocks that jump and differ: nobody works beside another, nothing stands still; a cron line means the wall clock."""

from __future__ import annotations

import functools
import itertools
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from support.installation import KEY, enabled, made

from batch.ledger import Ledger
from config.cron import trigger
from integrations.sandbox import running
from jobs import logs
from jobs.schedule import Schedule
from torture.kills import FILE, KINDS, Case, a_file, command, ended, prepared
from torture.racing import over, raced, started, summed, until_it_sends
from torture.trial import End, Trial

HOUR, DAY = 3600, 86400
JUMPS = {"+1 h": HOUR, "-1 h": -HOUR, "+1 day": DAY, "-1 day": -DAY}
_AT_WORK = {"batch_size": 5, "in_flight": 1, "requests_per_second": 4}
_UNHURRIED = "jobs.run.LEASE = 5\n"  # a busy machine must not look like a clock that was set
_APART = 7 * 60

_SET = """
import pathlib, sys, time
import batch.pipeline, batch.taking, jobs.commands.drops, jobs.courier, jobs.opening, jobs.rerun, jobs.schedule
from datetime import datetime as right, timedelta
clock, by_nature = pathlib.Path({clock!r}), time.time
class Any(type):
    __instancecheck__ = lambda cls, it: isinstance(it, right)
class Wrong(right, metaclass=Any):
    now = classmethod(lambda cls, tz=None: right.fromtimestamp(time.time(), tz))
time.time = lambda: by_nature() + float(clock.read_text())
for name, module in list(sys.modules.items()):
    if name.split(".")[0] in {{"api", "batch", "config", "integrations", "jobs", "apscheduler"}}:
        if getattr(module, "datetime", None) is right:
            module.datetime = Wrong
"""
_RIVAL = """
from batch.ledger import Ledger
taken = 0
with Ledger.open({ledger!r}) as ledger:
    print("ready", flush=True)
    input()
    print("looking", flush=True)
    while not pathlib.Path({stop!r}).exists():
        for batch in ledger.waiting({key!r}):
            taken += ledger.claim(batch.id, "rival") is not None
        time.sleep(0.01)
print(taken)
"""


def put(clock: Path, seconds: float) -> None:
    """Set a clock so many seconds ahead."""
    aside = clock.with_suffix(".new")
    aside.write_text(str(seconds))
    aside.replace(clock)


def by(clock: Path) -> str:
    """Return the code that makes a process go by a clock."""
    return _SET.format(clock=str(clock))


# --- leases


def jumped(kind: str, seconds: float, home: Path, ledger_url: str) -> End:
    """Set the clock while a process is at work and another one looks for work all the time: it finds none."""
    case, end, clock = Case("file", "clock", 0, "here", kind), End(), home / "clock"
    home.mkdir(parents=True)
    put(clock, 0)
    with running(home / "journal.jsonl") as base:
        it = made(home, it=enabled(KINDS[kind], base, settings=_AT_WORK))
        it.ledger = ledger_url
        it.write()
        it.drop(FILE, a_file())
        rival = _rival(clock, ledger_url)
        worker = started(it, case, ["run"], before=by(clock) + _UNHURRIED)
        until_it_sends(home)
        rival.stdin.write("\n")
        rival.stdin.flush()
        rival.stdout.readline()  # it looks from now on
        put(clock, seconds)
        time.sleep(0.5)
        end.struck = worker.poll() is None
        over(worker, end, 0)
        (home / "stop").touch()
        end.wrong += int(over(rival, end, 0)[0] or 1)
        return summed(ended(it, died=end.struck), end)


def _rival(clock: Path, ledger_url: str) -> subprocess.Popen[str]:
    code = by(clock) + _RIVAL.format(ledger=ledger_url, stop=str(clock.with_name("stop")), key=KEY)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    rival = subprocess.Popen([sys.executable, "-c", code], cwd=clock.parent, text=True, **pipes)
    rival.stdout.readline()
    return rival


def jumped_between(kind: str, seconds: float, home: Path, ledger_url: str) -> End:
    """Set the clock after a process died: the next one goes on all the same."""
    case, end, clock = Case("file", "send.after", 2, "here", kind), End(), home / "clock"
    with prepared(case, home, ledger_url) as (it, words):
        end.struck = command(it, case, words, ["send.after=kill:2"]).returncode == -9
        put(clock, seconds)
        over(started(it, case, words, before=by(clock)), end, 0, 1)  # 1 tells of rows that are unknown
        return summed(ended(it, died=end.struck), end)


def apart(seed: int, home: Path, ledger_url: str) -> End:
    """Let two processes whose clocks are minutes apart race over the same files."""
    home.mkdir(parents=True)
    clocks = [home / "slow", home / "fast"]
    for clock, seconds in zip(clocks, (-_APART, _APART), strict=True):
        put(clock, seconds)
    return raced("key", seed, home, ledger_url, files=40, each=[by(clock) for clock in clocks])


# --- the wall clock


MINUTE = timedelta(minutes=1)
ZONES: Mapping[str, int] = {
    "Europe/Stockholm": 2026,
    "America/New_York": 2026,
    "Australia/Lord_Howe": 2026,  # by half an hour
    "America/St_Johns": 2009,  # at one minute past midnight
    "America/Sao_Paulo": 2016,  # at midnight, so that some days have none
    "Pacific/Apia": 2010,  # which had no 30th of December 2011
    "Asia/Kolkata": 2026,
}
"""Time zones, and the first of three years in which much happens to their clocks."""

LINES = [
    "0 0 * * *",
    "1 0 * * *",
    "0 2 * * *",
    "30 2 * * *",
    "59 1,2,3 * * *",
    "15,45 0-4/2 * * *",
    "*/10 2 * * *",
    "*/15 0-3 * * sun",
    "0 * * * *",
    "*/20 * * * *",
    "10 */3 * * *",
    "30 */2 * mar,oct *",
    "30 2 * * 0",
    "30 2 * * 7",
    "0 6 * * MON-FRI",
    "0 0 1 * *",
    "30 2 29 3 1",
    "5 4 25-31 10 7",
    "0 0 30 12 *",
    "15 14 1-7 */2 5",
    "0 23 31 * *",
    "0 2 29 2 *",
]
_NAMES = {
    **{name: number for number, name in enumerate("sun mon tue wed thu fri sat".split())},
    **{name: number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)},
}


@functools.cache
def walk(zone: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return every minute of three years, and what the clock on the wall shows then, both in minutes since 1970."""
    place, start = ZoneInfo(zone), datetime(ZONES[zone], 1, 1, tzinfo=UTC)
    end = start.replace(year=start.year + 3)
    at = np.arange(int(start.timestamp()) // 60, int(end.timestamp()) // 60)
    moments = (datetime.fromtimestamp(int(minute) * 60, place) for minute in at)
    return at, at + np.fromiter((moment.utcoffset() // MINUTE for moment in moments), dtype=np.int64, count=len(at))


def matches(cron: str, wall: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Say of minutes of the wall clock whether a cron line names them."""
    minute, hour, day, month, weekday = cron.lower().split()
    days = wall // (24 * 60)
    months = days.astype("datetime64[D]").astype("datetime64[M]")
    by_day = np.isin((days.astype("datetime64[D]") - months).astype(int) + 1, numbers(day, 1, 31))
    by_weekday = np.isin((days + 4) % 7, [number % 7 for number in numbers(weekday, 0, 7)])
    both = day.startswith("*") or weekday.startswith("*")
    return (
        np.isin(wall % 60, numbers(minute, 0, 59))
        & np.isin(wall // 60 % 24, numbers(hour, 0, 23))
        & np.isin(months.astype(int) % 12 + 1, numbers(month, 1, 12))
        & (by_day & by_weekday if both else by_day | by_weekday)
    )


def numbers(field: str, lowest: int, highest: int) -> list[int]:
    """Return the numbers that a field of a cron line names."""
    found: list[int] = []
    for part in field.split(","):
        values, _, step = part.partition("/")
        ends = [_NAMES.get(word) if word in _NAMES else int(word) for word in values.split("-") if word != "*"]
        first, last = (lowest, highest) if not ends else (ends[0], ends[-1] if len(ends) > 1 or not step else highest)
        found += range(first, last + 1, int(step or 1))
    return found


def reference(cron: str, zone: str) -> list[int]:
    """Return when a line is due: once the wall clock shows the time for the first time, or has moved past it.

    A line with any hour is due whenever the clock shows its time.
    """
    at, wall = walk(zone)
    if cron.split()[1].startswith("*"):
        return at[matches(cron, wall)].tolist()
    named = np.arange(wall[0], wall.max() + 1)
    first = np.searchsorted(np.maximum.accumulate(wall), named[matches(cron, named)])
    return at[np.unique(first)].tolist()


def due(cron: str, zone: str) -> list[int]:
    """Return when the program runs a group, as APScheduler asks it."""
    at, _ = walk(zone)
    found, ends = trigger(cron, zone), datetime.fromtimestamp(int(at[-1]) * 60, UTC)
    moments = []
    moment = found.get_next_fire_time(None, datetime.fromtimestamp(int(at[0]) * 60, UTC))
    while moment is not None and moment <= ends:
        moments.append(int(moment.timestamp()) // 60)
        moment = found.get_next_fire_time(moment, moment)
    return moments


def walked(cron: str, zone: str, _home: Path | None = None, _ledger_url: str = "") -> End:
    """Compare a line's times in three years with every minute of the wall clock."""
    theirs, ours = Counter(reference(cron, zone)), Counter(due(cron, zone))
    return End(
        struck=bool(theirs) or cron == "0 2 29 2 *",
        lost=(theirs - ours).total(),
        undeclared=(ours - theirs).total(),
        wrong=list(ours.elements()) != sorted(theirs),
    )


# --- schedulers


def scheduled(cron: str, zone: str, seed: int, jumps: list[int], home: Path, ledger_url: str, times: int = 200) -> End:
    """Let two schedulers go by clocks that jump, be down at times, and look again and again: each time is run once.

    Of times that passed while both were down the last one is run.
    """
    home.mkdir(parents=True, exist_ok=True)
    chance, wanted, runs = random.Random(seed), Counter[int](), Counter[int]()
    every = reference(cron, zone)
    start = datetime.fromtimestamp(every[0] * 60, UTC)
    clock = [start]

    def run(_key: str, at: datetime) -> None:
        runs[int(at.timestamp()) // 60] += 1

    with Ledger.open(ledger_url) as one, Ledger.open(ledger_url) as other, ThreadPoolExecutor(2) as threads:
        one.fired(KEY, start)
        both = [Schedule({KEY: (cron, zone)}, run, ledger, lambda: clock[0]) for ledger in (one, other)]
        place = 0
        while place + 6 < min(times, len(every)):
            place += chance.choice([1, 1, 1, 1, 5])  # how many times of the line pass before somebody looks
            right = datetime.fromtimestamp(every[place] * 60 + chance.randrange(59), UTC)
            for ahead in (chance.choice([0, *jumps]), 0):
                clock[0] = max(start, right + timedelta(seconds=ahead))
                wanted[_latest(every, clock[0])] = 1
                list(threads.map(lambda schedule: schedule.catch_up(KEY), both))
    wanted.pop(every[0], None)
    return End(
        struck=len(runs) > 10,
        lost=len(wanted.keys() - runs.keys()),
        undeclared=(runs - Counter(runs.keys())).total(),
        wrong=len({at for at in runs if at > every[0]} - wanted.keys()),
    )


def _latest(every: list[int], now: datetime) -> int:
    return every[int(np.searchsorted(every, now.timestamp() // 60, "right")) - 1]


_LEDGERS = ("sqlite", "postgresql")
_SCHEDULES = [("30 2 * * *", "Europe/Stockholm"), ("0 * * * *", "Australia/Lord_Howe"), ("0 0 * * *", "Pacific/Apia")]


def trials(seed: int) -> Iterator[Trial]:
    """Yield the jumps, the differing clocks, and the lines of the wall clock."""
    logs.configure(verbose=False)
    for (name, seconds), kind, ledger in itertools.product(JUMPS.items(), KINDS, _LEDGERS):
        run = functools.partial(jumped, kind, seconds)
        yield Trial("the clock jumps while one works", f"{name}, {kind}", run, ledger)
        run = functools.partial(jumped_between, kind, seconds)
        yield Trial("the clock jumps after one died", f"{name}, {kind}", run, ledger)
    for ledger in _LEDGERS:
        yield Trial("two clocks, 14 minutes apart", "a race", functools.partial(apart, seed), ledger)
    for (cron, zone), (name, jumps), ledger in itertools.product(
        _SCHEDULES, {"right": [], "jumps": list(JUMPS.values())}.items(), _LEDGERS
    ):
        run = functools.partial(scheduled, cron, zone, seed, jumps)
        yield Trial("two schedulers, and times when both are down", f"{cron} {zone} {name}", run, ledger)
    for zone, cron in itertools.product(ZONES, LINES):
        yield Trial("three years of a cron line", f"{cron} {zone}", functools.partial(walked, cron, zone))
