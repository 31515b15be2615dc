"""Create the tables of profiles, checkpoints, bins and leases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from aporia_provider.backend.store.migrations.table_creation import create_table, parent_key

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    create_table(
        "aporia_sync",
        parent_key("aporia_sync", "dataset"),
        sa.Column("part", sa.String(20), nullable=False),
        sa.Column("fingerprint", sa.String(40)),
        sa.Column("position", sa.JSON()),
        sa.Column("report", sa.JSON()),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("synced_at", sa.DateTime(timezone=True)),
        sa.Column("seconds", sa.Float()),
        sa.Column("latest_version", sa.BigInteger()),
        sa.Column("error", sa.Text()),
        sa.Column("grids", sa.JSON()),
        sa.UniqueConstraint("dataset_key", "part", name="uq_aporia_sync_dataset_key_part"),
    )
    create_table(
        "aporia_profile",
        parent_key("aporia_profile", "dataset"),
        sa.Column("part", sa.String(20), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("bucket", sa.BigInteger()),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.UniqueConstraint(
            "dataset_key", "field", "bucket", name="uq_aporia_profile_dataset_key_field_bucket"
        ),
    )
    op.create_index("ix_aporia_profile_bucket", "aporia_profile", ["dataset_key", "part", "bucket"])
    _create_version_tables()


def _create_version_tables() -> None:
    create_table(
        "aporia_grid",
        parent_key("aporia_grid", "version"),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("grids", sa.JSON(), nullable=False),
        sa.UniqueConstraint("version_key", name="uq_aporia_grid_version_key"),
    )
    create_table(
        "aporia_lease",
        parent_key("aporia_lease", "version"),
        sa.Column("holder", sa.String(36), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("version_key", name="uq_aporia_lease_version_key"),
    )
