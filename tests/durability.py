"""
A PostgreSQL server of the tests that does not wait until data is on the disk.

A process that is killed loses nothing by this, only a machine that fails does.
"""

from __future__ import annotations

import sqlalchemy

SETTINGS = ("fsync", "synchronous_commit", "full_page_writes")


def do_not_wait_for_the_disk(url: str) -> None:
    """Set it for all databases of a server."""
    engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            for name in SETTINGS:
                connection.exec_driver_sql(f"ALTER SYSTEM SET {name} = off")
            connection.exec_driver_sql("SELECT pg_reload_conf()")
    finally:
        engine.dispose()
