"""Functions that create tables and columns in migrations."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import SchemaItem


def create_table(table: str, *parts: SchemaItem, **options: Any) -> None:
    """Create a table with the common columns ``key`` and ``created_at``."""
    op.create_table(
        table,
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        *parts,
        sa.PrimaryKeyConstraint("key", name=f"pk_{table}"),
        **options,
    )


def parent_key(table: str, name: str) -> sa.Column[int]:
    """Return a foreign key column of ``table`` that references ``aporia_<name>``, with cascading deletes."""
    column = f"{name}_key"
    reference = sa.ForeignKey(f"aporia_{name}.key", name=f"fk_{table}_{column}", ondelete="CASCADE")
    return sa.Column(column, sa.Integer(), reference, nullable=False)
