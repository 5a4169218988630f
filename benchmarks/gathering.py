"""What it saves to make one batch of many small drops: python -m benchmarks.gathering [DROPS].

Each drop holds one record that the API took. They are delivered to a sink, first each as a batch of its own, then
together; the figures are milliseconds a drop, from waiting to closed.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from api.envelope import opened as unwrapped
from batch.pipeline import process
from batch.runtime import Runtime
from batch.taking import Offer, Taker
from benchmarks import data, signed
from benchmarks.million import Sink
from jobs.opening import opened, owner


@contextmanager
def _installed() -> Iterator[Runtime]:
    folder, sink = Path(tempfile.mkdtemp(prefix="flatdrop-bench-")), Sink()
    try:
        (folder / "groups").mkdir()
        (folder / "drop").mkdir()
        (folder / "secret").write_text("whsec_" + "c2VjcmV0" * 4)
        (folder / "flatdrop.yaml").write_text("drop_zone: drop\n")
        (folder / "groups" / "bench.yaml").write_text(data.group(sink.url))
        with opened(folder) as runtime:
            yield runtime
    finally:
        sink.stop()
        shutil.rmtree(folder)


def _taken(runtime: Runtime, numbers: range) -> None:
    taker = Taker(runtime.ledger.packets, runtime.zone, runtime.groups)
    for number in numbers:
        body = signed.record(number)
        name = hashlib.sha256(body).digest()
        taker.take([Offer("bench", unwrapped(body).line, {name: int(time.time()) + 300}, name)])


def _delivered(runtime: Runtime) -> float:
    """Deliver what waits as one batch, and return the seconds that it took."""
    began = time.perf_counter()
    batch = runtime.ledger.packets.gather("bench")
    claim = batch and runtime.ledger.claim(batch.id, owner())
    if claim is None or process(runtime, claim) is None:
        raise SystemExit("nothing was delivered")
    return time.perf_counter() - began


def main(drops: int) -> None:
    """Measure and print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with _installed() as runtime:
        alone = 0.0
        for number in range(drops):
            _taken(runtime, range(number, number + 1))
            alone += _delivered(runtime)
        _taken(runtime, range(drops, 2 * drops))
        together = _delivered(runtime)
    print(f"each its own batch {alone / drops * 1e3:7.2f} ms a drop")
    print(f"{drops} together       {together / drops * 1e3:7.2f} ms a drop ({together * 1e3:.0f} ms in all)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
