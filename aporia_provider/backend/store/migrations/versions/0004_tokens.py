"""Add expiry, last use and read-only access to tokens, and the process to leases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("aporia_token", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("aporia_token", sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True))
    only: sa.Column[bool] = sa.Column("read_only", sa.Boolean(), nullable=False, server_default=sa.false())
    op.add_column("aporia_token", only)
    op.add_column("aporia_lease", sa.Column("process", sa.String(200), nullable=True))
