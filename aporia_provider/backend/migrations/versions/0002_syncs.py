"""Profiles, how far they reach, and leases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import SchemaItem

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    _create(
        "aporia_sync",
        _parent("aporia_sync", "dataset"),
        sa.Column("part", sa.String(20), nullable=False),
        sa.Column("fingerprint", sa.String(40)),
        sa.Column("position", sa.JSON()),
        sa.Column("report", sa.JSON()),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("synced_at", sa.DateTime(timezone=True)),
        sa.Column("seconds", sa.Float()),
        sa.Column("latest_version", sa.BigInteger()),
        sa.Column("error", sa.Text()),
        sa.UniqueConstraint("dataset_key", "part", name="uq_aporia_sync_dataset_key_part"),
    )
    _create(
        "aporia_profile",
        _parent("aporia_profile", "dataset"),
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
    _create(
        "aporia_grid",
        _parent("aporia_grid", "version"),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("grids", sa.JSON(), nullable=False),
        sa.UniqueConstraint("version_key", name="uq_aporia_grid_version_key"),
    )
    _create(
        "aporia_lease",
        _parent("aporia_lease", "version"),
        sa.Column("holder", sa.String(36), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("version_key", name="uq_aporia_lease_version_key"),
    )


def _create(table: str, *parts: SchemaItem) -> None:
    op.create_table(
        table,
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        *parts,
        sa.PrimaryKeyConstraint("key", name=f"pk_{table}"),
    )


def _parent(table: str, parent: str) -> sa.Column[int]:
    column = f"{parent}_key"
    reference = sa.ForeignKey(f"aporia_{parent}.key", name=f"fk_{table}_{column}", ondelete="CASCADE")
    return sa.Column(column, sa.Integer(), reference, nullable=False)
