"""Disks that are full, broken, read-only or swept clean, under the ledger, the drop zone and the spool."""

from __future__ import annotations

import functools
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from support.failing import failing
from support.installation import KEY, Installation, enabled, made

from batch.batch import State
from integrations.sandbox import running
from jobs.audit import journalled
from torture.kills import FILE, KINDS, LEASE, PATIENCE, Case, a_file, brought_home, command, ended, points, prepared
from torture.trial import End, Trial

HUMBLE = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
"""Before a command: what makes permissions hold for root too."""

_CODE = f"import jobs.run; jobs.run.LEASE = {LEASE}; from jobs.cli import main; main()"
_UNFIT = ("Traceback", "fault of the program", "whsec_")


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it told people."""

    code: int
    text: str

    @property
    def unfit(self) -> bool:
        """Whether people are not told what is wrong, or are told more than they should be."""
        return any(word in self.text for word in _UNFIT) or (self.code != 0) != bool(self.text.strip())


# --- the disk is full for a moment, anywhere


def failed(case: Case, home: Path, ledger_url: str) -> End:
    """Let a failpoint fail as if the disk were full."""
    with prepared(case, home, ledger_url) as (it, words):
        ran = command(it, case, words, [f"{case.point}=fail:{case.nth}"])
        unannounced = _unannounced(it)
        brought_home(it, case, words)
        end = ended(it, died=bool(ran.stderr.strip()))
        end.wrong += unannounced
        end.breaks += any(word in ran.stdout + ran.stderr for word in _UNFIT)
        return end


def _unannounced(it: Installation) -> int:
    """Count rows that the destination has and that no committed chunk holds: what was sent without an intent."""
    with it.opened() as runtime:
        batches = runtime.ledger.batches()
        rows = {int(row) for batch in batches for chunk in runtime.ledger.chunks(batch.id, "it") for row in chunk.rows}
    return sum(row not in rows for row in (number + 1 for number in sent(it)))


def sent(it: Installation) -> Counter[int]:
    """Count what the destination has, by the number of the person; what came again under one key is there once."""
    journal = it.home / "journal.jsonl"
    if not journal.exists():
        return Counter()
    there = journalled(journal, "webhook", "id") + journalled(journal, "mailchimp", "merge_fields.ID")
    return Counter({int(number): count for number, count in there.items()})


# --- a disk of which something is wrong


Trouble = Callable[[Installation], AbstractContextManager[None]]


@contextmanager
def installed(home: Path) -> Iterator[Installation]:
    """Make an installation with a folder each for the ledger, the drop zone and the spool."""
    for name in ("ledger", "drop", "spool"):
        (home / name).mkdir(parents=True)
    with running(home / "journal.jsonl") as base:
        settings = {"batch_size": 10, "in_flight": 2, "requests_per_second": 1000}
        it = made(home, it=enabled("webhook", base, settings=settings))
        it.ledger = "sqlite:///ledger/ledger.db"
        it.write()
        yield it


def begun(
    it: Installation, *words: str, before: Sequence[str] = (), orders: Sequence[str] = ()
) -> subprocess.Popen[str]:
    """Start the command line."""
    return subprocess.Popen(
        [*HUMBLE, *before, sys.executable, "-c", _CODE, *words],
        env={**os.environ, **failing(*orders), "TMPDIR": str(it.home / "spool")},
        cwd=it.home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def seen_through(process: subprocess.Popen[str]) -> Said:
    """Wait until a command has ended."""
    _, text = process.communicate(timeout=PATIENCE)
    return Said(process.returncode, text)


def told(it: Installation, *words: str, before: Sequence[str] = ()) -> Said:
    """Run a command to its end."""
    return seen_through(begun(it, *words, before=before))


def _stopped(process: subprocess.Popen[str]) -> bool:
    """Wait until a process stands still; false when it ended before."""
    while process.poll() is None:
        state = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "T":
            return True
        time.sleep(0.01)
    return False


def at_home(it: Installation) -> None:
    """Do what an operator does once the disk is well."""
    for _ in range(3):
        ran = told(it, "run")
        with it.opened() as runtime:
            for batch in runtime.ledger.batches(state=State.FAILED):
                told(it, "rerun", batch.id)
        if ran.code == 0:
            return


def judged(it: Installation, said: Said) -> End:
    """Audit an installation that has come home after it said something."""
    end = ended(it, died=said.code != 0)
    end.wrong += _astray(it)
    end.breaks += said.unfit
    return end


def _astray(it: Installation) -> int:
    """Count people that the destination has not just once."""
    there, wanted = sent(it), Counter(set(range(60)) - {7, 33})
    return sum(((there - wanted) + (wanted - there)).values())


def troubled(trouble: Trouble, point: str, home: Path, _ledger_url: str) -> End:
    """Let the trouble begin before a run, or at a failpoint in it."""
    with installed(home) as it:
        it.drop(FILE, a_file())
        if not point:
            with trouble(it):
                said = told(it, "run")
        else:
            process = begun(it, "run", orders=[f"{point.partition(':')[0]}=stop:{point.partition(':')[2] or 1}"])
            _stopped(process)
            with trouble(it):
                process.send_signal(signal.SIGCONT)
                said = seen_through(process)
        unannounced = _unannounced(it)
        at_home(it)
        end = judged(it, said)
        end.wrong += unannounced
        return end


def _without(mode: int, *places: str) -> Trouble:
    """Leave folders and files no more permissions than these."""

    @contextmanager
    def trouble(it: Installation) -> Iterator[None]:
        former = {path: path.stat().st_mode for place in places for path in it.home.glob(place)}
        for path in former:
            path.chmod(mode if path.is_dir() else mode & 0o666)
        yield
        for path in reversed(former):
            with suppress(FileNotFoundError):
                path.chmod(former[path])

    return trouble


@contextmanager
def _gone(it: Installation) -> Iterator[None]:
    (it.home / "drop").rename(it.home / "elsewhere")
    yield
    (it.home / "elsewhere").rename(it.home / "drop")


@contextmanager
def _a_file_in_its_place(it: Installation) -> Iterator[None]:
    with _gone(it):
        (it.home / "drop").write_text("no folder")
        yield
        (it.home / "drop").unlink()


@contextmanager
def _swept(it: Installation) -> Iterator[None]:
    """Clean up as a job does that empties temporary folders."""
    shutil.rmtree(it.home / "spool")
    (it.home / "spool").mkdir()
    yield


ZONE_TROUBLES: Mapping[str, Trouble] = {
    "the drop zone is closed": _without(0o000, "drop"),
    "the group's folder is closed": _without(0o000, f"drop/{KEY}"),
    "the group's folder is read-only": _without(0o500, f"drop/{KEY}"),
    "the drop zone is gone": _gone,
    "the drop zone is a file": _a_file_in_its_place,
}
EARLY_TROUBLES: Mapping[str, Trouble] = {
    "the drop is closed": _without(0o000, f"drop/{FILE}"),
    "the ledger's folder is closed": _without(0o000, "ledger"),
    "the ledger's folder is read-only": _without(0o500, "ledger"),
    "the ledger is read-only": _without(0o500, "ledger/*", "ledger"),
}
EARLY = ("", "zone.listing.after", "ledger.claim.after")
LATE = ("zone.fetch.after", "ledger.put_chunks.after:1", "send.after:2", "zone.write.before:1", "zone.write.after:1")


def troubles() -> Iterator[tuple[str, Trouble, str]]:
    """Yield what may be wrong, and the failpoint at which it begins; none is from the start."""
    yield from ((what, trouble, point) for what, trouble in ZONE_TROUBLES.items() for point in (*EARLY, *LATE))
    yield from ((what, trouble, point) for what, trouble in EARLY_TROUBLES.items() for point in EARLY)
    yield from (("the spool is swept", _swept, point) for point in LATE)


def limited(size: int, home: Path, _ledger_url: str) -> End:
    """Let no file grow beyond so many bytes, whatever it is."""
    with installed(home) as it:
        it.drop(FILE, a_file())
        said = told(it, "run", before=["prlimit", f"--fsize={size}"])
        unannounced = _unannounced(it)
        at_home(it)
        end = judged(it, said)
        end.wrong += unannounced
        return end


def mountable() -> bool:
    """Say whether this user may mount disks."""
    return os.geteuid() == 0 and _mount("--fake", "/mnt")


def _mount(*words: str) -> bool:
    return subprocess.run(["mount", "-t", "tmpfs", "tmpfs", *words], capture_output=True, check=False).returncode == 0


def small(place: str, pages: int, home: Path, _ledger_url: str) -> End:
    """Give the ledger, the drop zone or the spool a disk of its own of a few pages, and a bigger one later."""
    with installed(home) as it:
        if not _mount("-o", f"size={pages * 4096}", str(home / place)):
            return End(struck=False)
        try:
            it.drop(FILE, a_file())
            said = told(it, "run")
            subprocess.run(["mount", "-o", "remount,size=64m", str(home / place)], check=True)
            at_home(it)
            return judged(it, said)
        finally:
            subprocess.run(["umount", "--lazy", str(home / place)], check=True)


# --- the ledger is damaged


Damage = Callable[[bytearray], None]

_PAGE = 4096


def damaged(damage: Damage, home: Path, _ledger_url: str) -> End:
    """Damage a ledger: whatever is asked of it then, there is an answer or a sentence, and nothing is sent twice."""
    with installed(home) as it:
        it.drop(FILE, a_file())
        it.run()
        it.drop(f"{KEY}/more.csv", a_file(1000))
        path = home / "ledger" / "ledger.db"
        content = bytearray(path.read_bytes())
        damage(content)
        path.write_bytes(content)
        ends = [told(it, *words) for words in (["batches"], ["run"])]
        return End(
            struck=any(one.code for one in ends),
            breaks=sum(one.unfit for one in ends),
            undeclared=sum(count - 1 for count in sent(it).values()),
        )


def _zeroed(page: int) -> Damage:
    def damage(content: bytearray) -> None:
        content[page * _PAGE : (page + 1) * _PAGE] = bytes(_PAGE)

    return damage


def _scribbled(chance: random.Random) -> Damage:
    def damage(content: bytearray) -> None:
        at = chance.randrange(len(content) // _PAGE) * _PAGE + chance.randrange(16)  # where a page says what it is
        content[at : at + 64] = chance.randbytes(64)

    return damage


def _cut(share: float) -> Damage:
    def damage(content: bytearray) -> None:
        del content[int(len(content) * share) :]

    return damage


_SCRIBBLES = 20


def damages(seed: int) -> Iterator[tuple[str, Damage]]:
    """Yield what befalls ledgers."""
    chance = random.Random(seed)
    yield from ((f"page {page} is zeroed", _zeroed(page)) for page in range(30))
    yield from ((f"cut at {percent} %", _cut(percent / 100)) for percent in (1, 10, 30, 50, 70, 90, 99))
    yield from ((f"scribbled on {n}", _scribbled(random.Random(chance.random()))) for n in range(_SCRIBBLES))


def trials(seed: int) -> Iterator[Trial]:
    """Yield the whole family."""
    for place, kind in zip(points(), itertools.cycle(KINDS), strict=False):
        case = Case(*place, "sqlite", kind)
        yield Trial("disk full at each failpoint", str(case), functools.partial(failed, case))
    for what, trouble, point in troubles():
        run = functools.partial(troubled, trouble, point)
        yield Trial("a disk in trouble", f"{what}, {point or 'from the start'}", run)
    for size in (*range(0, 60_000, 3_000), *range(60_000, 300_000, 12_000)):
        yield Trial("no file may grow", f"beyond {size} bytes", functools.partial(limited, size))
    sizes = {"ledger": range(4, 92, 8), "drop": range(1, 3), "spool": range(1, 3)}
    for place, few in sizes.items() if mountable() else ():
        for pages in few:
            yield Trial("a full disk", f"{place} on {pages} pages", functools.partial(small, place, pages))
    for what, damage in damages(seed):
        yield Trial("a damaged ledger", what, functools.partial(damaged, damage))
