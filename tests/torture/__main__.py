"""The whole matrix, and its table, with `.` and `tests` on PYTHONPATH:

python -m torture [FAMILY ...] [--seed N] [--only TEXT]
"""

from __future__ import annotations

import argparse
import importlib
import logging
import subprocess
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, nullcontext
from pathlib import Path

import structlog
from support import ledgers

from torture.trial import End, Trial

FAMILIES = ("kills", "racing", "databases", "clocks", "disk", "s3", "files", "destination", "bugs")
"""Modules with a function `trials(seed)`; the longest comes first, since the others can keep the second core busy."""

_AT_ONCE = 2
_SUMS = ("struck", "lost", "undeclared", "declared", "stuck", "breaks", "wrong")
_HEAD = "".join([f"{'':<52}{'runs':>8}", *(f"{what:>12}" for what in _SUMS)])


def whole(families: Iterable[str], seed: int, only: str) -> int:
    """Run families in processes of their own, two at once, and print what came of each when it ends.

    Returns:
        1 when anything was lost, doubled unsaid, stuck or wrong, 2 when there is nothing of that name, and else 0.
    """
    began, codes = time.monotonic(), set[int]()

    def each(family: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "torture", family, "--seed", str(seed), "--only", only]
        return subprocess.run(line, stdout=subprocess.PIPE, text=True, check=False)

    print(_HEAD, flush=True)
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for future in as_completed([threads.submit(each, family) for family in families]):
            done = future.result()
            print(done.stdout.replace(f"{_HEAD}\n", ""), end="", flush=True)
            codes.add(done.returncode)
    print(f"seed {seed}; {(time.monotonic() - began) / 60:.0f} minutes")
    return 1 if codes - {0, 2} else 0 if 0 in codes else 2


def family(name: str, seed: int, only: str) -> int:
    """Run the trials of one family that have a text in their name, and print their sums; see `whole`."""
    print(_HEAD, flush=True)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))  # nobody reads it here
    trials = importlib.import_module(f"torture.{name}").trials(seed)
    with tempfile.TemporaryDirectory() as folder:
        found = run([trial for trial in trials if only in str(trial)], Path(folder))
    for line, ends in found.items():
        tell(line, ends)
    good = all(end.good for ends in found.values() for end in ends)
    return (0 if good else 1) if found else 2


def run(trials: list[Trial], folder: Path) -> dict[str, list[End]]:
    """Run the trials, a few at once, and return their ends by line; what did not end well is told at once."""
    ends = defaultdict(list)
    with ExitStack() as stack:
        needs_server = any(trial.ledger != "sqlite" for trial in trials)
        postgres = stack.enter_context(ledgers.server()) if needs_server else ""

        def one(trial: Trial) -> tuple[Trial, End]:
            home = folder / uuid.uuid4().hex
            sqlite = nullcontext(f"sqlite:///{home / 'ledger.db'}")
            try:
                with sqlite if trial.ledger == "sqlite" else ledgers.schema(postgres) as url:
                    return trial, trial.run(home, url)
            except Exception as error:  # noqa: BLE001 - one that cannot be told is one that is stuck
                print(f"{trial}: {error!r}", flush=True)
                return trial, End(struck=False, stuck=1)

        for trial, end in stack.enter_context(ThreadPoolExecutor(_AT_ONCE)).map(one, trials):
            ends[trial.line].append(end)
            if not end.good:
                print(f"{trial}: {end}", flush=True)
    return ends


def tell(line: str, ends: list[End]) -> None:
    """Print a line of sums."""
    sums = (sum(getattr(end, what) for end in ends) for what in _SUMS)
    print("".join([f"{line:<52}{len(ends):>8}", *(f"{count:>12}" for count in sums)]), flush=True)


if __name__ == "__main__":
    words = argparse.ArgumentParser(prog="python -m torture")
    words.add_argument("families", nargs="*", choices=(*FAMILIES, []), metavar="FAMILY")
    words.add_argument("--seed", type=int, default=20261123)
    words.add_argument("--only", metavar="TEXT", default="", help="part of the names of trials")
    given = words.parse_args()
    if len(given.families) == 1:
        sys.exit(family(given.families[0], given.seed, given.only))
    sys.exit(whole(given.families or FAMILIES, given.seed, given.only))
