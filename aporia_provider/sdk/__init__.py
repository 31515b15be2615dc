"""
Drop-in replacement for the calls of the platform's SDK 2.19.0: ``import aporia_provider.sdk as aporia``.

Names, parameters, their order and their defaults are the same as in the SDK; additions are marked. The
calls are implemented with the client, the embedded backend and the hooks. They always raise the errors of
:mod:`aporia_provider.errors`. Large dependencies are imported on first use, so DAG files may import this
package at the top.
"""

from aporia_provider.sdk import experimental, pandas
from aporia_provider.sdk.core.core_api import (
    create_model,
    create_model_version,
    delete_model,
    init,
    shutdown,
)
from aporia_provider.sdk.core.model_tags import add_model_tags, delete_model_tag, get_model_tags
from aporia_provider.sdk.core.types.data_source import (
    AthenaDataSource,
    BigQueryDataSource,
    GlueDataSource,
    JDBCDataSource,
    PostgresJDBCDataSource,
    S3DataSource,
    S3FileFormat,
    SnowflakeDataSource,
)
from aporia_provider.sdk.core.types.model import ModelColor, ModelIcon
from aporia_provider.sdk.model import Model
from aporia_provider.sdk.unnamed_features import generate_features_schema_from_shape

__all__ = [
    "AthenaDataSource",
    "BigQueryDataSource",
    "GlueDataSource",
    "JDBCDataSource",
    "Model",
    "ModelColor",
    "ModelIcon",
    "PostgresJDBCDataSource",
    "S3DataSource",
    "S3FileFormat",
    "SnowflakeDataSource",
    "add_model_tags",
    "create_model",
    "create_model_version",
    "delete_model",
    "delete_model_tag",
    "experimental",
    "generate_features_schema_from_shape",
    "get_model_tags",
    "init",
    "pandas",
    "shutdown",
]
