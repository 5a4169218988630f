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
        "_closed(chunk, tally, taken, _findings(parcel, verdicts))",
        "_closed(chunk, tally, taken)",
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
        "    write_receipt(zone, spool, books)\n    return receipt\n",
        "    return receipt\n",
        *("kills", "file ledger.claim.after:1 sqlite key"),
    ),
    Bug(
        "the same bytes are processed again",
        "batch/pipeline.py",
        "    if original is None or not ledger.drop_duplicate(work.claim, original):\n",
        "    if True:\n",
        *("kills", "again ledger.drop_duplicate.before:1 sqlite key"),
    ),
    Bug(
        "nobody goes on with what a dead process held",
        "batch/statements.py",
        "or_(batches.c.lease_until.is_(None), over)",
        "batches.c.lease_until.is_(None)",
        *("kills", "file ledger.claim.after:1 sqlite key"),
    ),
    Bug(
        "who was taken for dead still commits",
        "batch/statements.py",
        "if row is None or (row.token, row.owner) != (claim.token, claim.owner):",
        "if row is None:",
        *("racing", "woken, bare: file send.before:2 sqlite"),
    ),
    Bug(
        "a batch is closed before its results are written",
        "batch/pipeline.py",
        "    receipt = results.write(work.runtime.zone, work.spool, closed, work.group.files, _forgotten(work))\n",
        "    work.runtime.ledger.finish(work.claim, state, reason, now)\n"
        "    receipt = results.write(work.runtime.zone, work.spool, closed, work.group.files, _forgotten(work))\n",
        *("kills", "file zone.write.before:1 sqlite key"),
    ),
    Bug(
        "a receipt that cannot be written is done without",
        "batch/results.py",
        "    write_receipt(zone, spool, books)\n    return receipt\n",
        "    with __import__('contextlib').suppress(Exception):\n"
        "        write_receipt(zone, spool, books)\n    return receipt\n",
        *("disk", "disk full at each failpoint: file zone.write"),
    ),
    Bug(
        "a file's version is not looked at when it is read",
        "batch/s3.py",
        """self._opened(drop.key, IfMatch=f'"{drop.version}"')""",
        "self._opened(drop.key)",
        *("s3", "in its length at 50 % of GET"),
    ),
    Bug(
        "a body that is cut short is taken for the whole",
        "batch/dropzone.py",
        "    if length != drop.size:\n",
        "    if not length:\n",
        *("s3", "S3 cuts a body: at 5"),
    ),
    Bug(
        "a destination that cannot tell is sent again what it may have",
        "batch/caller.py",
        "        if self._lane.integration.resend is Resend.BARE:\n            raise Ambiguous",
        "        if False:\n            raise Ambiguous",
        *("destination", "500 1 times, middle chunk, bare"),
    ),
    Bug(
        "what was sent twice is not told",
        "batch/delivery.py",
        "possible_duplicates=len(chunk.rows) if tally.maybe_taken else 0,",
        "possible_duplicates=0,",
        *("destination", "500 1 times, middle chunk"),
    ),
    Bug(
        "an answer that nobody understands is a yes",
        "integrations/reply.py",
        'raise Ambiguous("bad_answer", message) from None',
        "return ()",
        *("destination", "HTML, middle chunk"),
    ),
    Bug(
        "rows that were refused together count as delivered",
        "batch/delivery.py",
        "await self._commits.put(_whole(chunk, tally, Outcome.REJECTED, refusal.code, refusal.message))",
        "await self._commits.put(_closed(chunk, tally, Outcome.DELIVERED))",
        *("destination", "400 for the places [0, 3], middle chunk"),
    ),
    Bug(
        "redirects are followed",
        "batch/http.py",
        "allow_redirects=False",
        "allow_redirects=True",
        *("destination", "307, middle chunk"),
    ),
    Bug(
        "any certificate will do",
        "batch/http.py",
        "            timeout=timeout,\n",
        "            timeout=timeout,\n            ssl=False,\n",
        *("destination", "nobody known vouches for the certificate, first"),
    ),
    Bug(
        "refused credentials do not stop the others",
        "batch/delivery.py",
        "            self._lane.stop(error.code, error.message)\n        log",
        "            pass\n        log",
        *("destination", "401, middle chunk"),
    ),
    Bug(
        "cells beyond the header are cut off",
        "batch/reading/delimited.py",
        "    good = layout.fields == width\n",
        "    good = layout.fields >= width\n",
        *("files", "an extra delimiter, row 4, column 3"),
    ),
    Bug(
        "of a key that stands twice the last counts",
        "batch/reading/strict.py",
        "    if len(found) < len(pairs):\n",
        "    if False:\n",
        *("files", """{"a":1,"a":1}' in line 40"""),
    ),
    Bug(
        "a compressed file that is cut off is used as far as it goes",
        "batch/reading/compression.py",
        "    if engine is not None:\n",
        "    if False:\n",
        *("files", "files: compressed: gz, cut off"),
    ),
    Bug(
        "a time that the clock skips comes too late",
        "config/cron.py",
        "        while local.astimezone(UTC)",
        "        while False and local.astimezone(UTC)",
        *("clocks", "three years of a cron line: 30 2 * * * Europe/Stockholm"),
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
    compile(mistaken := text.replace(bug.old, bug.new), bug.file, "exec")  # it is to be found by what it does
    file.write_text(mistaken, "utf-8")
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
