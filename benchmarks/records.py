"""Records through the signed endpoint, and in the same run the floor: python -m benchmarks.records [RECORDS].

`flatdrop serve` runs as its users run it: records are checked, written and delivered to a sink while more come. The
floor is a bare Starlette endpoint on the same server, sent the same bytes by the same clients, in turn.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path

from api.credential import Credential
from batch.ledger import Ledger
from benchmarks import data, load, signed
from benchmarks.million import Sink
from benchmarks.verification import microseconds
from config.deployment import Api

_RUNS = 5
_CLIENTS = 64
_WARM_UP = 5000  # requests
_PACE = 5000
_BIN = Path(sys.executable).parent


def main(records: int) -> None:
    """Measure and print."""
    folder, sink = Path(tempfile.mkdtemp(prefix="flatdrop-bench-")), Sink()
    try:
        port, key = _installed(folder, sink.url)
        floors, taken = [], []
        for number in range(_RUNS):
            each = _WARM_UP + records
            requests = _requests(key, port, range(number * each, (number + 1) * each))
            with _process([sys.executable, "-m", "benchmarks.bare", str(port)], port):
                floors.append(_loaded(port, requests))
            with _process([str(_BIN / "flatdrop"), "--config", str(folder), "serve"], port):
                taken.append(_loaded(port, requests))
                seconds = _until_delivered(folder, (number + 1) * each)
            print(f"all {each:,} delivered {seconds:.1f} s after the last was taken", flush=True)
        _tell(floors, taken)
    finally:
        sink.stop()
        shutil.rmtree(folder)


def _loaded(port: int, requests: Sequence[bytes]) -> load.Result:
    """Send all the requests, and return how the server did once it was warm."""
    load.run(port, requests[:_WARM_UP], _CLIENTS)
    return load.run(port, requests[_WARM_UP:], _CLIENTS)


def _installed(folder: Path, url: str) -> tuple[int, Credential]:
    """Make an installation and a key, and return its port with the key."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    (folder / "groups").mkdir()
    (folder / "drop").mkdir()
    (folder / "secret").write_text("whsec_" + "c2VjcmV0" * 4)
    (folder / "key").write_text("c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTI=")
    api = f"api: {{port: {port}, secret_key: file:key, requests_per_second: 1000000}}\n"
    (folder / "flatdrop.yaml").write_text(f"drop_zone: drop\n{api}")
    (folder / "groups" / "bench.yaml").write_text(data.group(url))
    command = [_BIN / "flatdrop", "--config", folder, "keys", "create", "--group", "bench", "--json"]
    made = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return port, Credential(made["access_key_id"], made["secret_access_key"], frozenset({"bench"}))


def _requests(key: Credential, port: int, numbers: range) -> list[bytes]:
    """Sign as callers would who begin now and send so many a second."""
    now, host = datetime.now(UTC), f"127.0.0.1:{port}"
    times = (now + timedelta(seconds=place / _PACE) for place in range(len(numbers)))
    return [
        signed.wire(signed.request(key, host, signed.record(number), at))
        for number, at in zip(numbers, times, strict=True)
    ]


@contextmanager
def _process(command: Sequence[str], port: int) -> Iterator[None]:
    """Run a server while the block lasts."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": str(Path.cwd())})
        try:
            _until_answered(port)
            yield
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read().decode()[-2000:])
            raise
        finally:
            process.terminate()
            process.wait()


def _until_answered(port: int) -> None:
    """Return when a server answers anything at all."""
    for _ in range(200):
        with suppress(OSError), closing(HTTPConnection("127.0.0.1", port)) as knock:
            knock.request("GET", "/healthz")
            knock.getresponse()
            return
        time.sleep(0.05)
    raise SystemExit("no server answers")


def _until_delivered(folder: Path, records: int) -> float:
    """Return the seconds until so many records stand in closed batches."""
    began = time.perf_counter()
    with Ledger.open(f"sqlite:///{folder / 'flatdrop.db'}") as ledger:
        while time.perf_counter() < began + 120:
            if sum(batch.rows_read or 0 for batch in ledger.batches() if batch.state == "delivered") == records:
                return time.perf_counter() - began
            time.sleep(0.05)
    raise SystemExit("not everything was delivered")


def _tell(floors: Sequence[load.Result], taken: Sequence[load.Result]) -> None:
    for name, results in (("bare Starlette", floors), ("flatdrop", taken)):
        rate = statistics.median(result.rate for result in results)
        middle, late = (statistics.median(result.wait(share) for result in results) * 1e3 for share in (0.5, 0.99))
        print(f"{name:<15} {rate:8,.0f} records/s  median {middle:6.1f} ms  99th percentile {late:6.1f} ms")
    ratios = [own.rate / floor.rate for own, floor in zip(taken, floors, strict=True)]
    each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    late = statistics.median(result.wait(0.99) for result in taken) / Api().window
    print(f"ratio     {statistics.median(ratios):.2f} of the floor (each run: {each}); {_CLIENTS} clients")
    print(f"99th percentile is {late:.1f} times the commit window of {Api().window * 1e3:.0f} ms")
    print(f"verification alone: {microseconds():.1f} µs a request")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30_000)
