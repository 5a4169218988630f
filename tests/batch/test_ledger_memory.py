from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from batch.ledger import Ledger

pytest_plugins = ("support.ledgers",)

NIGHT = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Stockholm"))  # an hour that comes twice


def test_a_config_is_kept_under_its_fingerprint(ledger: Ledger) -> None:
    assert ledger.config("f") is None
    ledger.save_config("f", '{"name": "Åhléns"}')
    ledger.save_config("f", '{"name": "Åhléns"}')
    assert ledger.config("f") == '{"name": "Åhléns"}'


def test_a_stray_is_reported_once_a_group(ledger: Ledger) -> None:
    assert ledger.report_once("abc", "abc/readme.txt")
    assert not ledger.report_once("abc", "abc/readme.txt")
    assert ledger.report_once("abc2", "abc/readme.txt")


def test_a_nominal_time_is_taken_once(ledger: Ledger) -> None:
    assert ledger.last_fire("abc", NIGHT) is None
    assert ledger.fired("abc", NIGHT)
    assert not ledger.fired("abc", NIGHT.astimezone(UTC))
    assert ledger.fired("abc2", NIGHT + timedelta(days=1))
    assert ledger.fired("abc", NIGHT - timedelta(days=1))
    assert ledger.last_fire("abc", NIGHT) == NIGHT.astimezone(UTC)
    assert ledger.last_fire("abc", NIGHT - timedelta(seconds=1)) == NIGHT.astimezone(UTC) - timedelta(days=1)
    assert ledger.fired("abc", NIGHT.replace(fold=1))


def test_of_many_at_once_one_takes_a_nominal_time(ledger: Ledger) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: ledger.fired("abc", NIGHT), range(16))) == 1
