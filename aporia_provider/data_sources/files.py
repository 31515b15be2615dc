"""Data sources that consist of files, with or without a Delta log."""

from __future__ import annotations

from typing import Annotated

from aporia_provider.base_model import one_of
from aporia_provider.data_sources.base import DataSource
from aporia_provider.data_sources.fields import Location
from aporia_provider.data_sources.redacted_fields import redact_path
from aporia_provider.locations import location_fault, location_uri

OBJECT_FORMATS = ("parquet", "csv", "json", "delta")


class S3DataSource(DataSource):
    """
    Files on S3 or on a local disk.

    :param object_path: ``bucket/key``, ``s3://bucket/key``, ``s3a://bucket/key``, an absolute local path, or
        ``file:///path``, the only percent-encoded form. For formats other than ``delta``, ``*``, ``?``,
        ``[…]`` and ``{…}`` are patterns, unless a local file or folder has exactly that name.
    :param object_format: ``delta``, ``parquet``, ``csv`` or ``json``.
    """

    type = "s3"
    readable = True
    template_fields = (*DataSource.template_fields, "object_path", "object_format")

    object_path: Location
    object_format: Annotated[str, one_of(*OBJECT_FORMATS)]

    @property
    def uri(self) -> str:
        """
        The path with its scheme, see :func:`aporia_provider.locations.location_uri`.

        If the form of the path is not supported, so that no data can be read, it is the path with secrets
        hidden.
        """
        return (
            redact_path(self.object_path)
            if location_fault(self.object_path)
            else location_uri(self.object_path)
        )

    @property
    def delta_uri(self) -> str | None:
        """:attr:`uri` of a Delta table; None for files of other formats."""
        return self.uri if self.object_format == "delta" else None

    @property
    def is_parquet(self) -> bool:
        """Whether the files are Parquet files, with or without a Delta log."""
        return self.object_format in ("delta", "parquet")

    @property
    def plural_name(self) -> str:
        """Plural noun for data sources of this type in messages."""
        return f"{self.object_format} files"

    @property
    def unreadable_reason(self) -> str | None:
        """Why no data can be read from the path; None if its form is supported."""
        fault = location_fault(self.object_path)
        return None if fault is None else f"The data source cannot be read: its object_path {fault}"
