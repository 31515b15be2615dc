"""Databases that the tests share."""

from tests.backend.conftest import migrated_postgres, postgres_database_url, ready_url, sqlite_url

__all__ = ["migrated_postgres", "postgres_database_url", "ready_url", "sqlite_url"]
