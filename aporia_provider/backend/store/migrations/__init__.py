"""Alembic's scripts; :mod:`aporia_provider.backend.store.schema_upgrades` runs them."""
