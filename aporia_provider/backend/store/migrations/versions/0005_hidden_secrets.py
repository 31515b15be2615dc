"""
Remove secrets stored by earlier versions.

Data sources and sync errors are rewritten without the values that are now hidden.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from aporia_provider.data_sources import stored_data_source
from aporia_provider.errors import ValidationError
from aporia_provider.redaction import redact_text

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_DATASETS = sa.table("aporia_dataset", sa.column("key"), sa.column("registration", sa.JSON()))
_SYNCS = sa.table("aporia_sync", sa.column("key"), sa.column("error"))


def upgrade() -> None:
    """Hide the secrets."""
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        # Otherwise overwritten values remain in the file.
        connection.exec_driver_sql("PRAGMA secure_delete = ON")
    for key, registration in connection.execute(sa.select(_DATASETS)).all():
        hidden = {**registration, "data_source": _hidden(registration.get("data_source"))}
        if hidden != registration:
            connection.execute(_DATASETS.update().where(_DATASETS.c.key == key).values(registration=hidden))
    for key, error in connection.execute(sa.select(_SYNCS).where(_SYNCS.c.error.is_not(None))).all():
        connection.execute(_SYNCS.update().where(_SYNCS.c.key == key).values(error=redact_text(error)))


def _hidden(source: Any) -> Any:
    try:
        return stored_data_source(source).serialize()
    except (ValidationError, TypeError):
        # An unreadable data source is kept; reading it raises an error.
        return source
