"""Records while a server runs: delivered at once, waited for, and forgotten by the process when they are done."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.client import Client, at_once
from support.destination import Answer, Destination, destination
from support.installation import KEY, made, to
from support.served import served
from support.server import key_for, person, server, take, until

from api.accesslog import AccessLog
from api.gate import Gate
from api.intake import Intake
from api.keyring import Keyring
from api.settling import Settling
from batch.batch import State
from jobs.courier import Courier, _Way


@pytest.fixture
def there() -> Iterator[Destination]:
    with destination() as there:
        yield there


def test_records_that_wait_at_the_start_are_delivered_within_a_few_seconds(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base))
    with it.opened() as runtime:
        for number in range(3):
            take(runtime, person(number))
        left = runtime.ledger.packets.due(KEY)  # as one that was gathered, and not begun
        assert left is not None
        take(runtime, person(3))
    with server(it, lease=None) as one:
        there.wait_for(2)
        assert one.stop() == 0
    assert there.rows() == ["0", "1", "2", "3"]
    with it.opened() as runtime:
        assert {batch.state for batch in runtime.ledger.batches()} == {State.DELIVERED}


def test_who_waits_is_told_what_became_of_the_record(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base, settings={"batch_size": 1}))
    there.script(then=lambda call: Answer.json({"errors": [{"index": 0}]} if call.records[0]["id"] == "2" else {}))
    credential = key_for(it)
    with server(it, lease=None) as one:
        client = Client(one.base, credential)
        good, bad = (client.post(person(number), headers={"Prefer": "wait=30"}) for number in (1, 2))
        assert one.stop() == 0
    assert (good.status, good.json["status"], good.headers["preference-applied"]) == (200, "delivered", "wait=30")
    assert good.json["integrations"]["hook"] == {"outcome": "delivered", "code": None, "message": None}
    assert (bad.status, bad.json["status"], bad.json["integrations"]["hook"]["outcome"]) == (200, "partial", "rejected")


def test_who_waits_in_vain_is_told_how_far_it_is_and_can_ask_later(tmp_path: Path, there: Destination) -> None:
    there.script(Answer(after=4))
    it = made(tmp_path, hook=to(there.base))
    credential = key_for(it)
    with server(it, lease=None) as one:
        client = Client(one.base, credential)
        answer = client.post(person(1), headers={"Prefer": "wait=1"})
        assert (answer.status, answer.headers["preference-applied"]) == (202, "wait=1")
        assert answer.json["status"] in {"accepted", "running"}
        path = f"/v1/records/{answer.record}"
        until(lambda: client.get(path).json["status"] == "delivered")
        assert one.stop() == 0


def test_who_waits_is_told_when_the_server_is_told_to_stop(tmp_path: Path, there: Destination) -> None:
    there.script(Answer(after=1))
    it = made(tmp_path, hook=to(there.base))
    credential = key_for(it)
    with server(it, lease=None) as one, ThreadPoolExecutor(1) as pool:
        waits = pool.submit(Client(one.base, credential).post, person(1), headers={"Prefer": "wait=60"})
        there.wait_for(1)
        assert one.stop(10) == 0
        assert waits.result().status == 202
        assert waits.result().json["status"] in {"accepted", "running"}
    it.run()
    assert there.rows() == ["1"]


def test_who_waits_at_one_process_is_told_what_another_delivered(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base))
    with served(it) as api, ThreadPoolExecutor(1) as pool:  # it has no courier
        waits = pool.submit(api.client(KEY).post, person(1), headers={"Prefer": "wait=60"})
        until(api.runtime.ledger.packets.waiting)
        process = it.flatdrop("run")
        assert waits.result().status == 200
        assert waits.result().json["status"] == "delivered"
        process.communicate()


def test_thousands_of_records_leave_no_threads_and_nothing_in_memory(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base))
    with served(it, delivers=True) as api:
        client = api.client(KEY)
        post(client, range(200))
        threads, sizes = threading.active_count(), held()
        post(client, range(200, 2200))
        until(lambda: len(there.rows()) == 2200, 60)
        assert threading.active_count() <= threads + 4  # a pool may not have been full
        until(lambda: all(size <= sizes.get(name, 0) for name, size in held().items()))
        assert len(sizes) > 8
    until(lambda: not any(thread.name.startswith(("courier", "api", "intake")) for thread in threading.enumerate()))


def post(client: Client, numbers: range) -> None:
    wires = [client.record(person(n), headers={"Idempotency-Key": f"n{n}", **WAITS[n % 50 == 0]}) for n in numbers]
    assert {answer.status for answer in at_once(wires, client.base)} <= {200, 202}


WAITS = ({}, {"Prefer": "wait=20"})


def held() -> dict[str, int]:
    """Return how much every long-lived object of the API and the courier holds, by what holds it."""
    gc.collect()
    found: dict[str, int] = {}
    for thing in gc.get_objects():
        if isinstance(thing, Settling | Intake | Gate | Keyring | AccessLog | Courier | _Way):
            names = thing.__slots__ if isinstance(thing, Gate | _Way) else vars(thing)
            sized = {name: value for name in names if isinstance(value := getattr(thing, name), dict | set | list)}
            found |= {f"{type(thing).__name__}.{name}": len(value) for name, value in sized.items()}
    return found
