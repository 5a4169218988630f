"""What the API needs: the records it took, its answers, and the keys of its callers."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    """Make the tables, and an index of the batches that are not closed, of which the API makes many."""
    is_open = sa.text("finished_at IS NULL")
    op.create_index(
        "batches_open", "batches", ["group_key", "received_at"], sqlite_where=is_open, postgresql_where=is_open
    )
    op.create_table(
        "packets",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True),
        _text("id"),
        _text("group_key"),
        _text("file"),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        _text("sha256"),
        sa.Column("rows", sa.Integer(), nullable=False),
        _time("taken_at"),
        _text("batch", nullable=True),
        sa.Column("first_row", sa.BigInteger()),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("id"),
        sa.ForeignKeyConstraint(["batch"], ["batches.id"]),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_packets_batch", "packets", ["batch"])
    waits = sa.text("batch IS NULL")
    op.create_index("packets_waiting", "packets", ["group_key", "seq"], sqlite_where=waits, postgresql_where=waits)
    op.create_table(
        "answers",
        _text("name"),
        _text("fingerprint"),
        _text("record"),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sqlite_with_rowid=False,
    )
    lasts = sa.text("name >= 'ff'")
    op.create_index("answers_lasting", "answers", ["until"], sqlite_where=lasts, postgresql_where=lasts)
    op.create_table(
        "api_keys",
        _text("id"),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        _text("name", nullable=True),
        sa.Column("groups", sa.JSON(), nullable=False),
        _time("created_at"),
        _time("last_used_at", nullable=True),
        _time("revoked_at", nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
