"""Create the tables of models, versions, datasets, monitors and tokens."""

from __future__ import annotations

import sqlalchemy as sa

from aporia_provider.backend.store.migrations.table_creation import create_table, parent_key

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    create_table(
        "aporia_model",
        sa.Column("environment", sa.String(255), nullable=False),
        sa.Column("id", sa.String(255), nullable=False),
        sa.Column("owner", sa.Text()),
        sa.Column("registration", sa.JSON(), nullable=False),
        sa.UniqueConstraint("environment", "id", name="uq_aporia_model_environment_id"),
    )
    create_table(
        "aporia_tag",
        parent_key("aporia_tag", "model"),
        sa.Column("name", sa.String(15), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.UniqueConstraint("model_key", "name", name="uq_aporia_tag_model_key_name"),
    )
    _create_version_tables()
    _create_environment_tables()


def _create_version_tables() -> None:
    create_table(
        "aporia_version",
        parent_key("aporia_version", "model"),
        sa.Column("id", sa.String(36), nullable=False),
        sa.UniqueConstraint("id", name="uq_aporia_version_id"),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("registration", sa.JSON(), nullable=False),
        sa.UniqueConstraint("model_key", "name", name="uq_aporia_version_model_key_name"),
    )
    create_table(
        "aporia_attachment",
        parent_key("aporia_attachment", "version"),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.UniqueConstraint("version_key", "kind", name="uq_aporia_attachment_version_key_kind"),
    )
    create_table(
        "aporia_dataset",
        parent_key("aporia_dataset", "version"),
        sa.Column("id", sa.String(36), nullable=False),
        sa.UniqueConstraint("id", name="uq_aporia_dataset_id"),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("registration", sa.JSON(), nullable=False),
        sa.UniqueConstraint("version_key", "role", name="uq_aporia_dataset_version_key_role"),
    )


def _create_environment_tables() -> None:
    create_table(
        "aporia_monitor",
        sa.Column("environment", sa.String(255), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.UniqueConstraint("id", name="uq_aporia_monitor_id"),
        sa.Column("registration", sa.JSON(), nullable=False),
        sa.UniqueConstraint(
            "environment", "subject", "name", name="uq_aporia_monitor_environment_subject_name"
        ),
    )
    create_table(
        "aporia_token",
        sa.Column("environment", sa.String(255), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.UniqueConstraint("digest", name="uq_aporia_token_digest"),
        sa.UniqueConstraint("environment", "name", name="uq_aporia_token_environment_name"),
    )
