"""A million rows through the whole product, and in the same run the floor: python -m benchmarks.million [ROWS].

Both are whole processes, started in turn, with the file in the page cache and the sink a process of its own; the
figures are medians of wall seconds and the largest peak of memory.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import data

_RUNS = 5
_BIN = Path(sys.executable).parent


def measure(command: Sequence[str | Path], folder: Path) -> tuple[float, float, str]:
    """Run a command; return wall seconds, the peak of its memory in MB, and what it printed."""
    started = time.perf_counter()
    with (folder / "out").open("w+") as out:
        process = subprocess.Popen([str(word) for word in command], cwd=folder, stdout=out, stderr=None)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        out.seek(0)
        if os.waitstatus_to_exitcode(status) != 0:
            raise SystemExit(f"{command[0]} failed: {out.read()}")
        return seconds, used.ru_maxrss / 1024, out.read()


class Sink:
    """The sink's process: its address, and what came to it."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "benchmarks.sink"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{self._line().strip()}/"

    def came(self) -> tuple[int, int]:
        """Return the requests and bytes since the last call."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        requests, size = self._line().split()
        return int(requests), int(size)

    def stop(self) -> None:
        """End the process."""
        self._process.communicate()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


def main(rows: int) -> None:
    """Measure and print."""
    folder = Path(tempfile.mkdtemp(prefix="flatdrop-bench-"))
    sink = Sink()
    try:
        data.make(folder / "drop.csv", rows)
        print(f"{rows:,} rows, {(folder / 'drop.csv').stat().st_size / 1e6:.0f} MB", flush=True)
        floors, products = [], []
        for number in range(_RUNS):
            floors.append(_floor(folder, sink.url))
            least = sink.came()[1]
            products.append(_product(folder / f"run{number}", folder / "drop.csv", sink.url, rows))
            sent = sink.came()[1]
            # the same bytes in the same envelopes, but for blocks that end elsewhere
            if abs(sent - least) > 1000:
                raise SystemExit(f"the floor sent {least:,} bytes and flatdrop {sent:,}: they did not do the same")
        _tell("floor", floors, rows)
        _tell("flatdrop", products, rows)
        ratios = [product[0] / floor[0] for floor, product in zip(floors, products, strict=True)]
        each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"ratio     {statistics.median(ratios):.2f} times the floor (each run: {each})")
    finally:
        sink.stop()
        shutil.rmtree(folder)


def _floor(folder: Path, url: str) -> tuple[float, float]:
    command = [sys.executable, "-m", "benchmarks.floor", folder / "drop.csv", url]
    os.environ["PYTHONPATH"] = str(Path.cwd())
    return measure(command, folder)[:2]


def _product(folder: Path, file: Path, url: str, rows: int) -> tuple[float, float]:
    (folder / "groups").mkdir(parents=True)
    (folder / "drop" / "bench").mkdir(parents=True)
    (folder / "secret").write_text("whsec_" + "c2VjcmV0" * 4)
    (folder / "flatdrop.yaml").write_text("drop_zone: drop\n")
    (folder / "groups" / "bench.yaml").write_text(data.group(url))
    drop = folder / "drop" / "bench" / "drop.csv"
    shutil.copy(file, drop)
    os.utime(drop, (0, 0))  # long still, so that nobody waits for a copy to end
    measure([_BIN / "flatdrop", "batches"], folder)  # a nightly run finds its ledger made
    os.sync()  # and its file long on disk: the first commit must not wait for the copy that was made here
    seconds, memory, printed = measure([_BIN / "flatdrop", "run", "--json"], folder)
    (receipt,) = json.loads(printed)
    if receipt["integrations"]["sink"]["delivered"] != rows:
        raise SystemExit(f"not everything was delivered: {receipt}")
    shutil.rmtree(folder)
    return seconds, memory


def _tell(name: str, runs: list[tuple[float, float]], rows: int) -> None:
    seconds = statistics.median(run[0] for run in runs)
    memory = max(run[1] for run in runs)
    print(f"{name:<9} {seconds:6.2f} s  {rows / seconds:9,.0f} rows/s  {memory:5.0f} MB at most")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
