"""Create the tables of changed buckets, verdicts, alerts and their events."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from aporia_provider.backend.store.migrations.table_creation import create_table, parent_key

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_NAME = 255


def upgrade() -> None:
    """Create the tables."""
    create_table(
        "aporia_bucket_change",
        parent_key("aporia_bucket_change", "dataset"),
        sa.Column("part", sa.String(20), nullable=False),
        sa.Column("bucket", sa.BigInteger(), nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.UniqueConstraint(
            "dataset_key", "part", "bucket", name="uq_aporia_bucket_change_dataset_key_part_bucket"
        ),
    )
    _create_alerts()
    _create_verdicts()
    _create_alert_windows_and_events()


def _create_alerts() -> None:
    create_table(
        "aporia_alert",
        *_monitored("aporia_alert"),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("severity", sa.String(12), nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("occurrences", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True)),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True)),
        sa.Column("acknowledged_by", sa.Text()),
        sa.Column("snoozed_until", sa.DateTime(timezone=True)),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.UniqueConstraint("id", name="uq_aporia_alert_id"),
    )
    op.create_index("ix_aporia_alert_group", "aporia_alert", ["monitor_key", "version", "segment", "field"])


def _create_verdicts() -> None:
    create_table(
        "aporia_verdict",
        *_monitored("aporia_verdict"),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(12), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("judged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.UniqueConstraint(
            "monitor_key",
            "version",
            "segment",
            "start",
            name="uq_aporia_verdict_monitor_key_version_segment_start",
        ),
    )


def _create_alert_windows_and_events() -> None:
    create_table(
        "aporia_alert_window",
        parent_key("aporia_alert_window", "alert"),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("alert_key", "start", name="uq_aporia_alert_window_alert_key_start"),
    )
    create_table(
        "aporia_alert_event",
        parent_key("aporia_alert_event", "alert"),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True)),
        sa.Column("delivered_at", sa.DateTime(timezone=True)),
    )
    op.create_index("ix_aporia_alert_event_undelivered", "aporia_alert_event", ["delivered_at", "alert_key"])


def _monitored(table: str) -> list[sa.Column[Any]]:
    """Return the columns that identify a monitor, a version and a segment."""
    version = parent_key(table, "version")
    version.nullable = True
    name: list[sa.Column[Any]] = [
        sa.Column(column, sa.String(_NAME), nullable=False) for column in ("version", "segment")
    ]
    return [parent_key(table, "monitor"), version, *name]
