"""The whole matrix, and its table, with `.` and `tests` on PYTHONPATH:

python -m torture [FAMILY ...] [--seed N] [--only TEXT]
"""

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
from contextlib import ExitStack, nullcontext
from pathlib import Path

from support import ledgers

from torture.trial import End, Trial

FAMILIES = ("kills", "racing", "databases", "clocks", "disk", "s3", "destination", "files", "bugs")
"""Modules with a function `trials(seed)`."""

_AT_ONCE = 2
_SUMS = ("struck", "lost", "undeclared", "declared", "stuck", "breaks", "wrong")


def main(families: Iterable[str], seed: int, only: str) -> int:
    """Run everything, or what has a text in its name, and print what came of it.

    Returns:
        1 when anything was lost, doubled unsaid, stuck or wrong, 2 when there is nothing of that name, and else 0.
    """
    began, every = time.monotonic(), list[End]()
    print("".join([f"{f'seed {seed}':<52}{'runs':>8}", *(f"{what:>12}" for what in _SUMS)]), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for family in families:
            trials = importlib.import_module(f"torture.{family}").trials(seed)
            for line, ends in run([trial for trial in trials if only in str(trial)], Path(folder)).items():
                tell(line, ends)
                every += ends
    print(f"in {(time.monotonic() - began) / 60:.0f} minutes")
    return 0 if every and all(end.good for end in every) else 1 if every else 2


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
    words.add_argument("--only", metavar="TEXT", default="")
    given = words.parse_args()
    sys.exit(main(given.families or FAMILIES, given.seed, given.only))
