"""Data sources, under the protocol's names (protocol reference, section 1.7)."""

from __future__ import annotations

from aporia_provider.data_sources.base import DataSource
from aporia_provider.data_sources.files import OBJECT_FORMATS, S3DataSource
from aporia_provider.data_sources.queries import (
    AthenaDataSource,
    BigQueryDataSource,
    GlueDataSource,
    JDBCDataSource,
    PostgresJDBCDataSource,
    SnowflakeDataSource,
)
from aporia_provider.data_sources.reading import (
    DATA_SOURCES,
    as_data_source,
    data_source_from_wire,
    stored_data_source,
    with_login,
)

__all__ = [
    "DATA_SOURCES",
    "OBJECT_FORMATS",
    "AthenaDataSource",
    "BigQueryDataSource",
    "DataSource",
    "GlueDataSource",
    "JDBCDataSource",
    "PostgresJDBCDataSource",
    "S3DataSource",
    "SnowflakeDataSource",
    "as_data_source",
    "data_source_from_wire",
    "stored_data_source",
    "with_login",
]
