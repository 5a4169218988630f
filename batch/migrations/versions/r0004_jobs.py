"""Jobs that requests have started at destinations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the column."""
    op.add_column("chunks", sa.Column("job", sa.Text()))
