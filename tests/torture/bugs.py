"""Seeded bugs: the harness is run on copies of the program with one mistake each, and has to find every one."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from torture.trial import End, Trial

ROOT = Path(__file__).parents[2]
_PACKAGES = ("api", "batch", "config", "integrations", "jobs", "mappers", "tests")
_PATIENCE = 300


@dataclass(frozen=True)
class Bug:
    """A mistake: what stands in a file instead of what, and the trial in which it must show."""

    name: str
    file: str
    old: str
    new: str
    family: str
    trial: str


BUGS = [
    Bug(
        "what may have been taken is sent again under a new key",
        "batch/dispatch.py",
        "self._former = Former([chunk for chunk in doubtful if chunk not in given_up])",
        "self._former = Former([])",
        *("kills", "file send.after:1 sqlite key"),
    ),
    Bug(
        "a request leaves before its intent is committed",
        "batch/delivery.py",
        "        await self._commits.put(chunk)\n        try:",
        "        try:",
        *("kills", "file send.after:2 sqlite bare"),
    ),
    Bug(
        "rows are delivered before they are sent",
        "batch/delivery.py",
        "        await self._commits.put(chunk)\n        try:",
        "        await self._commits.put(_closed(chunk, tally, Outcome.DELIVERED))\n        try:",
        *("kills", "file send.before:2 sqlite key"),
    ),
    Bug(
        "a partial success counts as a success",
        "batch/delivery.py",
        "_closed(chunk, tally, Outcome.DELIVERED, _findings(chunk, verdicts))",
        "_closed(chunk, tally, Outcome.DELIVERED)",
        *("kills", "file ledger.claim.after:1 sqlite upsert"),
    ),
    Bug(
        "what was sent and not answered counts as delivered",
        "batch/account.py",
        "self._state[chunk.rows] = _PENDING",
        "self._state[chunk.rows] = _NUMBER[Outcome.DELIVERED]",
        *("kills", "file send.before:2 sqlite upsert"),
    ),
    Bug(
        "a batch is closed without its receipt",
        "batch/results.py",
        '    zone.write(f"{place}/receipt.json", spool.file("receipt.json"))\n',
        "",
        *("kills", "file ledger.claim.after:1 sqlite key"),
    ),
    Bug(
        "the same bytes are processed again",
        "batch/pipeline.py",
        "    if original is None or not ledger.drop_duplicate(work.claim, original):\n",
        "    if True:\n",
        *("kills", "again ledger.claim.after:1 sqlite key"),
    ),
    Bug(
        "nobody goes on with what a dead process held",
        "batch/statements.py",
        "or_(batches.c.lease_until.is_(None), over)",
        "batches.c.lease_until.is_(None)",
        *("kills", "file ledger.claim.after:1 sqlite key"),
    ),
]


def trials(_seed: int) -> Iterator[Trial]:
    """Yield a trial for each bug: it strikes when the bug is caught, and else something is wrong."""
    for bug in BUGS:
        yield Trial("seeded bugs, by which are caught", bug.name, functools.partial(seeded, bug))


def seeded(bug: Bug, home: Path, _ledger_url: str = "") -> End:
    """Let the harness look for the bug in a copy of the program that has it."""
    for package in _PACKAGES:
        shutil.copytree(ROOT / package, home / package, ignore=shutil.ignore_patterns("__pycache__"))
    file = home / bug.file
    text = file.read_text("utf-8")
    if text.count(bug.old) != 1:
        raise LookupError(f"{bug.file} is not what the bug {bug.name!r} was made for")
    file.write_text(text.replace(bug.old, bug.new), "utf-8")
    caught = _found([bug.family, "--only", bug.trial], home)
    return End(struck=caught, wrong=not caught)


def _found(words: list[str], product: Path) -> bool:
    """Say whether the harness, run in the copy, finds something wrong; it looks at nothing of ours."""
    env = {**os.environ, "PYTHONPATH": f"{product}{os.pathsep}{product / 'tests'}"}
    line = [sys.executable, "-m", "torture", *words]
    try:
        done = subprocess.run(
            line, cwd=product, env=env, capture_output=True, text=True, check=False, timeout=_PATIENCE
        )
    except subprocess.TimeoutExpired:
        return True
    if done.returncode not in (0, 1):
        raise LookupError(f"{' '.join(words)}: {done.stdout}{done.stderr}")
    return done.returncode == 1
