"""The whole matrix, and its table: python -m torture [FAMILY ...] [--seed N], with `.` and `tests` on PYTHONPATH."""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

from support import ledgers

from torture.bugs import BUGS, Bug, seeded
from torture.trial import End, Trial

FAMILIES = ("kills",)
"""Modules with a function `trials(seed)`."""

_AT_ONCE = 2
_SUMS = ("struck", "lost", "undeclared", "declared", "stuck", "breaks", "wrong")


def main(families: Iterable[str], seed: int) -> None:
    """Run everything, and print what came of it; end with 1 when anything was lost, doubled unsaid, stuck or wrong."""
    began = time.monotonic()
    good = True
    print("".join([f"{f'seed {seed}':<52}{'runs':>8}", *(f"{what:>12}" for what in _SUMS)]), flush=True)
    with ledgers.server() as postgres, tempfile.TemporaryDirectory() as folder:
        for family in families:
            trials = importlib.import_module(f"torture.{family}").trials(seed)
            for line, ends in run(trials, Path(folder), postgres).items():
                tell(line, ends)
                good &= all(end.good for end in ends)
        caught = [found(bug, Path(folder) / uuid.uuid4().hex) for bug in BUGS]
    print(f"seeded bugs: {sum(caught)} of {len(BUGS)} caught; in {(time.monotonic() - began) / 60:.0f} minutes")
    sys.exit(not (good and all(caught)))


def run(trials: Iterable[Trial], folder: Path, postgres: str) -> dict[str, list[End]]:
    """Run the trials, a few at once, and return their ends by line; what did not end well is told at once."""
    ends = defaultdict(list)

    def one(trial: Trial) -> tuple[Trial, End]:
        home = folder / uuid.uuid4().hex
        sqlite = nullcontext(f"sqlite:///{home / 'ledger.db'}")
        try:
            with sqlite if trial.ledger == "sqlite" else ledgers.schema(postgres) as url:
                return trial, trial.run(home, url)
        except Exception as error:  # noqa: BLE001 - one that cannot be told is one that is stuck
            print(f"{trial}: {error!r}", flush=True)
            return trial, End(struck=False, stuck=1)

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for trial, end in threads.map(one, trials):
            ends[trial.line].append(end)
            if not end.good:
                print(f"{trial}: {end}", flush=True)
    return ends


def found(bug: Bug, folder: Path) -> bool:
    """Say whether a seeded bug shows, and tell of it if not."""
    end = seeded(bug, folder)
    if end.good:
        print(f"not caught: {bug.name}", flush=True)
    return not end.good


def tell(line: str, ends: list[End]) -> None:
    """Print a line of sums."""
    sums = (sum(getattr(end, what) for end in ends) for what in _SUMS)
    print("".join([f"{line:<52}{len(ends):>8}", *(f"{count:>12}" for count in sums)]), flush=True)


if __name__ == "__main__":
    words = argparse.ArgumentParser(prog="python -m torture")
    words.add_argument("families", nargs="*", default=FAMILIES, choices=(*FAMILIES, []), metavar="FAMILY")
    words.add_argument("--seed", type=int, default=20261123)
    given = words.parse_args()
    main(given.families or FAMILIES, given.seed)
