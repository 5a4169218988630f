"""A drop zone on S3 that fails in every way at every call, and customers who do what they like meanwhile."""

from __future__ import annotations

import functools
import itertools
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from types import SimpleNamespace

import pytest
import structlog
from botocore.config import Config
from support.faulty import (
    SAID,
    Faulty,
    Operation,
    Says,
    Spoil,
    after,
    answering,
    before,
    cut,
    faulty,
    garbage,
    resetting,
    resetting_after,
    stalling,
    stalling_after,
    stalling_in,
)
from support.installation import KEY, Installation, enabled, made
from support.zones import S3, Bucket, equipped, s3_server

from batch import s3
from batch.batch import CLOSED, State
from batch.dropzone import DropZone, DropZoneError
from batch.packets import Packets
from batch.results import receipt_of
from batch.runtime import Runtime, silent
from batch.taking import Offer, Taker
from integrations.sandbox import running
from jobs import rerun
from jobs import run as runs
from torture.kills import ROWS, TRIES, a_file, ended
from torture.trial import End, Trial

FILE = f"{KEY}/people.csv"
SECRETS = ("made-up-secret", "whsec_", SAID, "Traceback", "fault of the program")
"""What must not stand in what a person reads."""

TROUBLES: Mapping[str, Spoil] = {
    "500": answering(500, "InternalError"),
    "503": answering(503, "SlowDown"),
    "access denied": answering(403, "AccessDenied"),
    "expired token": answering(400, "ExpiredToken"),
    "archived": answering(403, "InvalidObjectState"),
    "not found": answering(404, "NoSuchKey"),
    "not the version": answering(412, "PreconditionFailed"),
    "garbage": garbage,
    "stall": stalling,
    "stall after": stalling_after,
    "stall in the body": stalling_in(0.5),
    "reset": resetting,
    "reset after": resetting_after,
    "cut": cut(0.5),
    "cut, as its length says": cut(0.5, "length"),
    "cut, as its head says": cut(0.5, "range"),
    "cut to nothing": cut(0, "length"),
}
TIMES: Mapping[str, tuple[int, float]] = {
    "once": (1, 1),
    "the second time": (2, 1),
    "three times": (1, 3),
    "for ever": (1, inf),
    "for ever from the second": (2, inf),
}


def hurried(patch: pytest.MonkeyPatch) -> None:
    """Speak with the stand-in for S3, and do not wait long for what never comes."""
    equipped(patch)
    usual, short = s3._config, Config(connect_timeout=2, read_timeout=0.5)

    def config(bucket: str, settings: S3) -> Config:
        found = usual(bucket, settings)
        return found if settings.endpoint_url == s3_server() else found.merge(short)

    patch.setattr(s3, "_config", config)
    patch.setattr("smart_open.s3.time", SimpleNamespace(sleep=lambda _: None))
    patch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda _self, _context: 0.0)
    s3_server()


def hushed() -> None:
    """Keep the logs of this process's threads off the table."""
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@dataclass
class Scene:
    """What a trial has in its hands: an installation, whose zone is the service itself, and a way to it that fails."""

    it: Installation
    service: Faulty
    journal: Path

    @property
    def zone(self) -> DropZone:
        return s3.S3Zone(self.it.zone._bucket, "", S3(self.service.base))

    @contextmanager
    def opened(self) -> Iterator[Runtime]:
        with self.it.opened() as runtime:
            yield replace(runtime, zone=self.zone)

    def run(self) -> list[str]:
        """Process what waits, and return what an operator is told."""
        try:
            with self.opened() as runtime:
                report = runs.run(runtime, [KEY])
        except DropZoneError as error:
            return [str(error)]
        return report.problems + [receipt["reason"] for receipt in report.receipts if receipt["reason"]]

    def home(self) -> None:
        """Do what an operator does once the service is well: run, and rerun files that failed as a whole."""
        self.service.heal()
        for _ in range(TRIES):
            self.run()
            with self.it.opened() as runtime:
                for batch in runtime.ledger.batches(state=State.FAILED):
                    rerun.carry_out(runtime, rerun.plan(runtime, batch.id), lambda _: silent)
                states = {batch.state for batch in runtime.ledger.batches()}
                if states and states <= set(CLOSED) - {State.FAILED} and not runtime.ledger.packets.waiting():
                    return

    def sent(self) -> Counter[int]:
        """Count what the destination has, by the number of the person."""
        lines = self.journal.read_text().splitlines() if self.journal.exists() else ()
        return Counter(int(json.loads(line)["record"]["id"]) for line in lines)


@contextmanager
def scene(home: Path, ledger_url: str) -> Iterator[Scene]:
    """Make an installation on S3, with a sandbox for its destination."""
    home.mkdir(parents=True)
    journal = home / "journal.jsonl"
    with running(journal) as base, faulty(s3_server()) as service:
        settings = {"batch_size": 20, "in_flight": 2, "requests_per_second": 1000}
        it = made(home, Bucket.new(), it=enabled("webhook", base, settings=settings))
        it.ledger = ledger_url
        it.write()
        yield Scene(it, service, journal)


def due(start: int = 0) -> set[int]:
    """Return the people of a file that a destination takes."""
    return set(range(start, start + ROWS)) - {start + 7, start + 33}


def judged(here: Scene, told: list[str], *files: int) -> End:
    """Audit a scene that has come home, after a run in which people were told something."""
    end = ended(here.it, died=here.service.struck > 0)
    end.wrong += sum((here.sent() - Counter(set().union(*map(due, files)))).values())
    end.wrong += sum((Counter(set().union(*map(due, files))) - here.sent()).values())
    end.breaks += unfit(told) + sum("file.changed" in one for one in told)  # nobody has
    return end


def unfit(told: list[str]) -> int:
    """Count sentences that are none, or that say what nobody is to know."""
    return sum(not one or any(secret in one for secret in SECRETS) for one in told)


def files(here: Scene, operation: Operation, trouble: Spoil, first: int, times: float) -> End:
    """Two files, while calls of an operation fail."""
    here.it.drop(FILE, a_file())
    here.it.drop(f"{KEY}/more.csv", a_file(1000))
    here.service.spoil(operation, trouble, first, times)
    told = here.run()
    quiet = not told and bool(here.it.run().receipts)  # something was left to do, and nobody told
    here.home()
    end = judged(here, told, 0, 1000)
    end.breaks += quiet
    return end


def one_file(here: Scene, spoil: Spoil, times: float) -> End:
    """One file, while answers to GET are spoilt."""
    here.it.drop(FILE, a_file())
    here.service.spoil("GET", spoil, times=times)
    told = here.run()
    here.home()
    return judged(here, told, 0)


def pages(here: Scene, trouble: Spoil, times: float) -> End:
    """Five files in listings of two keys a page, the second of which fails."""
    starts = [1000 * number for number in range(5)]
    for start in starts:
        here.it.drop(f"{KEY}/{start}.csv", a_file(start))
    here.service.page = 2
    here.service.spoil("LIST", trouble, 3, times)  # the first asks for groups
    told = here.run()
    here.home()
    return judged(here, told, *starts)


def changed(here: Scene, instant: Instant, change: Change) -> End:
    """One file that its customer overwrites or deletes at an instant: old rows or new ones go out, or both, whole."""
    here.it.drop(FILE, a_file(OLD))
    here.service.spoil(*instant(functools.partial(change.do, here.it)), times=1)
    told = here.run()
    here.home()
    end = End(struck=here.service.struck > 0, breaks=unfit(told))
    with here.it.opened() as runtime:
        batches = runtime.ledger.batches()
        end.stuck += sum(one.state not in CLOSED or receipt_of(runtime.zone, one) is None for one in batches)
    sent = here.sent()
    end.undeclared += sum(count - 1 for count in sent.values())
    end.lost += len(change.left - sent.keys())
    old = due(OLD) & sent.keys()
    end.wrong += len(sent.keys() - due(OLD) - change.left) + (0 < len(old) < len(due(OLD)))
    end.wrong += bool(old) + bool(change.left) > len(batches)
    return end


OLD = 1000
"""The first person of the file before its customer changes it."""


@dataclass(frozen=True)
class Change:
    """What a customer does, and the people who are left to be delivered then."""

    do: Callable[[Installation], None]
    left: frozenset[int] | set[int]


CHANGES: Mapping[str, Change] = {
    "overwritten": Change(lambda it: it.drop(FILE, a_file(0)), due(0)),
    "overwritten in its length": Change(lambda it: it.drop(FILE, a_file(OLD + 1000)), due(OLD + 1000)),
    "deleted": Change(lambda it: it.zone.delete(FILE), frozenset()),
}

Instant = Callable[[Callable[[], None]], tuple[Operation, Spoil, int]]


def instants() -> Iterator[tuple[str, Instant]]:
    """Yield when a customer does something."""
    calls: list[tuple[Operation, int]] = [("LIST", 1), ("LIST", 2), ("GET", 1), ("PUT", 1), ("PUT", 2)]
    for operation, nth in calls:
        yield f"before {operation} {nth}", lambda do, o=operation, n=nth: (o, before(do), n)
        yield f"after {operation} {nth}", lambda do, o=operation, n=nth: (o, after(do), n)
    for share in range(0, 100, 10):
        yield f"at {share} % of GET", lambda do, at=share / 100: ("GET", cut(at, meanwhile=do), 1)


def records(here: Scene, operation: Operation, trouble: Spoil, first: int, times: float) -> End:
    """Records that the API takes, while calls fail as they are taken or delivered."""
    taking = operation in ("PUT", "DELETE")
    told = []
    if taking:
        here.service.spoil(operation, trouble, first, times)
    else:
        told += taken(here)
    if operation == "HEAD":  # which is asked for what could not be read
        here.service.spoil("GET", answering(500, "InternalError"))
    here.service.spoil(operation, trouble, first, times)
    told += taken(here) if taking else here.run()
    here.service.heal()
    told += taken(here)
    here.home()
    return judged(here, told, 0)


class _Late(Packets):
    """Packets to which another process is always first, once."""

    def __init__(self, packets: Packets) -> None:
        super().__init__(packets._engine)
        self._tries = itertools.count()

    def take(self, *args: object) -> bool:
        return bool(next(self._tries)) and super().take(*args)


def taken(here: Scene) -> list[str]:
    """Send the people of a file one by one, as a client does who sends again what was not taken."""
    rows = [line.split(",") for line in a_file().decode().splitlines()[1:]]
    lines = [json.dumps({"id": number, "email": email}).encode() for number, email in rows]
    told = []
    with here.opened() as runtime:
        taker = Taker(_Late(runtime.ledger.packets), runtime.zone, runtime.groups)
        for start in range(0, ROWS, 20):
            some = lines[start : start + 20]
            try:
                taker.take([Offer(KEY, line, {b"\xff" + line: 2**33}, line) for line in some])
            except DropZoneError as error:
                told.append(str(error))
    return told


def shown(here: Scene, operation: Operation, trouble: Spoil, first: int, times: float) -> End:
    """A receipt that is asked for while the service fails: it is shown as it is, or there is a sentence."""
    here.it.drop(FILE, a_file())
    here.run()
    with here.it.opened() as runtime:
        (batch,) = runtime.ledger.batches()
    here.service.spoil(operation, trouble, first, times)
    right, told = receipt_of(here.it.zone, batch), []
    try:
        wrong = receipt_of(here.zone, batch) != right
    except DropZoneError as error:
        told, wrong = [str(error)], False
    end = judged(here, told, 0)
    end.wrong += wrong
    return end


def _in_a_scene(do: Callable[..., End], *args: object) -> Callable[[Path, str], End]:
    def run(home: Path, ledger_url: str) -> End:
        with scene(home, ledger_url) as here:
            return do(here, *args)

    return run


def cases() -> Iterator[Trial]:
    """Yield all trials; everything has to be `hurried`."""
    tried = list(itertools.product(TROUBLES.items(), TIMES.items()))
    operations: list[Operation] = ["LIST", "GET", "PUT"]
    for operation, ((trouble, spoil), (when, how)) in itertools.product(operations, tried):
        run = _in_a_scene(files, operation, spoil, *how)
        yield Trial("S3 fails, files", f"{operation} {trouble}, {when}", run)
    others: list[Operation] = ["PUT", "GET", "HEAD", "DELETE"]
    for operation, ((trouble, spoil), (when, how)) in itertools.product(others, tried):
        if when in ("once", "for ever") and (operation, trouble) != ("HEAD", "not found"):  # who says so is believed
            run = _in_a_scene(records, operation, spoil, *how)
            yield Trial("S3 fails, records", f"{operation} {trouble}, {when}", run)
    for (trouble, spoil), when in itertools.product(TROUBLES.items(), ("once", "for ever")):
        for operation in ("HEAD", "GET") if trouble != "not found" else ("GET",):
            run = _in_a_scene(shown, operation, spoil, *TIMES[when])
            yield Trial("S3 fails, receipts", f"{operation} {trouble}, {when}", run)
        yield Trial("S3 fails, page 2", f"LIST {trouble}, {when}", _in_a_scene(pages, spoil, TIMES[when][1]))
    ways: list[tuple[int, Says]] = [(1, "all"), (2, "length"), (5, "range")]
    for percent, says in ((percent, says) for step, says in ways for percent in range(0, 100, step)):
        yield Trial("S3 cuts a body", f"at {percent} %, {says}", _in_a_scene(one_file, cut(percent / 100, says), 1))
    for (when, instant), (what, change) in itertools.product(instants(), CHANGES.items()):
        yield Trial("S3 and its customers", f"{what} {when}", _in_a_scene(changed, instant, change))


def trials(seed: int) -> Iterator[Trial]:
    """Yield the whole family; nothing in it is left to chance."""
    hurried(pytest.MonkeyPatch())
    hushed()
    yield from cases()
