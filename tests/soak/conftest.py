"""Databases that the tests share."""

from tests.backend.conftest import postgres_database_url, ready_url, sqlite_url

__all__ = ["postgres_database_url", "ready_url", "sqlite_url"]
