"""`flatdrop serve` in a process of its own, and many callers at once who do not give up."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields
from http.client import HTTPConnection, HTTPException, RemoteDisconnected
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select
from support.client import Client, Wire
from support.installation import KEY, SECRET_KEY, Installation

from api.credential import Credential
from api.issuing import issue
from api.vault import Vault
from batch import database, tables
from batch.packets import Packet
from batch.runtime import Runtime
from batch.taking import Offer, Taker

_ADDRESS = re.compile(r"listening on (http://\S+);")
_SENTENCES = re.compile(r"listening on http://|stopping: what is in flight|\S+ has no schedule: ")
_SIGNING = threading.Lock()  # the clock that signatures are made by is one for all threads


class Server:
    """A server: its address, once it listens, and what it says on stderr, which stands in a file."""

    def __init__(self, it: Installation, lease: float | None = 1, env: Mapping[str, str] | None = None) -> None:
        self._said = it.home / "stderr.txt"
        with self._said.open("w") as err:
            self.process: subprocess.Popen[str] = it.flatdrop("serve", lease=lease, stderr=err, env=env)

    @property
    def said(self) -> str:
        return self._said.read_text("utf-8")

    def listening(self, seconds: float = 60) -> Server:
        """Wait until it listens."""
        until(lambda: _ADDRESS.search(self.said) or self.process.poll() is not None, seconds)
        assert self.process.poll() is None, self.said
        return self

    @property
    def base(self) -> str:
        found = _ADDRESS.search(self.said)
        assert found is not None
        return found[1]

    def children(self) -> tuple[int, int]:
        """The processes that hear requests and that take records."""
        (front,) = _spawned(self.process.pid)
        (clerk,) = _spawned(front)
        return front, clerk

    def kill(self) -> None:
        """Kill it where it stands."""
        self.process.kill()
        self.process.communicate()

    def stop(self, seconds: float = 30) -> int:
        """Tell it to stop, and return its exit code; nothing but its log may stand on stderr."""
        self.process.send_signal(signal.SIGTERM)
        return self.ended(seconds)

    def ended(self, seconds: float = 30) -> int:
        """Wait for its end, and return its exit code."""
        self.process.communicate(timeout=seconds)
        for line in self.said.splitlines():
            assert _SENTENCES.match(line) or isinstance(json.loads(line), dict), line
        return self.process.returncode


@contextmanager
def server(it: Installation, lease: float | None = 1, env: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run a server while the block lasts."""
    found = Server(it, lease, env)
    try:
        yield found.listening()
    finally:
        found.kill()


def _spawned(parent: int) -> list[int]:
    children = Path(f"/proc/{parent}/task/{parent}/children")
    tasks = children.parent.parent.glob("*/children")  # a child belongs to the thread that made it
    pids = [int(pid) for task in tasks for pid in task.read_text().split()]
    return [pid for pid in pids if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def key_for(it: Installation, *groups: str) -> Credential:
    """Make a key, as an operator does."""
    with it.opened() as runtime:
        return issue(runtime.ledger, Vault(SECRET_KEY), groups or [KEY])


def until(true: Callable[[], object], seconds: float = 30) -> None:
    """Wait until something is true."""
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.01)


@dataclass
class Crowd:
    """Callers who each send one record after the other, and each record again and again until it is acknowledged.

    `acknowledged` has the id of each record's answer, by the number that is the record's own `id`.
    """

    credential: Credential
    callers: int = 16
    base: str = ""
    acknowledged: dict[int, str] = field(default_factory=dict)
    tries: int = 0
    broken: list[str] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _hopeless: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Crowd:
        self._threads = [threading.Thread(target=self._call, args=[number]) for number in range(self.callers)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        """Wait until every record that was begun is acknowledged."""
        self._over.set()
        if failed:
            self._hopeless.set()
        for thread in self._threads:
            thread.join()

    def _call(self, caller: int) -> None:
        connection = HTTPConnection(urlsplit(self.base).netloc, timeout=20)
        numbers = count(caller * 1_000_000)
        while not self._over.is_set():
            number, base = next(numbers), self.base
            while not self._hopeless.is_set() and not self._acknowledged(connection, base, number):
                connection.close()
                time.sleep(0.02)
                base = self.base
                connection = HTTPConnection(urlsplit(base).netloc, timeout=20)
        connection.close()

    def _acknowledged(self, connection: HTTPConnection, base: str, number: int) -> bool:
        self.tries += 1
        try:
            return self._sent(connection, base, number)
        except (RemoteDisconnected, ConnectionError, TimeoutError):  # no answer at all
            return False
        except HTTPException as error:  # a part of one
            self.broken.append(repr(error))
            return False

    def _sent(self, connection: HTTPConnection, base: str, number: int) -> bool:
        with _SIGNING:
            wire = record(Client(base, self.credential), number)
        connection.putrequest(wire.method, wire.target, skip_host=True, skip_accept_encoding=True)
        for name, value in wire.headers:
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(wire.body)))
        connection.endheaders(wire.body)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status in (202, 503), body
        if answer.status == 202:
            self.acknowledged[number] = json.loads(body)["record_id"]
        return answer.status == 202


def person(number: int, **more: object) -> dict[str, Any]:
    """Return the record of a number."""
    return {"id": str(number), "email": f"p{number}@example.com", **more}


def take(runtime: Runtime, *records: Mapping[str, Any], key: str = KEY) -> list[str]:
    """Take records together, as the API does with what comes at the same time, and return their ids."""
    taker = Taker(runtime.ledger.packets, runtime.zone, runtime.groups)
    results = taker.take([Offer(key, json.dumps(record).encode(), {}, b"") for record in records])
    assert all(isinstance(result, str) for result in results), results
    return [str(result) for result in results]


def record(client: Client, number: int, group: str = KEY, **headers: str) -> Wire:
    """Sign the record of a number, under the idempotency key that is always its own."""
    return client.record(person(number), group, {"Idempotency-Key": f"n-{number}", **headers})


def taken(it: Installation) -> dict[str, int]:
    """Return the number of every record that the ledger knows as taken, by the record's id."""
    with it.opened() as runtime, database.read(runtime.ledger._engine) as connection:
        packets = [
            Packet(*row) for row in connection.execute(select(*(tables.packets.c[one.name] for one in fields(Packet))))
        ]
    found: dict[str, int] = {}
    for packet in packets:
        lines = it.zone.read(packet.file).splitlines()
        assert len(lines) == packet.rows
        found |= {packet.record_id(row): int(json.loads(line)["id"]) for row, line in enumerate(lines, start=1)}
    return found


def drops(it: Installation, group: str = KEY) -> list[Path]:
    """Return the small drops that lie in a drop zone in a folder, counted or not."""
    with suppress(FileNotFoundError):
        return sorted((it.home / "drop" / group / "_records").rglob("*.jsonl"))
    return []
