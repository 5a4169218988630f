from __future__ import annotations

import threading
import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Lock

import pytest

from batch.ledger import Ledger
from jobs.schedule import AT_ONCE, Schedule

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LAST_NIGHT = NOW.replace(hour=2)
NIGHTLY = ("0 2 * * *", "UTC")
DAY = timedelta(days=1)


class Memory:
    """The ledger's part in a schedule."""

    def __init__(self) -> None:
        self.times: dict[str, set[datetime]] = {}
        self._lock = Lock()

    def last_fire(self, group_key: str, now: datetime) -> datetime | None:
        return max((at for at in self.times.get(group_key, ()) if at <= now), default=None)

    def fired(self, group_key: str, at: datetime) -> bool:
        with self._lock:
            known = self.times.setdefault(group_key, set())
            new = at not in known
            known.add(at)
            return new


class Clock:
    def __init__(self, at: datetime = NOW) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


@contextmanager
def running(schedule: Schedule) -> Iterator[Schedule]:
    schedule.start()
    try:
        yield schedule
    finally:
        schedule.stop()


def until(true: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.005)


def test_the_first_start_ever_owes_nothing() -> None:
    runs: list[tuple[str, datetime]] = []
    memory, clock = Memory(), Clock()
    with running(Schedule({"abc": NIGHTLY}, lambda *run: runs.append(run), memory, clock)) as schedule:
        schedule.catch_up("abc")
        assert runs == []
        clock.at += DAY
        schedule.catch_up("abc")
    assert runs == [("abc", LAST_NIGHT + DAY)]


@pytest.mark.parametrize("nights", [1, 5])
def test_what_was_missed_while_down_is_run_once_at_start(nights: int) -> None:
    runs: list[tuple[str, datetime]] = []
    memory = Memory()
    memory.fired("abc", LAST_NIGHT - DAY * nights)
    for _ in range(2):
        with running(Schedule({"abc": NIGHTLY}, lambda *run: runs.append(run), memory, Clock())) as schedule:
            until(lambda: runs)
            schedule.catch_up("abc")
    assert runs == [("abc", LAST_NIGHT)]


def test_a_time_that_passed_during_a_run_is_run_after_it() -> None:
    memory, clock = Memory(), Clock()
    memory.fired("abc", LAST_NIGHT - DAY)
    runs: list[datetime] = []

    def run(group_key: str, at: datetime) -> None:
        runs.append(at)
        if len(runs) == 1:
            clock.at += 3 * DAY

    Schedule({"abc": NIGHTLY}, run, memory, clock).catch_up("abc")
    assert runs == [LAST_NIGHT, LAST_NIGHT + 3 * DAY]


def test_an_earlier_time_in_a_changed_line_is_no_missed_run() -> None:
    memory = Memory()
    memory.fired("abc", LAST_NIGHT)
    runs: list[datetime] = []
    Schedule({"abc": ("30 1 * * *", "UTC")}, lambda _, at: runs.append(at), memory, Clock()).catch_up("abc")
    assert runs == []


def test_a_clock_that_ran_ahead_stops_nothing_once_it_is_right_again() -> None:
    memory, clock = Memory(), Clock()
    memory.fired("abc", NOW)
    runs: list[datetime] = []
    schedule = Schedule({"abc": ("0 * * * *", "UTC")}, lambda _, at: runs.append(at), memory, clock)
    hour = timedelta(hours=1)
    for at in (NOW + DAY, NOW + hour, NOW + 2 * hour, NOW + DAY, NOW + DAY + hour):
        clock.at = at
        schedule.catch_up("abc")
    assert runs == [NOW + DAY, NOW + hour, NOW + 2 * hour, NOW + DAY + hour]


def test_a_clock_that_is_set_is_looked_at_at_once() -> None:
    memory, clock = Memory(), Clock()
    runs: list[datetime] = []
    with running(Schedule({"abc": NIGHTLY}, lambda _, at: runs.append(at), memory, clock)) as schedule:
        schedule.tend()
        clock.at += DAY
        schedule.tend()
        until(lambda: runs)
    assert runs == [LAST_NIGHT + DAY]


def test_two_processes_run_a_time_once() -> None:
    memory = Memory()
    memory.fired("abc", LAST_NIGHT - DAY)
    runs: list[datetime] = []
    with (
        running(Schedule({"abc": NIGHTLY}, lambda _, at: runs.append(at), memory, Clock())),
        running(Schedule({"abc": NIGHTLY}, lambda _, at: runs.append(at), memory, Clock())),
    ):
        until(lambda: runs)
    assert runs == [LAST_NIGHT]


def test_each_group_runs_by_its_own_line_and_zone_and_one_s_trouble_is_its_own() -> None:
    memory = Memory()
    groups = {"se": NIGHTLY, "us": ("0 2 * * *", "America/New_York"), "bad": NIGHTLY}
    for key in groups:
        memory.fired(key, LAST_NIGHT - 2 * DAY)
    runs: dict[str, datetime] = {}

    def run(group_key: str, at: datetime) -> None:
        runs[group_key] = at
        if group_key == "bad":
            raise RuntimeError("a record's value")

    with running(Schedule(groups, run, memory, Clock())):
        until(lambda: len(runs) == 3)
    assert runs == {"se": LAST_NIGHT, "bad": LAST_NIGHT, "us": NOW.replace(hour=7)}


def test_what_a_run_raises_is_logged_by_name_only(capsys: pytest.CaptureFixture[str]) -> None:
    memory = Memory()
    memory.fired("abc", LAST_NIGHT - DAY)

    def run(group_key: str, at: datetime) -> None:
        raise RuntimeError("jane@example.com")

    Schedule({"abc": NIGHTLY}, run, memory, Clock()).catch_up("abc")
    said = "".join(capsys.readouterr())
    assert "RuntimeError" in said
    assert "jane" not in said


def test_the_clock_itself_starts_runs_and_a_group_runs_once_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real scheduler, with a trigger that is due every few milliseconds and runs that take longer."""
    from apscheduler.triggers.interval import IntervalTrigger

    monkeypatch.setattr("jobs.schedule.trigger", lambda *_: IntervalTrigger(seconds=0.02, timezone=UTC))
    clock = iter(range(10**6))
    monkeypatch.setattr("jobs.schedule.previous", lambda *_: NOW + timedelta(seconds=next(clock)))
    busy, most, runs = {"a": 0, "b": 0, "c": 0}, {"a": 0, "all": 0}, 0
    lock = Lock()

    def run(group_key: str, at: datetime) -> None:
        nonlocal runs
        with lock:
            busy[group_key] += 1
            most["a"] = max(most["a"], *busy.values())
            most["all"] = max(most["all"], sum(busy.values()))
            runs += 1
        time.sleep(0.05)
        with lock:
            busy[group_key] -= 1

    with running(Schedule(dict.fromkeys(busy, NIGHTLY), run, Memory())):
        until(lambda: runs > 6)
    assert most == {"a": 1, "all": AT_ONCE}


def test_stop_waits_for_the_run_under_way_and_starts_no_other() -> None:
    groups = {f"g{n}": NIGHTLY for n in range(6)}
    memory = Memory()
    for key in groups:
        memory.fired(key, LAST_NIGHT - DAY)
    started, go_on = Event(), Event()
    ended: list[str] = []

    def run(group_key: str, at: datetime) -> None:
        started.set()
        go_on.wait(10)
        ended.append(group_key)

    before = set(threading.enumerate())
    schedule = Schedule(groups, run, memory, Clock())
    schedule.start()
    started.wait(10)
    stopper = threading.Thread(target=schedule.stop)
    stopper.start()
    time.sleep(0.1)
    assert stopper.is_alive()
    go_on.set()
    stopper.join(10)
    assert not stopper.is_alive()
    assert 1 <= len(ended) <= AT_ONCE
    assert set(threading.enumerate()) <= before
    owed = [key for key in groups if memory.last_fire(key, NOW) != LAST_NIGHT]
    assert len(owed) == len(groups) - len(ended)


def test_stop_before_start_is_harmless() -> None:
    Schedule({}, lambda *_: None, Memory()).stop()


class Shaky(Memory):
    """A ledger that cannot be reached at some of its calls."""

    def __init__(self, down: Container[int]) -> None:
        super().__init__()
        self.calls = 0
        self._down = down

    def last_fire(self, group_key: str, now: datetime) -> datetime | None:
        self.calls += 1
        if self.calls in self._down:
            raise ConnectionError
        return super().last_fire(group_key, now)


def test_a_ledger_that_is_down_for_a_moment_costs_no_night() -> None:
    memory = Shaky(down={1})
    memory.fired("abc", LAST_NIGHT - DAY)
    runs: list[datetime] = []
    Schedule({"abc": NIGHTLY}, lambda _, at: runs.append(at), memory, Clock()).catch_up("abc")
    assert runs == [LAST_NIGHT]


def test_stop_does_not_wait_for_a_ledger_that_is_down() -> None:
    memory = Shaky(down=range(2, 10**6))
    memory.fired("abc", LAST_NIGHT - DAY)
    runs: list[datetime] = []
    with running(Schedule({"abc": NIGHTLY}, lambda _, at: runs.append(at), memory, Clock())):
        until(lambda: memory.calls > 1)
    assert runs == []


def test_the_ledger_remembers_what_ran(tmp_path: Path) -> None:
    runs: list[datetime] = []
    clock = Clock()
    for _ in range(3):
        with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
            with running(Schedule({"abc": NIGHTLY}, lambda _, at: runs.append(at), ledger, clock)) as schedule:
                schedule.catch_up("abc")
            clock.at += DAY
    assert runs == [LAST_NIGHT + DAY, LAST_NIGHT + 2 * DAY]


def test_a_wrong_line_is_refused_before_anything_starts() -> None:
    with pytest.raises(ValueError, match="five fields"):
        Schedule({"abc": ("0 2 * *", "UTC")}, lambda *_: None, Memory())
