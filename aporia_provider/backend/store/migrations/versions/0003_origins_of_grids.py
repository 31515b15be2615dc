"""
Add the origins of bins.

States and bins in the older format are no longer supported, so all stored sync results are deleted: the next
sync of each dataset computes all of it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from aporia_provider.backend.store.migrations.table_creation import create_table, parent_key

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Delete all sync results, and recreate the table of bins with the column ``origins``."""
    for table in ("aporia_profile", "aporia_sync"):
        op.execute(sa.delete(sa.table(table)))
    # SQLite cannot add a column that is not nullable and has no default.
    op.drop_table("aporia_grid")
    create_table(
        "aporia_grid",
        parent_key("aporia_grid", "version"),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("grids", sa.JSON(), nullable=False),
        sa.Column("origins", sa.JSON(), nullable=False),
        sa.UniqueConstraint("version_key", name="uq_aporia_grid_version_key"),
    )
