"""Create the table of the commits of connected tables."""

from __future__ import annotations

import sqlalchemy as sa

from aporia_provider.backend.store.migrations.table_creation import create_table, parent_key

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    create_table(
        "aporia_table_history",
        parent_key("aporia_table_history", "dataset"),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True)),
        sa.Column("error", sa.Text()),
        sa.Column("history", sa.JSON()),
        sa.UniqueConstraint("dataset_key", name="uq_aporia_table_history_dataset_key"),
    )
