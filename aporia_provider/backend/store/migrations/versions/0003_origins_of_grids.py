"""
What grids were made from.

States and grids of the older format are not read any more, so what syncs have stored is deleted: the next
sync of each dataset computes all of it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from aporia_provider.backend.store.migrations.migration_helpers import create, parent

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Delete what was synced, and make the table of grids anew, with a column more."""
    for table in ("aporia_profile", "aporia_sync"):
        op.execute(sa.delete(sa.table(table)))
    # SQLite adds no column that has neither a default nor nulls.
    op.drop_table("aporia_grid")
    create(
        "aporia_grid",
        parent("aporia_grid", "version"),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("grids", sa.JSON(), nullable=False),
        sa.Column("origins", sa.JSON(), nullable=False),
        sa.UniqueConstraint("version_key", name="uq_aporia_grid_version_key"),
    )
