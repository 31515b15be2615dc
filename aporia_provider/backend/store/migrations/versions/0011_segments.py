"""Create the tables of segments and custom metrics."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from aporia_provider.backend.store.migrations.table_creation import create_table, parent_key

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_NAME = 255


def upgrade() -> None:
    """Create the tables."""
    create_table(
        "aporia_segment",
        *_registered("aporia_segment"),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.Column("manual", sa.Boolean(), nullable=False),
        sqlite_autoincrement=True,
    )
    create_table(
        "aporia_custom_metric",
        *_registered("aporia_custom_metric"),
        sa.Column("filters", sa.JSON(), nullable=False),
    )


def _registered(table: str) -> list[Any]:
    return [
        parent_key(table, "model"),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(_NAME), nullable=False),
        sa.Column("registration", sa.JSON(), nullable=False),
        sa.UniqueConstraint("id", name=f"uq_{table}_id"),
        sa.UniqueConstraint("model_key", "name", name=f"uq_{table}_model_key_name"),
    ]
