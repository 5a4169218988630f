"""The keyring follows the ledger, and many callers at once cost it one reading."""

from __future__ import annotations

import asyncio
import base64
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from support.clock import Clock

from api import keyring
from api.issuing import issue
from api.keyring import Keyring
from api.vault import Vault
from batch.errors import LedgerError
from batch.keys import Key
from batch.ledger import Ledger

KEY = base64.b64encode(secrets.token_bytes(32)).decode()


class Counted:
    """The ledger's keys, with a count of readings, which a test may hold up or spoil."""

    def __init__(self, ledger: Ledger) -> None:
        self._keys = ledger.keys
        self.began: list[float] = []
        self.wrote: list[Mapping[str, datetime]] = []
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None

    def every(self) -> list[Key]:
        self.began.append(time.monotonic())
        self.before()
        found = self._keys.every()
        self.after()
        return found

    def used(self, times: Mapping[str, datetime]) -> None:
        self.before()
        self.wrote.append(times)
        self._keys.used(times)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        yield ledger


@pytest.fixture
def vault() -> Vault:
    return Vault(KEY)


@pytest.fixture
def counted(ledger: Ledger) -> Counted:
    return Counted(ledger)


@pytest.fixture
def ring(counted: Counted, vault: Vault) -> Keyring:
    keys: Any = counted
    return Keyring(keys, vault)


def _raise() -> None:
    raise LedgerError("the ledger is gone")


# What it holds


def test_it_is_empty_before_it_is_refreshed(ring: Keyring, ledger: Ledger, vault: Vault) -> None:
    given = issue(ledger, vault, ["abc"])
    assert ring.find(given.id) is None
    ring.refresh()
    assert ring.find(given.id) == given
    assert ring.find("FDNOBODY") is None


def test_new_keys_come_and_revoked_ones_vanish(ring: Keyring, ledger: Ledger, vault: Vault) -> None:
    old = issue(ledger, vault, ["abc"])
    ring.refresh()
    new = issue(ledger, vault, ["abc"])
    assert [ring.find(old.id), ring.find(new.id)] == [old, None]
    ring.refresh()
    assert [ring.find(old.id), ring.find(new.id)] == [old, new]
    ledger.keys.revoke(old.id)
    assert ring.find(old.id) == old
    ring.refresh()
    assert [ring.find(old.id), ring.find(new.id)] == [None, new]


def test_looking_up_reads_nothing(ring: Keyring, counted: Counted, ledger: Ledger, vault: Vault) -> None:
    given = issue(ledger, vault, ["abc"])
    ring.refresh()
    counted.before = _raise
    assert ring.find(given.id) == given


def test_a_secret_is_opened_once(ring: Keyring, ledger: Ledger, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    whole = Vault.decrypt

    def note(vault: Vault, kept: bytes, key_id: str) -> str:
        opened.append(key_id)
        return whole(vault, kept, key_id)

    first = issue(ledger, vault, ["abc"])
    with monkeypatch.context() as patch:
        patch.setattr(Vault, "decrypt", note)
        ring.refresh()
        ring.refresh()
        assert opened == [first.id]
    second = issue(ledger, vault, ["abc"])
    monkeypatch.setattr(Vault, "decrypt", note)
    ring.refresh()
    assert opened == [first.id, second.id]


def test_a_secret_that_cannot_be_opened_is_told_once_and_left_out(ring: Keyring, ledger: Ledger, vault: Vault) -> None:
    given = issue(ledger, vault, ["abc"])
    ledger.keys.add("FDSWAPPED", ledger.keys.every()[0].secret, None, ("abc",))
    ledger.keys.add("FDBROKEN", b"", None, ("abc",))
    with capture_logs() as lines:
        ring.refresh()
        ring.refresh()
    assert [ring.find(key) for key in (given.id, "FDSWAPPED", "FDBROKEN")] == [given, None, None]
    assert sorted((line["log_level"], line["key"]) for line in lines) == [
        ("warning", "FDBROKEN"),
        ("warning", "FDSWAPPED"),
    ]
    assert given.secret not in repr(lines)


def test_a_ledger_that_is_gone_leaves_the_credentials_as_they_are(
    ring: Keyring, counted: Counted, ledger: Ledger, vault: Vault
) -> None:
    given = issue(ledger, vault, ["abc"])
    ring.refresh()
    counted.before = _raise
    with pytest.raises(LedgerError):
        ring.refresh()
    assert ring.find(given.id) == given


def test_a_slow_refresh_does_not_bring_a_revoked_key_back(
    ring: Keyring, counted: Counted, ledger: Ledger, vault: Vault
) -> None:
    given = issue(ledger, vault, ["abc"])
    read, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        counted.after = lambda: None
        read.set()
        go_on.wait(30)

    counted.after = slow
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ring.refresh)
        assert read.wait(30)
        ledger.keys.revoke(given.id)
        second = pool.submit(ring.refresh)
        time.sleep(0.05)  # the second one would be over by now, if it did not wait for the first
        go_on.set()
        first.result(30)
        second.result(30)
    assert ring.find(given.id) is None


# fresh


def test_fifty_callers_share_one_refresh(ring: Keyring, counted: Counted, ledger: Ledger, vault: Vault) -> None:
    ring.refresh()
    given = issue(ledger, vault, ["abc"])

    async def ask() -> list[object]:
        async def one() -> object:
            await ring.fresh()
            return ring.find(given.id)

        return await asyncio.gather(*(one() for _ in range(50)))

    assert asyncio.run(ask()) == [given] * 50
    assert len(counted.began) == 2


def test_who_asks_while_it_reads_waits_for_the_next(
    ring: Keyring, counted: Counted, ledger: Ledger, vault: Vault
) -> None:
    read, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        read.set()
        go_on.wait(30)

    counted.after = slow

    async def ask() -> tuple[object, list[object]]:
        async def one() -> object:
            await ring.fresh()
            return ring.find(given.id)

        early = asyncio.create_task(ring.fresh())
        await asyncio.to_thread(read.wait, 30)
        given = issue(ledger, vault, ["abc"])  # too late for the reading that goes on
        late = [asyncio.create_task(one()) for _ in range(50)]
        await asyncio.sleep(0)
        go_on.set()
        await early
        return ring.find(given.id), [found is not None for found in await asyncio.gather(*late)]

    assert asyncio.run(ask()) == (None, [True] * 50)
    assert len(counted.began) == 2


def test_refreshes_that_are_asked_for_are_apart(ring: Keyring, counted: Counted) -> None:
    clock = Clock()

    async def ask() -> None:
        for _ in range(5):
            await ring.fresh()

    began = clock.now
    clock.run(ask())
    assert len(counted.began) == 5
    assert clock.now - began >= 2


def test_a_refresh_of_the_server_s_own_counts_too(ring: Keyring, counted: Counted) -> None:
    clock = Clock()

    async def ask() -> None:
        ring.refresh()
        await asyncio.sleep(0.01)
        await ring.fresh()

    began = clock.now
    clock.run(ask())
    assert len(counted.began) == 2
    assert clock.now - began >= 0.5


def test_a_caller_that_leaves_takes_nobody_along(ring: Keyring, counted: Counted, ledger: Ledger, vault: Vault) -> None:
    given = issue(ledger, vault, ["abc"])
    go_on = threading.Event()
    counted.before = lambda: bool(go_on.wait(30)) and None

    async def ask() -> None:
        leaving, staying = (asyncio.create_task(ring.fresh()) for _ in range(2))
        await asyncio.sleep(0.01)
        leaving.cancel()
        await asyncio.sleep(0)
        go_on.set()
        await staying
        with pytest.raises(asyncio.CancelledError):
            await leaving

    asyncio.run(ask())
    assert ring.find(given.id) == given
    assert len(counted.began) == 1


def test_a_ledger_that_is_gone_is_told_to_all_and_tried_again(
    ring: Keyring, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "_APART", 0.01)
    counted.before = _raise

    async def ask() -> list[object]:
        found: list[object] = [*await asyncio.gather(*(ring.fresh() for _ in range(10)), return_exceptions=True)]
        counted.before = lambda: None
        await ring.fresh()
        return found

    assert [type(one) for one in asyncio.run(ask())] == [LedgerError] * 10
    assert len(counted.began) == 2


# When keys were used


def test_uses_are_written_together(ring: Keyring, counted: Counted, ledger: Ledger, vault: Vault) -> None:
    used, unused = issue(ledger, vault, ["abc"]), issue(ledger, vault, ["abc"])
    before = datetime.now(UTC)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ring.used, [used.id] * 1000))
    assert counted.wrote == []
    ring.flush()
    assert [list(times) for times in counted.wrote] == [[used.id]]
    times = {key.id: key.last_used_at for key in ledger.keys.every()}
    assert times[unused.id] is None
    assert before <= (times[used.id] or before - timedelta(days=1)) <= datetime.now(UTC)
    ring.flush()
    assert counted.wrote[1:] == [{}]


def test_a_use_that_could_not_be_written_is_written_later(
    ring: Keyring, counted: Counted, ledger: Ledger, vault: Vault
) -> None:
    one, other = issue(ledger, vault, ["abc"]), issue(ledger, vault, ["abc"])
    ring.used(other.id)
    ring.used(one.id)

    def gone() -> None:
        ring.used(other.id)  # while it is being written
        _raise()

    counted.before = gone
    with pytest.raises(LedgerError):
        ring.flush()
    counted.before = lambda: None
    ring.flush()
    (times,) = counted.wrote
    assert times.keys() == {one.id, other.id}
    assert times[other.id] > times[one.id]
