"""Where the data of a dataset lives, in the protocol's own words (reference, section 1.7)."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar

import pydantic
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, model_serializer

from aporia_provider.base_model import Name, Vocabulary, explain, one_of
from aporia_provider.errors import ValidationError
from aporia_provider.locations import location_fault, secret_fault, uri_of
from aporia_provider.redaction import HIDDEN, login_fault, shown_option, shown_url
from aporia_provider.redaction.reader_options import shown_user, takes_url

OBJECT_FORMATS = ("parquet", "csv", "json", "delta")


def _option_text(value: Any) -> Any:
    """The value of an option as text, as PySpark's ``DataFrameReader.options`` writes it."""
    if isinstance(value, str):
        return value
    if hasattr(value, "item"):
        # A number of numpy is an instance of no Python type that is tested here, or of several.
        value = value.item()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (numbers.Integral, float)):
        return str(value)
    told = "leave the option out instead of None" if value is None else f"not {type(value).__name__}"
    raise ValueError(f"an option is text, an integer, a float, or true or false; {told}")


def _distinct_options(options: dict[str, str]) -> dict[str, str]:
    seen: dict[str, str] = {}
    for name in options:
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise ValueError(f"{other!r} and {name!r} are one option, since Spark ignores case: give one")
    return options


_STORED = {"stored": True}
"""Context in which a data source is valid although its path or its URL has a fault."""


def _options_without_login(options: dict[str, str], info: ValidationInfo) -> dict[str, str]:
    for name, value in options.items() if info.context != _STORED else ():
        if takes_url(name) and (fault := login_fault(value)):
            raise ValueError(f"{name} {fault}")
    return options


ReadOptions = Annotated[
    dict[str, Annotated[str, BeforeValidator(_option_text, json_schema_input_type=str | bool | int | float)]],
    AfterValidator(_distinct_options),
    AfterValidator(_options_without_login),
]


def _without_login(url: str, info: ValidationInfo) -> str:
    if info.context != _STORED and (fault := login_fault(url)):
        raise ValueError(fault)
    return url


Url = Annotated[Name, AfterValidator(_without_login)]


class DataSource(Vocabulary):
    """
    Base of all data sources.

    :param sample_size: Fraction of the rows to read, above 0 and up to 1.
    :param select_expr: Spark SQL expressions; each becomes a column of the dataset. ``["*", "a + b AS c"]``
        keeps the columns there are.
    :param read_options: Options of the Spark reader. Integers, floats and booleans are accepted as PySpark
        accepts them, and kept as the text that PySpark makes of them: ``True`` and ``"true"`` are the same.
        Values of options that are not known to be harmless are hidden and not stored, see
        :mod:`aporia_provider.redaction.reader_options`: credentials belong into an Airflow connection.
    """

    type: ClassVar[str]
    template_fields: ClassVar[tuple[str, ...]] = ("select_expr", "read_options")

    sample_size: Annotated[int | float, Field(gt=0, le=1)] = 1.0
    select_expr: list[Name] | None = None
    read_options: ReadOptions | None = None

    def to_wire(self) -> dict[str, Any]:
        """``{"type": …, "config": …}`` with secrets in clear, as the protocol sends them."""
        config = {name: _reveal(getattr(self, name)) for name in self._wire_names()}
        return {"type": self.type, "config": config}

    def serialize(self) -> dict[str, Any]:
        """The same with secrets hidden: what Airflow shows, and what the embedded backend stores."""
        return {"type": self.type, "config": self._hidden_config()}

    @property
    def hidden_options(self) -> list[str]:
        """Names of the options whose values are not stored, at least not as they were given."""
        options = self.read_options or {}
        return sorted(name for name, value in options.items() if shown_option(name, value) != value)

    @model_serializer(mode="plain")
    def _hidden_config(self) -> dict[str, Any]:
        """What pydantic writes, for instance for an XCom: only :meth:`to_wire` shows secrets."""
        return {name: _hide(name, getattr(self, name)) for name in self._wire_names()}

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        return [(name, value) for name, value in self.serialize()["config"].items() if value is not None]

    @classmethod
    def _wire_names(cls) -> list[str]:
        return list(cls.model_fields)


def _location(path: str, info: ValidationInfo) -> str:
    if info.context != _STORED and (fault := location_fault(path)):
        raise ValueError(fault)
    return path


def _without_signature(path: str, info: ValidationInfo) -> str:
    if info.context != _STORED and (fault := secret_fault(path)):
        raise ValueError(fault)
    return path


class S3DataSource(DataSource):
    """
    Files on S3, or on a local disk.

    :param object_path: ``bucket/key``, ``s3://bucket/key``, ``s3a://bucket/key``, an absolute local path, or
        ``file:///path``, of which only the last is percent-encoded. ``*``, ``?``, ``[…]`` and ``{…}`` in the
        paths of other formats than ``delta`` are patterns, unless a local file or folder has that very name.
    :param object_format: ``delta``, ``parquet``, ``csv`` or ``json``.
    """

    type = "s3"
    template_fields = (*DataSource.template_fields, "object_path", "object_format")

    object_path: Annotated[Name, AfterValidator(_location)]
    object_format: Annotated[str, one_of(*OBJECT_FORMATS)]

    @property
    def uri(self) -> str:
        """
        The path with its scheme, see :func:`aporia_provider.locations.uri_of`. A path whose form is not
        supported is returned as it may be shown: nothing can be read from there.
        """
        return _shown_path(self.object_path) if self.path_fault else uri_of(self.object_path)

    @property
    def path_fault(self) -> str | None:
        """Why no data can be read from the path, which only :func:`stored_data_source` leaves unchecked."""
        return location_fault(self.object_path)


class GlueDataSource(DataSource):
    """
    A query on the AWS Glue catalogue.

    :param query: Spark SQL.
    """

    type = "glue"
    template_fields = ("select_expr", "query")

    query: Name
    read_options: None = Field(default=None, exclude=True)

    @classmethod
    def _wire_names(cls) -> list[str]:
        return ["sample_size", "select_expr", "query"]


class JDBCDataSource(DataSource):
    """
    A query through JDBC.

    :param url: JDBC URL, without a login. Its hosts, port and path are shown and stored, its parameters not.
    :param query: SQL of the database.
    :param user: User name.
    :param password: Password; hidden wherever it could be seen, and never rendered.
    """

    type = "jdbc"
    template_fields = (*DataSource.template_fields, "url", "query", "user")

    sample_size: Annotated[int | float, Field(gt=0, le=1)] = 1
    url: Url
    query: Name
    user: str | None = None
    password: SecretStr | None = None


class PostgresJDBCDataSource(JDBCDataSource):
    """A query on PostgreSQL through JDBC. Parameters: those of :class:`JDBCDataSource`."""

    type = "postgres-jdbc"


class AthenaDataSource(JDBCDataSource):
    """
    A query on Amazon Athena through JDBC. Further parameters: those of :class:`JDBCDataSource`.

    :param s3_output_location: Where Athena writes its results.
    """

    type = "athena"
    template_fields = (*JDBCDataSource.template_fields, "s3_output_location")

    s3_output_location: Annotated[Url, AfterValidator(_without_signature)]


class BigQueryDataSource(DataSource):
    """
    A table or view of Google BigQuery.

    :param credentials_base64: JSON of a service account, base64; hidden wherever it could be seen.
    :param table: Table name.
    :param dataset: Dataset of the table, if its name does not say it.
    :param project: Project of the table.
    :param parent_project: Project that is billed.
    """

    type = "bigquery"
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
    :param password: Password; hidden wherever it could be seen, and never rendered.
    :param database: Database.
    :param schema: Schema; ``sfschema`` on the wire.
    :param warehouse: Warehouse, if not the user's default.
    """

    type = "snowflake"
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
    Read ``{"type": …, "config": …}``.

    :raises aporia_provider.errors.ValidationError: for an unknown type or a wrong config, naming every fault.
    """
    return _type_of(value)(**value["config"])


def stored_data_source(value: Any) -> DataSource:
    """
    Read a data source that was registered before, in the form of the wire.

    Its path is not checked, since earlier releases accepted other paths: it is checked when data is read, see
    :func:`aporia_provider.engine.readers.on_s3`.

    :raises aporia_provider.errors.ValidationError: as :func:`data_source_from_wire`, but for the path.
    """
    source = _type_of(value)
    try:
        return source.model_validate(value["config"], context=_STORED)
    except pydantic.ValidationError as error:
        raise explain(error, source.__name__) from None


def _type_of(value: Any) -> type[DataSource]:
    if not isinstance(value, Mapping) or not isinstance(value.get("config"), Mapping):
        raise ValidationError('A data source is written {"type": …, "config": {…}}')
    source = DATA_SOURCES.get(str(value.get("type")))
    if source is None:
        known = ", ".join(DATA_SOURCES)
        raise ValidationError(f"There is no data source type {value.get('type')!r}; there are {known}")
    return source


def as_data_source(value: DataSource | Mapping[str, Any]) -> DataSource:
    """A data source given as itself or in the form of the wire."""
    return value if isinstance(value, DataSource) else data_source_from_wire(value)


def with_login(source: DataSource, user: str | None, password: str | None) -> DataSource:
    """
    Copy a data source with the user and the password of a connection.

    :raises aporia_provider.errors.ValidationError: if it takes none.
    """
    if "password" not in type(source).model_fields:
        raise ValidationError(f"A data source of type {source.type} takes no user and password")
    secret = SecretStr(password) if password is not None else None
    return source.model_copy(update={"user": user, "password": secret})


def _reveal(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


_HARMLESS = frozenset(
    (
        *("sample_size", "select_expr", "object_format", "query", "table", "dataset", "project"),
        *("parent_project", "database", "sfschema", "warehouse"),
    )
)
"""Fields that are shown as they are. What is not listed here or in :data:`_SHOWN` is hidden."""


def _hide(name: str, value: Any) -> Any:
    if value is None or name in _HARMLESS:
        return value
    shown = _SHOWN.get(name)
    return shown(value) if shown else HIDDEN


def _shown_path(path: str) -> str:
    """A path of S3 or of the disk; of one with a fault no more than of a URL."""
    return shown_url(path) if location_fault(path) or secret_fault(path) else path


def _shown_options(options: Mapping[str, str]) -> dict[str, str]:
    return {name: shown_option(name, value) for name, value in options.items()}


_SHOWN: Mapping[str, Callable[[Any], Any]] = {
    "object_path": _shown_path,
    "read_options": _shown_options,
    "s3_output_location": shown_url,
    "url": shown_url,
    "user": shown_user,
}
