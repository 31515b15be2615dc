"""
Add until when the asset event of an alert is claimed, and the receivers of the notification of an event.

The events that were emitted before count as confirmed.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("aporia_alert", sa.Column("claimed_until", sa.DateTime(timezone=True)))
    op.add_column("aporia_alert_event", sa.Column("delivered_to", sa.JSON()))
