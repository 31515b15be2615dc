"""Base class of the data sources."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, SecretStr, model_serializer

from aporia_provider.base_model import Name, PublicModel
from aporia_provider.data_sources.fields import ReadOptions
from aporia_provider.data_sources.redacted_fields import redact_field
from aporia_provider.redaction import redact_option


class DataSource(PublicModel):
    """
    Base class of the data sources.

    :param sample_size: Fraction of the rows to read, above 0 and up to 1.
    :param select_expr: Spark SQL expressions, one for each column of the dataset. ``["*", "a + b AS c"]``
        keeps the existing columns.
    :param read_options: Options of the Spark reader. Integers, floats and booleans are converted to text as
        PySpark does: ``True`` and ``"true"`` are equal. Values of options that are not known to be harmless
        are hidden and not stored, see :mod:`aporia_provider.redaction.reader_options`: give credentials in an
        Airflow connection.
    """

    type: ClassVar[str]
    readable: ClassVar[bool] = False
    """Whether the engine has a reader for this type, see :data:`aporia_provider.engine.readers.READERS`."""
    missing_component: ClassVar[str] = "a connector"
    """Component that an engine would need to read it."""
    template_fields: ClassVar[tuple[str, ...]] = ("select_expr", "read_options")

    sample_size: Annotated[int | float, Field(gt=0, le=1)] = 1.0
    select_expr: list[Name] | None = None
    read_options: ReadOptions | None = None

    @property
    def uri(self) -> str | None:
        """URI of the files; None if the data is not in files on S3 or a local disk."""
        return None

    @property
    def delta_uri(self) -> str | None:
        """URI of the Delta table; None for other data sources."""
        return None

    @property
    def is_parquet(self) -> bool:
        """Whether the files are Parquet files."""
        return False

    @property
    def is_on_s3(self) -> bool:
        """Whether the data is read from S3."""
        return (self.uri or "").startswith("s3://")

    @property
    def label(self) -> str:
        """Name of the data source in messages."""
        return self.uri or f"the data source of type {self.type!r}"

    @property
    def plural_name(self) -> str:
        """Plural noun for data sources of this type in messages."""
        return f"data sources of type {self.type!r}"

    @property
    def unreadable_reason(self) -> str | None:
        """Why the embedded backend cannot read the data, and what to do instead; None if it can."""
        if self.readable:
            return None
        return (
            f"A data source of type {self.type!r} cannot be read here: it would require "
            f"{self.missing_component}. Write the data to S3 and connect it as an S3DataSource."
        )

    def to_wire(self) -> dict[str, Any]:
        """Return ``{"type": …, "config": …}`` with secrets in clear text, as sent by the protocol."""
        config = {name: _reveal(getattr(self, name)) for name in self._wire_names()}
        return {"type": self.type, "config": config}

    def serialize(self) -> dict[str, Any]:
        """Return :meth:`to_wire` with secrets hidden, as shown by Airflow and stored by the backend."""
        return {"type": self.type, "config": self._hidden_config()}

    @property
    def hidden_options(self) -> list[str]:
        """Names of the options whose values are hidden, in full or in part, when they are stored."""
        options = self.read_options or {}
        return sorted(name for name, value in options.items() if redact_option(name, value) != value)

    @model_serializer(mode="plain")
    def _hidden_config(self) -> dict[str, Any]:
        """Return the form that pydantic serializes, for instance in an XCom, with secrets hidden."""
        return {name: redact_field(name, getattr(self, name)) for name in self._wire_names()}

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        return [(name, value) for name, value in self.serialize()["config"].items() if value is not None]

    @classmethod
    def _wire_names(cls) -> list[str]:
        return list(cls.model_fields)


def _reveal(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
