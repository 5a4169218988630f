"""Waiting for an outcome, when the ledger goes away meanwhile or the server is told to stop: the record is taken."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.client import Client
from support.destination import HANG, Answer, Destination, destination
from support.installation import KEY, SECRET_KEY, made, to
from support.served import served

from api.issuing import issue
from api.vault import Vault
from batch.errors import LedgerError

RECORD = {"id": 1, "email": "a@example.com"}


@pytest.fixture
def there() -> Iterator[Destination]:
    with destination() as there:
        yield there


def test_a_record_is_taken_though_nobody_can_say_what_became_of_it(
    tmp_path: Path, there: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object) -> None:
        raise LedgerError("down")

    with served(made(tmp_path, hook=to(there.base))) as server:
        client = server.client(KEY)
        monkeypatch.setattr(server.runtime.ledger.packets, "find", down)
        said = client.post(RECORD, headers={"Prefer": "wait=1", "Idempotency-Key": "k"})
        assert (said.status, said.json["status"]) == (202, "accepted")
        monkeypatch.undo()
        assert client.post(RECORD, headers={"Idempotency-Key": "k"}).record == said.record


def test_a_server_that_is_told_to_stop_answers_those_who_wait(tmp_path: Path, there: Destination) -> None:
    it = made(tmp_path, hook=to(there.base))
    there.script(HANG, then=Answer())
    with it.opened() as runtime:
        credential = issue(runtime.ledger, Vault(SECRET_KEY), [KEY])
    process = it.flatdrop("serve")
    assert process.stderr is not None
    line = next(line for line in process.stderr if "listening on" in line)
    client, said = Client(line.split()[2].rstrip(";"), credential), []
    caller = threading.Thread(target=lambda: said.append(client.post(RECORD, headers={"Prefer": "wait=60"})))
    caller.start()
    there.wait_for(1)
    process.send_signal(signal.SIGTERM)
    caller.join(50)
    (answer,) = said
    assert (answer.status, answer.json["status"]) == (202, "running")
    assert answer.headers["preference-applied"] == "wait=60"
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in err) == (0, False)
    requests = [json.loads(line) for line in err.splitlines() if '"event":"request"' in line]
    assert [one["status"] for one in requests] == [202]
