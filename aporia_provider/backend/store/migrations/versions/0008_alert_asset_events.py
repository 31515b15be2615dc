"""
Add the task that emitted the asset event of an alert.

The alerts that exist already count as emitted, so that an upgrade starts no DAGs.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and set it for all alerts."""
    op.add_column("aporia_alert", sa.Column("emitted_by", sa.Text()))
    alerts = sa.table("aporia_alert", sa.column("emitted_by"))
    op.execute(sa.update(alerts).values(emitted_by=""))
