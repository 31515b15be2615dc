"""Data sources that are database queries or tables."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr

from aporia_provider.base_model import Name
from aporia_provider.data_sources.base import DataSource
from aporia_provider.data_sources.fields import UnsignedUrl, Url


class GlueDataSource(DataSource):
    """
    A query on the AWS Glue Data Catalog.

    :param query: Spark SQL.
    """

    type = "glue"
    missing_component = "a catalogue of the engine"
    template_fields = ("select_expr", "query")

    query: Name
    read_options: None = Field(default=None, exclude=True)

    @classmethod
    def _wire_names(cls) -> list[str]:
        return ["sample_size", "select_expr", "query"]


class JDBCDataSource(DataSource):
    """
    A query through JDBC.

    :param url: JDBC URL without a login. Its hosts, port and path are shown and stored; its parameters are
        not.
    :param query: Query in the SQL dialect of the database.
    :param user: User name.
    :param password: Password. It is never shown, stored or rendered.
    """

    type = "jdbc"
    missing_component = "a JDBC driver"
    template_fields = (*DataSource.template_fields, "url", "query", "user")

    sample_size: Annotated[int | float, Field(gt=0, le=1)] = 1
    url: Url
    query: Name
    user: str | None = None
    password: SecretStr | None = None


class PostgresJDBCDataSource(JDBCDataSource):
    """A query on PostgreSQL through JDBC. Parameters: see :class:`JDBCDataSource`."""

    type = "postgres-jdbc"


class AthenaDataSource(JDBCDataSource):
    """
    A query on Amazon Athena through JDBC. Further parameters: see :class:`JDBCDataSource`.

    :param s3_output_location: URI on S3 to which Athena writes results.
    """

    type = "athena"
    template_fields = (*JDBCDataSource.template_fields, "s3_output_location")

    s3_output_location: UnsignedUrl


class BigQueryDataSource(DataSource):
    """
    A table or view of Google BigQuery.

    :param credentials_base64: JSON key of a service account, base64-encoded. It is never shown or stored.
    :param table: Table name.
    :param dataset: Dataset of the table, if ``table`` does not include it.
    :param project: Project of the table.
    :param parent_project: Project that is billed.
    """

    type = "bigquery"
    missing_component = "the connector for BigQuery"
    template_fields = (*DataSource.template_fields, "table", "dataset", "project", "parent_project")

    credentials_base64: SecretStr
    table: Name
    dataset: str | None = None
    project: str | None = None
    parent_project: str | None = None


class SnowflakeDataSource(DataSource):
    """
    A query on Snowflake.

    :param url: Account URL.
    :param query: SQL.
    :param user: User name.
    :param password: Password. It is never shown, stored or rendered.
    :param database: Database.
    :param schema: Schema; ``sfschema`` on the wire.
    :param warehouse: Warehouse, if not the user's default.
    """

    type = "snowflake"
    missing_component = "the connector for Snowflake"
    template_fields = (
        *DataSource.template_fields,
        "url",
        "query",
        "user",
        "database",
        "sfschema",
        "warehouse",
    )

    url: Url
    query: Name
    user: Name
    password: SecretStr
    database: Name
    sfschema: Annotated[Name, Field(alias="schema")]
    warehouse: str | None = None

    model_config = {"validate_by_name": True, "validate_by_alias": True}
