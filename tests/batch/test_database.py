from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, func, select, text
from support.made import a_batch, a_chunk, a_claim

from batch import database, statements, tables
from batch.errors import LedgerError
from batch.ledger import Ledger
from batch.migrations import REVISIONS

pytest_plugins = ("support.ledgers",)


def test_the_migrations_make_the_tables(ledger: Ledger, ledger_url: str) -> None:
    engine = database.connect(ledger_url)
    with engine.connect() as connection:
        options = {"version_table": database.VERSION_TABLE, "compare_type": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), tables.metadata) == []
    engine.dispose()


def test_a_ledger_is_opened_again_with_what_is_in_it(ledger: Ledger, ledger_url: str) -> None:
    batch = a_batch(ledger)
    with Ledger.open(ledger_url) as again:
        assert again.batches() == [batch]


def test_many_threads_may_make_one_ledger(ledger_url: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        for ledger in pool.map(Ledger.open, [ledger_url] * 6):
            assert ledger.batches() == []
            ledger.close()


def test_many_processes_may_make_one_ledger(ledger_url: str) -> None:
    program = (
        "import sys; from batch.ledger import Ledger; print('ready', flush=True); input();"
        "Ledger.open(sys.argv[1]).close()"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, ledger_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate(timeout=60) for process in started] == [("", "")] * 4


def test_one_who_finds_another_at_the_migration_waits(postgres_url: str) -> None:
    engine = create_engine(postgres_url)
    with ThreadPoolExecutor(1) as pool, engine.connect() as other:
        other.execute(select(func.pg_advisory_lock(database._MIGRATION_LOCK)))
        opening = pool.submit(Ledger.open, postgres_url)
        with pytest.raises(TimeoutError):
            opening.result(0.5)
        other.execute(select(func.pg_advisory_unlock(database._MIGRATION_LOCK)))
        opening.result(10).close()
    engine.dispose()


def test_a_newer_ledger_is_left_alone(ledger: Ledger, ledger_url: str) -> None:
    engine = database.connect(ledger_url)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {database.VERSION_TABLE} SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(LedgerError, match=r"newer \(revision 9999\) than this Flatdrop"):
        Ledger.open(ledger_url)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "not a database URL"),
        ("flatdrop.db", "not a database URL"),
        ("postgresql://me:s3cret@host:port/db", "not a database URL"),
        ("mysql://me:s3cret@host/db", "cannot be kept in 'mysql'"),
        ("postgres://me:s3cret@host/db", "write sqlite:///FILE or postgresql"),
        ("postgresql://me:s3cret@s3cret@host/db", "has an @ in its user or password"),
        ("postgresql+psycopg://me:s3cret@127.0.0.1:1/db?connect_timeout=5", "refused"),
        ("postgresql://127.0.0.1:1/db?password=s3cret", "refused"),
        ("postgresql://me:s3cret@/db?host=/no/such/folder", "No such file"),
        ("sqlite://", "has to be a file"),
        ("sqlite:///:memory:", "has to be a file"),
        ("sqlite:////no/such/folder/flatdrop.db", "unable to open database file"),
    ],
)
def test_a_ledger_that_cannot_be_used_says_why_and_no_secret(url: str, reason: str) -> None:
    with pytest.raises(LedgerError) as caught:
        Ledger.open(url)
    assert reason in str(caught.value)
    assert "s3cret" not in f"{caught.value} {caught.value.__cause__}"
    assert "\n" not in str(caught.value)


def test_a_wrong_password_is_not_told(postgres_url: str) -> None:
    url = postgres_url.replace("postgres:@", "nobody:s3cret@")
    assert "s3cret" in url
    with pytest.raises(LedgerError, match='role "nobody" does not exist') as caught:
        Ledger.open(url)
    assert "s3cret" not in str(caught.value)


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_text("name,email\n" * 100)
    with pytest.raises(LedgerError, match="file is not a database"):
        Ledger.open(f"sqlite:///{path}")
    assert path.read_text() == "name,email\n" * 100


def test_a_ledger_that_breaks_later_says_so_without_values(ledger: Ledger, ledger_url: str) -> None:
    engine = database.connect(ledger_url)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE configs"))
    engine.dispose()
    with pytest.raises(LedgerError, match=r"cannot be used: .*configs") as caught:
        ledger.save_config("f", "a value")
    assert "a value" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_lost_connection_is_made_anew(postgres_url: str) -> None:
    with Ledger.open(postgres_url) as ledger:
        batch = a_batch(ledger)
        engine = create_engine(postgres_url)
        with engine.connect() as connection:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'flatdrop'"
            assert any(connection.execute(text(others)))
        engine.dispose()
        assert ledger.batches() == [batch]


@pytest.mark.parametrize("rows", [1, 3])
def test_one_who_stands_still_in_a_transaction_holds_nobody_up(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    with Ledger.open(postgres_url) as ledger, ThreadPoolExecutor(1) as pool:
        batch = a_batch(ledger)
        monkeypatch.setattr(database, "IDLE", 1)
        with Ledger.open(postgres_url) as other, pytest.raises(LedgerError, match="idle-in-transaction"):  # noqa: PT012
            claim = a_claim(other, batch, seconds=0)
            with database.write(other._engine, "a test") as connection:
                statements.fence(connection, claim)
                statements.put_chunks(connection, batch.id, [a_chunk(str(row), row) for row in range(rows)])
                taken = pool.submit(ledger.claim, batch.id, "me").result(10)
        assert taken is not None
        assert list(ledger.chunks(batch.id)) == []


def test_sqlite_survives_a_power_cut_and_lets_readers_be(tmp_path: Path) -> None:
    engine = database.connect(f"sqlite:///{tmp_path / 'ledger.db'}")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        with database.reading(engine) as reader:  # beside an open write transaction
            assert reader.exec_driver_sql("SELECT 1").scalar() == 1
    engine.dispose()


def test_sqlite_waits_for_another_writer(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger.open(f"sqlite:///{path}") as ledger, ThreadPoolExecutor(1) as pool:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        added = pool.submit(a_batch, ledger)
        with pytest.raises(TimeoutError):
            added.result(0.3)
        assert ledger.batches() == []
        other.execute("COMMIT")
        other.close()
        batch = added.result(10)
        assert ledger.batches() == [batch]


def test_what_was_committed_outlives_a_kill(ledger_url: str) -> None:
    program = """
import os, signal, sys
sys.path.insert(0, "tests")
from support.made import a_chunk, a_claim
from batch.ledger import Ledger
from batch.migrations import REVISIONS
ledger = Ledger.open(sys.argv[1])
claim = a_claim(ledger, seconds=0)
ledger.put(claim, [a_chunk("committed", 1)])
from batch import database
with database.write(ledger._engine, "a test") as connection:
    from batch import statements
    statements.put_chunks(connection, claim.batch.id, [a_chunk("not committed", 2)])
    os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run(
        [sys.executable, "-c", program, ledger_url], capture_output=True, text=True, check=False, timeout=60
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with Ledger.open(ledger_url) as ledger:
        (batch,) = ledger.waiting("abc")
        assert [chunk.id for chunk in ledger.chunks(batch.id)] == ["committed"]
        claim = ledger.claim(batch.id, "me")
        assert claim is not None
        assert claim.attempts == 2


def test_the_listed_revisions_are_those_of_the_migrations() -> None:
    config = Config()
    config.set_main_option("script_location", "batch:migrations")
    scripts = ScriptDirectory.from_config(config).walk_revisions()
    assert tuple(reversed([script.revision for script in scripts])) == REVISIONS


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE batches SET state = 'nonsense'",
        "UPDATE batches SET bytes = 'a word'",
        "UPDATE batches SET received_at = 'never'",
        "UPDATE chunks SET rows = x'ff', findings = x'ff'",
        "UPDATE chunks SET outcome = 'nonsense'",
    ],
)
def test_what_was_never_written_is_damage_and_not_a_fault_of_the_program(tmp_path: Path, damage: str) -> None:
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        claim = a_claim(ledger)
        ledger.put(claim, [a_chunk("one", 1)])
        with sqlite3.connect(tmp_path / "ledger.db") as other:
            other.execute(damage)
        with pytest.raises(LedgerError, match=r"ledger\.db is damaged: restore it from a backup"):
            [list(ledger.chunks(batch.id)) for batch in ledger.batches()]
