"""Alembic migration scripts, run by :mod:`aporia_provider.backend.store.schema_upgrades`."""
