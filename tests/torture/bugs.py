"""Seeded bugs: the harness is run on copies of the program with one mistake each, and has to find every one."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from torture.kills import Case, killed
from torture.trial import End

ROOT = Path(__file__).parents[2]
_PACKAGES = ("api", "batch", "config", "integrations", "jobs", "mappers")


@dataclass(frozen=True)
class Bug:
    """A mistake: what stands in a file instead of what, and where it must show."""

    name: str
    file: str
    old: str
    new: str
    scenario: str
    point: str
    nth: int
    kind: str


BUGS = [
    Bug(
        "what may have been taken is sent again under a new key",
        "batch/dispatch.py",
        "self._former = Former([chunk for chunk in doubtful if chunk not in given_up])",
        "self._former = Former([])",
        *("file", "send.after", 1, "key"),
    ),
    Bug(
        "a request leaves before its intent is committed",
        "batch/delivery.py",
        "        await self._commits.put(chunk)\n        try:",
        "        try:",
        *("file", "send.after", 2, "bare"),
    ),
    Bug(
        "rows are delivered before they are sent",
        "batch/delivery.py",
        "        await self._commits.put(chunk)\n        try:",
        "        await self._commits.put(_closed(chunk, tally, Outcome.DELIVERED))\n        try:",
        *("file", "send.before", 2, "key"),
    ),
    Bug(
        "a partial success counts as a success",
        "batch/delivery.py",
        "_closed(chunk, tally, Outcome.DELIVERED, _findings(chunk, verdicts))",
        "_closed(chunk, tally, Outcome.DELIVERED)",
        *("file", "ledger.claim.after", 1, "upsert"),
    ),
    Bug(
        "what was sent and not answered counts as delivered",
        "batch/account.py",
        "self._state[chunk.rows] = _PENDING",
        "self._state[chunk.rows] = _NUMBER[Outcome.DELIVERED]",
        *("file", "send.before", 2, "upsert"),
    ),
    Bug(
        "a batch is closed without its receipt",
        "batch/results.py",
        '    zone.write(f"{place}/receipt.json", spool.file("receipt.json"))\n',
        "",
        *("file", "ledger.claim.after", 1, "key"),
    ),
    Bug(
        "the same bytes are processed again",
        "batch/pipeline.py",
        "    if original is None or not ledger.drop_duplicate(work.claim, original):\n",
        "    if True:\n",
        *("again", "ledger.claim.after", 1, "key"),
    ),
    Bug(
        "nobody goes on with what a dead process held",
        "batch/statements.py",
        "or_(batches.c.lease_until.is_(None), over)",
        "batches.c.lease_until.is_(None)",
        *("file", "ledger.claim.after", 1, "key"),
    ),
]


def seeded(bug: Bug, folder: Path) -> End:
    """Run the harness on a copy of the program that has the bug."""
    product = folder / "product"
    for package in _PACKAGES:
        shutil.copytree(ROOT / package, product / package, ignore=shutil.ignore_patterns("__pycache__"))
    file = product / bug.file
    text = file.read_text("utf-8")
    if text.count(bug.old) != 1:
        raise LookupError(f"{bug.file} is not what the bug {bug.name!r} was made for")
    file.write_text(text.replace(bug.old, bug.new), "utf-8")
    home = folder / "home"
    case = Case(bug.scenario, bug.point, bug.nth, "sqlite", bug.kind, str(product))
    return killed(case, home, f"sqlite:///{home / 'ledger.db'}")
