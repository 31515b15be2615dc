"""Alembic's scripts; :mod:`aporia_provider.backend.upgrades` runs them."""
