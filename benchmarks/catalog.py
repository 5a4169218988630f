"""Every integration of the catalog: 100,000 records through its stand-in, the whole way.

python -m benchmarks.catalog [ROWS]. The stand-in runs in a process of its own and keeps an fsynced journal; what is
timed is `flatdrop run` from the claim to the receipt, checks, ledger and questions beforehand included.
"""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import structlog

from integrations.catalog import CATALOG
from integrations.integration import Integration
from integrations.sandbox import settings_for
from jobs import run as runs
from jobs.opening import opened

_ROWS = 100_000
_KEY = "bench"


def main(rows: int) -> None:
    """Print a line for each integration as it is done."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    print(f"{'integration':<16}{'seconds':>9}{'rows/s':>10}{'requests':>10}  rows are")
    for one in CATALOG.values():
        with _sandbox() as base, tempfile.TemporaryDirectory() as home:
            _install(Path(home), one, base, rows)
            seconds, receipt = _run(Path(home))
            said = receipt["integrations"]["it"]
            ends = [f"{count:,} {name}" for name, count in said.items() if count and name != "requests"]
            print(f"{one.name:<16}{seconds:>9.1f}{rows / seconds:>10,.0f}{said['requests']:>10,}  {', '.join(ends)}")


@contextmanager
def _sandbox() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from jobs.start import main; main()", "sandbox", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    base = f"http://127.0.0.1:{port}"
    try:
        _until_there(f"{base}/_requests")
        yield base
    finally:
        process.terminate()
        process.wait()


def _until_there(address: str) -> None:
    for _ in range(100):
        try:
            with urlopen(address, timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the sandbox does not answer")


def _install(home: Path, one: Integration, base: str, rows: int) -> None:
    (home / "groups").mkdir()
    (home / "drop" / _KEY).mkdir(parents=True)
    for name, secret in one.sample.credentials.items():
        (home / name).write_text(secret)
    required = {field.name: "id" for field in one.fields if field.required}
    mapping = {**required, (one.identity[0] if one.identity else "email"): "email"}
    enabled = {
        "type": one.name,
        "credentials": {name: f"file:{name}" for name in one.sample.credentials},
        "settings": settings_for(one.name, base),
        "mapping": mapping,
    }
    (home / "flatdrop.yaml").write_text("drop_zone: drop\n")
    (home / "groups" / "bench.yaml").write_text(json.dumps({"group_key": _KEY, "integrations": {"it": enabled}}))
    lines = (f"{n},p{n}@example.com\n" for n in range(rows))
    (home / "drop" / _KEY / "people.csv").write_text("id,email\n" + "".join(lines))
    time.sleep(1.1)  # a file that was just written is left alone for a second


def _run(home: Path) -> tuple[float, dict[str, Any]]:
    with opened(home) as runtime:
        begun = time.perf_counter()
        report = runs.run(runtime, [_KEY])
        seconds = time.perf_counter() - begun
    if not report.receipts:
        raise SystemExit(f"nothing was processed: {report.problems}")
    return seconds, report.receipts[0]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else _ROWS)
