from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from batch.errors import LedgerError
from batch.keys import Key
from batch.ledger import Ledger

pytest_plugins = ("support.ledgers",)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_a_key_is_kept_as_it_was_added(ledger: Ledger) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    added = ledger.keys.add("FD1", b"\0\xff\x01", "Åhléns", ("abc", "å-2"))
    assert added == Key("FD1", b"\0\xff\x01", "Åhléns", ("abc", "å-2"), added.created_at)
    assert before <= added.created_at <= datetime.now(UTC) + timedelta(seconds=1)
    assert ledger.keys.every() == [added]
    assert added.created_at.utcoffset() == timedelta(0)


def test_keys_are_listed_oldest_first_and_the_revoked_ones_too(ledger: Ledger) -> None:
    assert ledger.keys.every() == []
    added = [ledger.keys.add(key_id, b"x", None, ("abc",)) for key_id in ("FD3", "FD1", "FD2")]
    assert ledger.keys.revoke("FD1")
    assert [key.id for key in ledger.keys.every()] == [key.id for key in added]
    assert [key.revoked_at is None for key in ledger.keys.every()] == [True, False, True]


def test_no_id_is_given_twice(ledger: Ledger) -> None:
    first = ledger.keys.add("FD1", b"x", None, ("abc",))
    with pytest.raises(LedgerError):
        ledger.keys.add("FD1", b"y", None, ("abc2",))
    assert ledger.keys.every() == [first]


def test_the_first_revocation_stands(ledger: Ledger) -> None:
    ledger.keys.add("FD1", b"x", None, ("abc",))
    assert ledger.keys.revoke("FD1")
    (revoked,) = ledger.keys.every()
    assert revoked.revoked_at is not None
    assert revoked.revoked_at >= revoked.created_at
    assert ledger.keys.revoke("FD1")
    assert ledger.keys.every() == [revoked]


def test_what_is_not_there_is_not_revoked(ledger: Ledger) -> None:
    ledger.keys.add("FD1", b"x", None, ("abc",))
    assert not ledger.keys.revoke("FD2")
    assert not ledger.keys.revoke("fd1")
    assert [key.revoked_at for key in ledger.keys.every()] == [None]


def test_uses_are_noted_and_the_latest_stands(ledger: Ledger) -> None:
    keys = [ledger.keys.add(key_id, b"x", None, ("abc",)) for key_id in ("FD1", "FD2", "FD3")]
    later = NOON + timedelta(minutes=5)
    ledger.keys.used({"FD1": NOON, "FD2": later})
    ledger.keys.used({"FD1": later, "FD2": NOON, "FD9": NOON})  # of another process, and of a key that is none
    assert ledger.keys.every() == [
        replace(keys[0], last_used_at=later),
        replace(keys[1], last_used_at=later),
        keys[2],
    ]
    ledger.keys.used({})
    assert ledger.keys.every()[2] == keys[2]


def test_a_use_in_any_zone_is_the_same_moment(ledger: Ledger) -> None:
    ledger.keys.add("FD1", b"x", None, ("abc",))
    ledger.keys.used({"FD1": (NOON + timedelta(hours=1)).astimezone(timezone(timedelta(hours=-8)))})
    ledger.keys.used({"FD1": NOON.astimezone(timezone(timedelta(hours=9)))})
    assert [key.last_used_at for key in ledger.keys.every()] == [NOON + timedelta(hours=1)]


def test_many_at_once(ledger: Ledger) -> None:
    ledger.keys.add("FD1", b"x", None, ("abc",))
    works: list[Callable[[], object]] = []
    for n in range(10):
        works += [
            lambda n=n: ledger.keys.add(f"NEW{n}", b"x", None, ("abc",)),  # type: ignore[misc]
            lambda n=n: ledger.keys.used({"FD1": NOON + timedelta(seconds=n)}),  # type: ignore[misc]
            lambda: ledger.keys.revoke("FD1"),
        ]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda work: work(), works))
    every = {key.id: key for key in ledger.keys.every()}
    assert len(every) == 11
    assert every["FD1"].last_used_at == NOON + timedelta(seconds=9)
    assert every["FD1"].revoked_at is not None
