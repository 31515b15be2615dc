"""Alembic environment. The caller provides the connection and commits its transaction."""

from __future__ import annotations

from alembic import context

from aporia_provider.backend.store.tables import VERSION_TABLE, Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
)
context.run_migrations()
