"""Every answer of a destination, at every chunk and for every kind, against a table of what must become of the rows."""

from __future__ import annotations

import functools
import itertools
import logging
import ssl
from collections import Counter
from collections.abc import Awaitable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp.connector
import structlog
from support.certificates import vouched
from support.destination import Answer, Call, Destination, Door, destination, secured
from support.installation import KEY, NO_WAITS, Installation, enabled, made, people

from batch import planning, retry
from batch.outcome import Outcome
from batch.runtime import silent
from config import checks, connecting
from integrations.catalog import CATALOG
from integrations.integration import Resend
from jobs import rerun as reruns
from torture.answers import AUTHORITY, PATIENCE, TRIES, faults
from torture.fault import CHUNK, STRIKES, Ask, Fate, Fault, yes
from torture.trial import End, Trial

FILE = f"{KEY}/people.csv"
CHUNKS = 5
ROWS = CHUNK * CHUNKS
WHERE = {"first": {0}, "middle": {CHUNKS // 2}, "last": {CHUNKS - 1}, "every": set(range(CHUNKS))}
DIALECTS = {"key": "webhook", "upsert": "mailchimp", "bare": "webhook", "hubspot": "hubspot"}
"""What each kind of destination speaks; `bare` is a webhook that is told that nothing makes a repetition harmless."""

_WITH_BARE = {**CATALOG, "bare": replace(CATALOG["webhook"], resend=Resend.BARE)}
_TRUSTING = ssl.create_default_context(cadata=AUTHORITY.cert_pem.bytes().decode())
_SAFE = vouched(AUTHORITY)
_ENOUGH = 128 << 20  # bytes of a gigabyte that a busy machine has in its pipes before anybody hangs up

SETTINGS: list[tuple[Any, str, Any]] = [
    (retry, "_BACKOFF", NO_WAITS),
    (aiohttp.connector, "_SSL_CONTEXT_VERIFIED", _TRUSTING),
    *((module, "CATALOG", _WITH_BARE) for module in (checks, connecting, planning)),
]
"""What has to be set in a process, once, before trials are run in it."""


@dataclass(frozen=True)
class Case:
    """A fault, the chunks that it strikes, and the kind of destination."""

    fault: Fault
    where: str
    kind: str

    def __str__(self) -> str:
        return f"{self.fault}, {self.where} chunk, {self.kind}"

    @property
    def fate(self) -> Fate:
        """What must become of the rows that are struck."""
        return self.fault.fates[self.kind]

    @property
    def chunks(self) -> set[int]:
        """The chunks that are struck."""
        return WHERE[self.where]


@dataclass(frozen=True)
class Expected:
    """What must come of a case: each row's outcome, and how many rows are told to be possible duplicates."""

    ends: Mapping[int, str]
    declared: int


def expected(case: Case) -> Expected:
    """Follow the fate through the chunks, in their order."""
    ends: dict[int, str] = {}
    declared = strikes = 0
    for chunk in range(CHUNKS):
        rows = range(chunk * CHUNK + 1, (chunk + 1) * CHUNK + 1)
        if strikes >= STRIKES:
            ends |= dict.fromkeys(rows, "failed")
            continue
        ends |= dict.fromkeys(rows, "delivered")
        strikes = 0 if chunk not in case.chunks else strikes + case.fate.strikes
        if chunk in case.chunks:
            ends |= {rows[place]: case.fate.end for place in case.fault.struck}
            declared += CHUNK * case.fate.declared
    return Expected(ends, declared)


@dataclass
class Receiver:
    """A destination's own mind: what it takes of each request before it answers, and what it answers.

    It counts what it `struck` with the fault, and the requests that `hurried`: that came sooner than it asked for.
    """

    case: Case
    there: Destination
    elsewhere: str
    took: list[tuple[str, int]] = field(default_factory=list)
    struck: int = 0
    well: bool = False
    visits: Counter[int] = field(default_factory=Counter)
    hurried: int = 0
    _not_before: float = 0

    def __call__(self, call: Call) -> Answer:
        ask = Ask(call, DIALECTS[self.case.kind], self.elsewhere)
        self.hurried += call.at < self._not_before
        if self._strikes(ask):
            self.struck += 1
            self._not_before = call.at + self.case.fault.wait
            self._take(ask, self.case.fault.takes)
            return self.case.fault.answered(ask)
        self._take(ask, range(CHUNK))
        return self._before_the_door(ask)

    def effects(self) -> Counter[int]:
        """Count how often each row had its effect; a repetition under a known key has none."""
        return Counter(row for _, row in (set(self.took) if self.case.kind == "key" else self.took))

    def _strikes(self, ask: Ask) -> bool:
        fault, chunk = self.case.fault, (ask.ids[0] - 1) // CHUNK
        if self.well or fault.door or chunk not in self.case.chunks or not fault.meets(ask):
            return False
        self.visits[chunk] += 1
        return self.visits[chunk] <= fault.times

    def _take(self, ask: Ask, places: Collection[int]) -> None:
        key = ask.call.headers.get("webhook-id", "")
        self.took += [(key, row) for row, place in zip(ask.ids, ask.places, strict=True) if place in places]

    def _before_the_door(self, ask: Ask) -> Answer:
        """Say yes, and have the next connection meet the door when it is its turn."""
        if self.case.fault.door and not self.well and max(ask.ids) == min(self.case.chunks) * CHUNK:
            self.shut()
            return replace(yes(ask), then="close")
        return yes(ask)

    def shut(self) -> None:
        """Have the connections to come meet the door, if the fault has one."""
        door = self.case.fault.door
        if door == "refused":
            self.there.refuse()
        elif door:
            self.there.door = self._counted(door)

    def _counted(self, door: Door) -> Door:
        def counted(*streams: Any) -> Awaitable[None]:
            self.struck += 1
            return door(*streams)

        return counted

    def recover(self) -> None:
        """Be well from now on."""
        self.well = True
        if self.case.fault.door == "refused":
            self.there.recover()
        elif self.case.fault.door:
            self.there.door = secured(_SAFE)


def tried(case: Case, home: Path, ledger_url: str) -> End:
    """Run a file into the fault and compare; have the destination recover, send again what is owed, and compare."""
    tls = _SAFE if case.fault.scheme == "https" else None
    with destination() as elsewhere, destination(tls=tls) as there:
        receiver = Receiver(case, there, elsewhere.base)
        there.script(then=receiver)
        it = installation(case, home, ledger_url, there.base)
        if 0 in case.chunks:
            there.perform(receiver.shut)
        receipt = it.one()
        want = expected(case)
        first = compared(want.ends, it, receipt, receiver)
        first.struck = bool(receiver.struck) or said(receipt)["requests"] > len(there.calls)
        first.wrong += abs(said(receipt)["possible_duplicates"] - want.declared)
        first.breaks += receiver.hurried + len(elsewhere.calls) + (there.poured > _ENOUGH * receiver.struck)
        receiver.recover()
        receipt = brought_home(it, receipt)
        return both(first, compared(at_home(want.ends), it, receipt, receiver))


def installation(case: Case, home: Path, ledger_url: str, base: str) -> Installation:
    """Make an installation that sends few rows at a time, one request after the other."""
    home.mkdir(parents=True, exist_ok=True)
    settings = {"batch_size": CHUNK, "in_flight": 1, "requests_per_second": 100_000}
    one = enabled(DIALECTS[case.kind], base, settings=settings)
    it = made(home, it=one | ({"type": "bare"} if case.kind == "bare" else {}))
    it.ledger = ledger_url
    it.delivery = {"tries": TRIES, "patience": PATIENCE, "timeout": 20, **case.fault.delivery}
    it.write()
    it.drop(FILE, people(ROWS))
    return it


def compared(want: Mapping[int, str], it: Installation, receipt: Mapping[str, Any], receiver: Receiver) -> End:
    """Compare each row's outcome with what it must be, and with what the destination took."""
    ends, effects = outcomes(it, receipt), receiver.effects()
    doubled = sum(times > 1 for times in effects.values())  # rows, as a receipt counts them
    declared = min(doubled, said(receipt)["possible_duplicates"])
    wrong = sum(ends[row] != want[row] for row in want)
    wrong += sum(effects[row] for row, end in ends.items() if end == "rejected")
    lost = sum(not effects[row] for row, end in ends.items() if end == "delivered")
    breaks = any(said(receipt)[outcome] != list(ends.values()).count(outcome) for outcome in Outcome)
    breaks += receiver.case.kind == "key" and doubled > 0  # it was to be repeated under the same key
    return End(lost=lost, undeclared=doubled - declared, declared=declared, breaks=breaks, wrong=wrong)


def both(first: End, second: End) -> End:
    """Return the end of a trial of two runs; the second receipt tells of what the first has told too."""
    sums = {name: getattr(first, name) + getattr(second, name) for name in ("lost", "undeclared", "breaks", "wrong")}
    return replace(second, struck=first.struck, **sums)


def said(receipt: Mapping[str, Any]) -> Mapping[str, int]:
    """Return a receipt's word on the integration."""
    return receipt["integrations"]["it"]


def outcomes(it: Installation, receipt: Mapping[str, Any]) -> dict[int, str]:
    """Return each row's outcome as the customer is told: what is not among the undelivered was delivered."""
    owed = [] if receipt["state"] == "delivered" else it.undelivered(receipt)
    return dict.fromkeys(range(1, ROWS + 1), "delivered") | {int(row["_row"]): row["_outcome"] for row in owed}


def brought_home(it: Installation, receipt: dict[str, Any]) -> dict[str, Any]:
    """Send again what failed, and then what nobody knew of."""
    with it.opened() as runtime:
        for outcome in (Outcome.FAILED, Outcome.UNKNOWN):
            plan = reruns.plan(runtime, receipt["batch"], outcomes=[outcome])
            if not plan.nothing:
                receipt = reruns.carry_out(runtime, plan, lambda _batch: silent)
    return receipt


def at_home(ends: Mapping[int, str]) -> dict[int, str]:
    """Return what must have become of rows when the destination has recovered: only a rejection stands."""
    return {row: end if end == "rejected" else "delivered" for row, end in ends.items()}


def cases() -> Iterator[Case]:
    """Yield every fault, at every chunk, for every kind of destination that it is for."""
    for fault in faults():
        for where, kind in itertools.product(WHERE, fault.fates):
            yield Case(fault, where, kind)


def trials(seed: int) -> Iterator[Trial]:
    """Yield all; the process is prepared for them."""
    for setting in SETTINGS:
        setattr(*setting)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    for case in cases():
        yield Trial(f"destination: {case.fault.line}", str(case), functools.partial(tried, case))
