"""Construction of data sources from the protocol's JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pydantic
from pydantic import SecretStr

from aporia_provider.base_model import convert_error
from aporia_provider.data_sources.base import DataSource
from aporia_provider.data_sources.fields import STORED_CONTEXT
from aporia_provider.data_sources.files import S3DataSource
from aporia_provider.data_sources.queries import (
    AthenaDataSource,
    BigQueryDataSource,
    GlueDataSource,
    JDBCDataSource,
    PostgresJDBCDataSource,
    SnowflakeDataSource,
)
from aporia_provider.errors import ValidationError

DATA_SOURCES: Mapping[str, type[DataSource]] = {
    source.type: source
    for source in (
        S3DataSource,
        JDBCDataSource,
        PostgresJDBCDataSource,
        AthenaDataSource,
        GlueDataSource,
        BigQueryDataSource,
        SnowflakeDataSource,
    )
}


def data_source_from_wire(value: Any) -> DataSource:
    """
    Parse ``{"type": …, "config": …}``.

    :raises aporia_provider.errors.ValidationError: if the type is unknown or the config is invalid.
    """
    return _type_of(value)(**value["config"])


def stored_data_source(value: Any) -> DataSource:
    """
    Parse a stored ``{"type": …, "config": …}``.

    Faults of its path and URLs are ignored, since earlier releases accepted them; the path is checked when
    data is read, see :attr:`DataSource.unreadable_reason`.

    :raises aporia_provider.errors.ValidationError: if the type is unknown or the config is otherwise invalid.
    """
    source = _type_of(value)
    try:
        return source.model_validate(value["config"], context=STORED_CONTEXT)
    except pydantic.ValidationError as error:
        raise convert_error(error, source.__name__) from None


def _type_of(value: Any) -> type[DataSource]:
    if not isinstance(value, Mapping) or not isinstance(value.get("config"), Mapping):
        raise ValidationError('A data source has the form {"type": …, "config": {…}}')
    source = DATA_SOURCES.get(str(value.get("type")))
    if source is None:
        types = ", ".join(DATA_SOURCES)
        raise ValidationError(f"There is no data source type {value.get('type')!r}; there are {types}")
    return source


def as_data_source(value: DataSource | Mapping[str, Any]) -> DataSource:
    """Return a data source that is given as an instance or in the protocol's JSON form."""
    return value if isinstance(value, DataSource) else data_source_from_wire(value)


def with_login(source: DataSource, user: str | None, password: str | None) -> DataSource:
    """
    Return a copy of a data source with the user and the password of a connection.

    :raises aporia_provider.errors.ValidationError: if the data source does not accept them.
    """
    if "password" not in type(source).model_fields:
        raise ValidationError(f"A data source of type {source.type} does not accept a user and password")
    secret = SecretStr(password) if password is not None else None
    return source.model_copy(update={"user": user, "password": secret})
