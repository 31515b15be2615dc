"""Data sources of :mod:`aporia_provider.data_sources` that accept the SDK's positional arguments."""

from __future__ import annotations

import inspect
from typing import Any

from aporia_provider import data_sources
from aporia_provider.data_sources import DATA_SOURCES, OBJECT_FORMATS, DataSource
from aporia_provider.sdk.core.types.words import enumerate_words, word_of

DataSourceType = enumerate_words("DataSourceType", DATA_SOURCES, __name__)
S3FileFormat = enumerate_words("S3FileFormat", OBJECT_FORMATS, __name__)

Expressions = list[str] | None
Options = dict[str, Any] | None


class _Positional(DataSource):
    """Base class of data sources with positional arguments."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        # Otherwise, tools show the signature of the metaclass until the first data source is created.
        signature = inspect.signature(cls.__init__)
        cls.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])

    def checked(self) -> DataSource:
        """Validate the data source again; see :meth:`aporia_provider.base_model.PublicModel.checked`."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return DATA_SOURCES[self.type](**values)


class S3DataSource(data_sources.S3DataSource, _Positional):
    """Files on S3. Parameters: see :class:`aporia_provider.data_sources.S3DataSource`."""

    def __init__(
        self,
        object_path: str,
        object_format: str,
        sample_size: float = 1.0,
        select_expr: Expressions = None,
        read_options: Options = None,
    ) -> None:
        super().__init__(
            object_path=object_path,
            object_format=word_of(object_format),
            sample_size=sample_size,
            select_expr=select_expr,
            read_options=read_options,
        )


class JDBCDataSource(data_sources.JDBCDataSource, _Positional):
    """A query through JDBC. Parameters: see :class:`aporia_provider.data_sources.JDBCDataSource`."""

    def __init__(
        self,
        url: str,
        query: str,
        user: str | None = None,
        password: str | None = None,
        sample_size: float = 1,
        select_expr: Expressions = None,
        read_options: Options = None,
    ) -> None:
        super().__init__(
            url=url,
            query=query,
            user=user,
            password=password,
            sample_size=sample_size,
            select_expr=select_expr,
            read_options=read_options,
        )


class PostgresJDBCDataSource(JDBCDataSource, data_sources.PostgresJDBCDataSource):
    """A query on PostgreSQL through JDBC. Parameters: see :class:`JDBCDataSource`."""


class AthenaDataSource(data_sources.AthenaDataSource, _Positional):
    """A query on Amazon Athena. Parameters: see :class:`aporia_provider.data_sources.AthenaDataSource`."""

    def __init__(
        self,
        url: str,
        query: str,
        s3_output_location: str,
        user: str | None = None,
        password: str | None = None,
        sample_size: float = 1,
        select_expr: Expressions = None,
        read_options: Options = None,
    ) -> None:
        super().__init__(
            url=url,
            query=query,
            s3_output_location=s3_output_location,
            user=user,
            password=password,
            sample_size=sample_size,
            select_expr=select_expr,
            read_options=read_options,
        )


class BigQueryDataSource(data_sources.BigQueryDataSource, _Positional):
    """A table of BigQuery. Parameters: see :class:`aporia_provider.data_sources.BigQueryDataSource`."""

    def __init__(
        self,
        credentials_base64: str,
        table: str,
        dataset: str | None = None,
        project: str | None = None,
        parent_project: str | None = None,
        sample_size: float = 1.0,
        select_expr: Expressions = None,
        read_options: Options = None,
    ) -> None:
        super().__init__(
            credentials_base64=credentials_base64,
            table=table,
            dataset=dataset,
            project=project,
            parent_project=parent_project,
            sample_size=sample_size,
            select_expr=select_expr,
            read_options=read_options,
        )


class SnowflakeDataSource(data_sources.SnowflakeDataSource, _Positional):
    """A query on Snowflake. Parameters: see :class:`aporia_provider.data_sources.SnowflakeDataSource`."""

    def __init__(
        self,
        url: str,
        query: str,
        user: str,
        password: str,
        database: str,
        schema: str,
        warehouse: str | None = None,
        sample_size: float = 1.0,
        select_expr: Expressions = None,
        read_options: Options = None,
    ) -> None:
        super().__init__(
            url=url,
            query=query,
            user=user,
            password=password,
            database=database,
            sfschema=schema,
            warehouse=warehouse,
            sample_size=sample_size,
            select_expr=select_expr,
            read_options=read_options,
        )


class GlueDataSource(data_sources.GlueDataSource, _Positional):
    """A query on AWS Glue. Parameters: see :class:`aporia_provider.data_sources.GlueDataSource`."""

    def __init__(self, query: str, sample_size: float = 1.0, select_expr: Expressions = None) -> None:
        super().__init__(query=query, sample_size=sample_size, select_expr=select_expr)
