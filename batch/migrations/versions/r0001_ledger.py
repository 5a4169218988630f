"""The ledger's first tables."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _word(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(16), nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "batches",
        _text("id"),
        _text("group_key"),
        _text("file"),
        _text("version"),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        _word("state"),
        _time("received_at"),
        _text("sha256", nullable=True),
        _text("reason", nullable=True),
        _text("config", nullable=True),
        _time("started_at", nullable=True),
        _time("finished_at", nullable=True),
        sa.Column("rows_read", sa.BigInteger()),
        sa.Column("rows_invalid", sa.BigInteger()),
        sa.Column("token", sa.Integer(), nullable=False),
        _text("owner", nullable=True),
        _time("lease_until", nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("batches_file", "batches", ["group_key", "file"])
    op.create_index("batches_received", "batches", ["group_key", "received_at"])
    op.create_table(
        "drops",
        _text("group_key"),
        _text("file"),
        _text("version"),
        _text("batch"),
        sa.PrimaryKeyConstraint("group_key", "file", "version"),
        sa.ForeignKeyConstraint(["batch"], ["batches.id"]),
    )
    op.create_index("ix_drops_batch", "drops", ["batch"])
    op.create_table(
        "chunks",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True),
        _text("batch"),
        _text("id"),
        _text("integration"),
        _word("state"),
        _word("outcome", nullable=True),
        sa.Column("rows", sa.LargeBinary(), nullable=False),
        sa.Column("findings", sa.LargeBinary(), nullable=False),
        _text("key", nullable=True),
        _text("payload", nullable=True),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("possible_duplicates", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("batch", "id"),
        sa.ForeignKeyConstraint(["batch"], ["batches.id"]),
        sqlite_autoincrement=True,
    )
    op.create_index("chunks_integration", "chunks", ["batch", "integration", "seq"])
    op.create_table(
        "runs",
        _text("batch"),
        sa.Column("token", sa.Integer(), autoincrement=False),
        _word("trigger"),
        _time("started_at"),
        _text("owner", nullable=True),
        _text("config", nullable=True),
        sa.PrimaryKeyConstraint("batch", "token"),
        sa.ForeignKeyConstraint(["batch"], ["batches.id"]),
    )
    op.create_table("configs", _text("fingerprint"), _text("document"), sa.PrimaryKeyConstraint("fingerprint"))
    op.create_table("reported", _text("group_key"), _text("file"), sa.PrimaryKeyConstraint("group_key", "file"))
    op.create_table("fires", _text("group_key"), _time("at"), sa.PrimaryKeyConstraint("group_key", "at"))
