"""What all tables of the backend have in common."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import SchemaItem


def create(table: str, *parts: SchemaItem) -> None:
    """Create a table with a key and the time at which a row was made."""
    op.create_table(
        table,
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        *parts,
        sa.PrimaryKeyConstraint("key", name=f"pk_{table}"),
    )


def parent(table: str, name: str) -> sa.Column[int]:
    """The column of a table that says which row of ``name`` its own belong to, and go with."""
    column = f"{name}_key"
    reference = sa.ForeignKey(f"aporia_{name}.key", name=f"fk_{table}_{column}", ondelete="CASCADE")
    return sa.Column(column, sa.Integer(), reference, nullable=False)
