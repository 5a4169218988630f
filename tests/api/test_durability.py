"""What was acknowledged is never lost: servers that are killed or stopped under load, wherever they are."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from support.client import Client
from support.destination import Destination, destination
from support.failing import failing
from support.installation import Installation, enabled, identities, made, to
from support.served import until
from support.server import Crowd, Server, drops, key_for, record, server, taken

from batch.receipt import Books, compose
from integrations.sandbox import running

_KILLS = 15
_STOPS = 10


@pytest.fixture
def there() -> Iterator[Destination]:
    with destination() as there:
        yield there


def receipts(it: Installation) -> list[dict[str, Any]]:
    with it.opened() as runtime:
        return [compose(Books.read(runtime.ledger, batch)) for batch in runtime.ledger.batches()]


def brought_home(it: Installation) -> None:
    """Deliver what is still owed; no operator has to do more than that."""
    process = it.flatdrop("run", lease=1)
    _, err = process.communicate(timeout=100)
    assert (process.returncode, "Traceback" in err) == (0, False), err
    assert [receipt for receipt in receipts(it) if receipt["state"] != "delivered"] == []


def expect_all_there(it: Installation, crowd: Crowd, arrived: list[int]) -> None:
    """See that each record is in the ledger once, under the id that its sender was told, and has arrived."""
    known = taken(it)
    assert Counter(known.values()).most_common(1)[0][1] == 1  # no record twice, however often it was tried
    assert {known.get(record) for record in crowd.acknowledged.values()} == set(crowd.acknowledged)
    assert all(known[record] == number for number, record in crowd.acknowledged.items())
    arrivals = Counter(arrived)
    assert set(arrivals) == set(known.values())
    said = sum(receipt["integrations"]["hook"]["possible_duplicates"] for receipt in receipts(it))
    assert sum(n > 1 for n in arrivals.values()) <= said


@pytest.mark.timeout(400)
def test_a_server_killed_at_random_instants_under_load_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    chance = random.Random(20261123)
    with running(tmp_path / "journal") as base:
        it = made(tmp_path, hook=enabled("webhook", base))
        crowd = Crowd(key_for(it))
        one = Server(it).listening()
        crowd.base = one.base
        with crowd:
            for _ in range(_KILLS):
                time.sleep(chance.random())
                one.kill()
                one = Server(it).listening()
                crowd.base = one.base
        assert one.stop() == 0
        brought_home(it)
        expect_all_there(it, crowd, identities(base, "webhook"))
    assert len(crowd.acknowledged) > 200
    assert crowd.tries > len(crowd.acknowledged) + _KILLS  # it was hard


@pytest.mark.timeout(400)
def test_a_server_told_to_stop_under_load_has_kept_every_record_that_it_acknowledged(tmp_path: Path) -> None:
    chance = random.Random(20261124)
    with running(tmp_path / "journal") as base:
        it = made(tmp_path, hook=enabled("webhook", base))
        crowd = Crowd(key_for(it))
        one = Server(it, lease=None).listening()
        crowd.base = one.base
        with crowd:
            for _ in range(_STOPS):
                time.sleep(0.2 + chance.random() / 2)
                assert one.stop(10) == 0
                expect_refused(one.base)
                one = Server(it, lease=None).listening()
                crowd.base = one.base
        assert one.stop(10) == 0
        assert crowd.broken == []  # no answer came in part
        brought_home(it)
        expect_all_there(it, crowd, identities(base, "webhook"))
        assert len(identities(base, "webhook")) == len(set(identities(base, "webhook")))  # nothing was cut off
    assert len(crowd.acknowledged) > 100


def expect_refused(base: str) -> None:
    parts = urlsplit(base)
    with pytest.raises(ConnectionRefusedError), socket.create_connection((str(parts.hostname), parts.port or 0)):
        pass


def test_a_request_that_was_let_in_is_answered_after_the_stop_and_nobody_else_is_let_in(
    tmp_path: Path, there: Destination
) -> None:
    it = made(tmp_path, hook=to(there.base))
    credential = key_for(it)
    with server(it) as one:
        wire = record(Client(one.base, credential), 7)
        head = [f"POST {wire.target} HTTP/1.1", *(f"{name}: {value}" for name, value in wire.headers)]
        begun = "\r\n".join([*head, f"Content-Length: {len(wire.body)}", "", ""]).encode() + wire.body[:10]
        parts = urlsplit(one.base)
        with socket.create_connection((str(parts.hostname), parts.port or 0), timeout=20) as slow:
            slow.sendall(begun)
            time.sleep(0.3)
            one.process.terminate()
            refused_within(one.base, 10)
            assert one.process.poll() is None
            slow.sendall(wire.body[10:])
            answer = slow.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 202 ")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["record_id"] in taken(it)
        assert one.ended(10) == 0
    it.run()
    assert there.rows() == ["7"]


def refused_within(base: str, seconds: float) -> None:
    parts = urlsplit(base)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        try:
            socket.create_connection((str(parts.hostname), parts.port or 0), timeout=5).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.02)
    raise AssertionError("it still lets callers in")


# --- killed at one place

_PLACES = {
    "zone.put.before": (0, 1),
    "zone.put.after": (1, 2),
    "ledger.take.before": (1, 2),  # in the transaction
    "ledger.take.after": (1, 1),
}
"""Where the clerk is killed, with the drops that lie there then, and when the record was sent again."""


@pytest.mark.parametrize("place", _PLACES)
def test_a_clerk_killed_at_a_certain_place_has_the_record_once_when_it_is_sent_again(
    tmp_path: Path, there: Destination, place: str
) -> None:
    it = made(tmp_path, hook=to(there.base))
    credential = key_for(it)
    before, after = _PLACES[place]
    with server(it, env={**os.environ, **failing(f"{place}=kill")}) as one:
        assert record(Client(one.base, credential), 7).to(one.base).status == 503
        assert len(drops(it)) == before
    with server(it) as one:
        answers = [record(Client(one.base, credential), 7).to(one.base) for _ in range(3)]
        there.wait_for(1)
        assert one.stop() == 0
    (again,) = {answer.record for answer in answers}
    assert taken(it) == {again: 7}
    assert len(drops(it)) == after  # one that was never entered is left where it is
    it.run()
    assert there.rows() == ["7"]


def test_a_server_goes_on_when_one_of_its_processes_dies(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base))
    credential = key_for(it)
    with server(it) as one:
        client = Client(one.base, credential)
        for number in range(4):
            assert record(client, number).to(one.base).status == 202
            front, clerk = one.children()
            os.kill(front if number % 2 else clerk, signal.SIGKILL)
            until(lambda: _taken_again(client, one), 30)
        there.wait_for(4)
        assert {json.loads(line).get("event") for line in one.said.splitlines() if line.startswith("{")} >= {
            "clerk.gone",
            "front.gone",
        }
        assert one.stop() == 0


def _taken_again(client: Client, one: Server) -> bool:
    with suppress(OSError):
        return record(client, 99).to(one.base).status == 202
    return False
