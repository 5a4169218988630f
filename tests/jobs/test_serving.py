"""Serving: scheduled runs, what an earlier process left, refusals to start, a clean stop."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.destination import Answer, Destination, destination
from support.installation import KEY, SECRET_KEY, Installation, counts, made, people, to
from support.server import key_for, person, take

from batch.batch import State
from jobs import serving
from jobs.serving import serve

FILE = f"{KEY}/a.csv"
YEARLY = {"cron": "0 0 1 1 *", "timezone": "UTC"}


@pytest.fixture
def there() -> Iterator[Destination]:
    with destination() as there:
        yield there


def until(true: Callable[[], object], seconds: float = 20) -> None:
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.02)


def installed(home: Path, there: Destination, **settings: int) -> Installation:
    it = made(home, hook=to(there.base, settings=settings))
    it.schedule = YEARLY
    it.write()
    return it


def served(it: Installation, until_then: Callable[[], object]) -> None:
    """Serve in this process until something is true, and stop."""
    with it.opened() as runtime:
        thread = threading.Thread(target=serve, args=[runtime])
        thread.start()
        try:
            until(until_then)
        finally:
            runtime.stopping.set()
            thread.join(20)
    assert not thread.is_alive()


def test_a_run_that_was_missed_is_caught_up(tmp_path: Path, there: Destination) -> None:
    it = installed(tmp_path, there)
    it.drop(FILE, people(3))
    with it.opened() as runtime:
        runtime.ledger.fired(KEY, datetime.now(UTC) - timedelta(days=800))
    served(it, lambda: there.calls)
    assert there.rows() == ["1", "2", "3"]
    with it.opened() as runtime:
        assert [batch.state for batch in runtime.ledger.batches()] == [State.DELIVERED]


def test_new_drops_wait_for_their_time_and_begun_ones_do_not(tmp_path: Path, there: Destination) -> None:
    it = installed(tmp_path, there)
    it.drop(FILE, people(2))
    with it.opened() as runtime:
        (drop,) = it.zone.listing(KEY).drops
        runtime.ledger.add(drop, KEY)  # a process before this one had queued it
    it.drop(f"{KEY}/b.csv", people(2, 100))
    served(it, lambda: there.calls)
    assert there.rows() == ["1", "2"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_stop_sees_through_what_is_in_flight_and_ends_well(
    tmp_path: Path, there: Destination, number: signal.Signals
) -> None:
    it = installed(tmp_path, there, batch_size=1, in_flight=2)
    it.drop(FILE, people(100))
    with it.opened() as runtime:
        runtime.ledger.fired(KEY, datetime.now(UTC) - timedelta(days=800))
    there.script(then=Answer(after=0.2))
    process = it.flatdrop("serve")
    there.wait_for(3)
    process.send_signal(number)
    started = time.monotonic()
    _, err = process.communicate(timeout=20)
    assert (process.returncode, time.monotonic() - started < 3) == (0, True)
    assert "stopping" in err
    assert "Traceback" not in err
    there.script()
    assert counts(it.one(), "hook") == {"delivered": 100}
    assert len(there.calls) == 100


@pytest.mark.parametrize("seconds", [0.8, 1.3, 1.8])
def test_a_ctrl_c_goes_to_every_process_and_none_has_more_to_say_than_that_it_stops(
    tmp_path: Path, there: Destination, seconds: float
) -> None:
    it = installed(tmp_path, there)
    process = it.flatdrop("serve", start_new_session=True)
    time.sleep(seconds)  # perhaps it only just begins
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=20)
    begun = "listening" in err
    assert process.returncode in ((0,) if begun else (0, -signal.SIGINT, 130, 1))
    assert not begun or "Traceback" not in err, err


def test_an_idle_server_stops_at_once(tmp_path: Path, there: Destination) -> None:
    it = installed(tmp_path, there)
    process = it.flatdrop("serve")
    assert process.stderr is not None
    while "SIGTERM or Ctrl-C stops" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGTERM)
    started = time.monotonic()
    process.communicate(timeout=20)
    assert (process.returncode, time.monotonic() - started < 10) == (0, True)


def test_a_group_that_cannot_be_run_says_why(tmp_path: Path, there: Destination) -> None:
    it = installed(tmp_path, there)
    with it.opened() as runtime, capture_logs() as lines:
        for secret in tmp_path.rglob("*.secret"):
            secret.unlink()
        serving._run(runtime, KEY)
    (line,) = [line for line in lines if line["event"] == "problem"]
    assert line["text"].startswith(f"{KEY}: ")
    assert "cannot be read" in line["text"]


# --- refusals to start


def refused(it: Installation) -> str:
    """Return what a server says that does not start."""
    process = it.flatdrop("serve")
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (2, "")
    assert "Traceback" not in err
    (sentence,) = [line for line in err.splitlines() if "has no schedule" not in line]
    return sentence


def test_a_server_without_the_secret_key_does_not_start(tmp_path: Path, there: Destination) -> None:
    it = installed(tmp_path, there)
    (tmp_path / "secrets" / "flatdrop.key").unlink()
    assert "api.secret_key" in refused(it)


def test_a_server_with_another_secret_key_than_its_keys_does_not_start(tmp_path: Path, there: Destination) -> None:
    it = installed(tmp_path, there)
    credential = key_for(it)
    (tmp_path / "secrets" / "flatdrop.key").write_text(SECRET_KEY.replace("bWFkZS", "YW5vdGhl"[:6]))
    sentence = refused(it)
    assert "is not the key that the API keys' secrets were encrypted with" in sentence
    assert credential.id in sentence


def test_a_server_whose_port_is_taken_does_not_start_and_delivers_nothing(tmp_path: Path, there: Destination) -> None:
    it = installed(tmp_path, there)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        it.api["port"] = port
        it.write()
        with it.opened() as runtime:
            take(runtime, person(1))
        assert f"cannot listen on 127.0.0.1:{port}" in refused(it)
    assert there.calls == []
