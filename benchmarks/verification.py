"""What it costs to verify a signed request: python -m benchmarks.verification prints the median in microseconds."""

from __future__ import annotations

import statistics
import time
from datetime import UTC, datetime

from api.credential import Credential
from api.signature import Verifier
from benchmarks import signed

_REQUESTS = 500  # each one different, as in life; a second's worth at that rate
_ROUNDS = 20
_KEY = Credential("FD0BENCHMARK0BENCHMARK", "not-a-secret", frozenset({"bench"}))
_AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


def microseconds() -> float:
    """Return the median time of one verification, over rounds of requests."""
    verifier = Verifier("eu-north-1", "execute-api", {_KEY.id: _KEY}.get, now=lambda: _AT)
    requests = [signed.request(_KEY, "127.0.0.1:8080", signed.record(number), _AT) for number in range(_REQUESTS)]
    rounds = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        for request in requests:
            verifier.verify(request)
        rounds.append((time.perf_counter() - start) / _REQUESTS * 1e6)
    return statistics.median(rounds)


if __name__ == "__main__":
    print(f"{microseconds():.1f} µs a request")
