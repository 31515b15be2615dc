"""Data sources that are files, with or without a Delta log."""

from __future__ import annotations

from typing import Annotated

from aporia_provider.base_model import one_of
from aporia_provider.data_sources.base import DataSource
from aporia_provider.data_sources.fields import Location
from aporia_provider.data_sources.shown_fields import shown_path
from aporia_provider.locations import location_fault, uri_of

OBJECT_FORMATS = ("parquet", "csv", "json", "delta")


class S3DataSource(DataSource):
    """
    Files on S3, or on a local disk.

    :param object_path: ``bucket/key``, ``s3://bucket/key``, ``s3a://bucket/key``, an absolute local path, or
        ``file:///path``, of which only the last is percent-encoded. ``*``, ``?``, ``[…]`` and ``{…}`` in the
        paths of other formats than ``delta`` are patterns, unless a local file or folder has that very name.
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
        The path with its scheme, see :func:`aporia_provider.locations.uri_of`. A path whose form is not
        supported is returned as it may be shown: nothing can be read from there.
        """
        return shown_path(self.object_path) if location_fault(self.object_path) else uri_of(self.object_path)

    @property
    def delta_uri(self) -> str | None:
        """:attr:`uri` of a Delta table; None for files of other formats."""
        return self.uri if self.object_format == "delta" else None

    @property
    def is_parquet(self) -> bool:
        """Whether the files are Parquet files, with or without a Delta log."""
        return self.object_format in ("delta", "parquet")

    @property
    def content(self) -> str:
        """What is read, in messages, in the plural."""
        return f"{self.object_format} files"

    @property
    def unreadable_reason(self) -> str | None:
        """Why no data can be read from the path; None if it has a form that is supported."""
        fault = location_fault(self.object_path)
        return None if fault is None else f"The data source cannot be read: its object_path {fault}"
