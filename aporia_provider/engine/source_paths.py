"""Paths of data sources in the form that an engine requires."""

from __future__ import annotations

import glob
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from aporia_provider.engine.error_messages import APACHE_SPARK
from aporia_provider.engine.session import is_sail
from aporia_provider.errors import ValidationError
from aporia_provider.lake.failures import local_path
from aporia_provider.lake.folder_links import PLAIN, plain_path

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from aporia_provider.data_sources import DataSource, S3DataSource

_PATTERN_CHARACTERS = "*?[]{},!^"
_S3, _FILE = "s3://", "file://"
# Characters that Sail encodes in the path of a Delta table, so that it does not find the log or the files.
_UNSUPPORTED_IN_KEYS = re.compile(r"[^A-Za-z0-9_./+=@,:;!$&'()-]")


def engine_path(spark: SparkSession, source: S3DataSource, embedded: bool) -> str:
    """
    Return the path with which an engine reads the URI of a data source.

    Sail decodes percent-encoding and expands patterns for files, but not for Delta tables. Apache Spark never
    decodes, and supports only ``s3a://`` for S3.

    :param spark: A session of the engine.
    :param embedded: Whether the engine is the embedded one.
    :raises aporia_provider.errors.ValidationError: if the engine cannot read a Delta table at this path.
    """
    is_root = source.uri.startswith(_S3) and "/" not in source.uri.removeprefix(_S3)
    uri = f"{source.uri}/" if is_root else source.uri
    if not embedded and (PLAIN.fullmatch(uri) or not is_sail(spark)):
        return _path_for_spark(uri)
    if fault := key_fault(source):
        raise ValidationError(fault)
    return _table_path_for_sail(uri) if source.object_format == "delta" else _files_path_for_sail(uri)


def key_fault(source: DataSource) -> str | None:
    """Return why Sail cannot read a Delta table because of its S3 key; None if it can."""
    uri = source.delta_uri
    if uri is None or not uri.startswith(_S3):
        return None
    if not (unsupported := _UNSUPPORTED_IN_KEYS.findall(uri.removeprefix(_S3))):
        return None
    characters = ", ".join(sorted(set(map(repr, unsupported))))
    return (
        f"{uri} has {characters} in its path: the embedded engine cannot read a Delta table there. "
        f"Copy the table to a path of ASCII letters and digits, or {APACHE_SPARK}"
    )


def _path_for_spark(uri: str) -> str:
    if uri.startswith(_FILE):
        return f"{_FILE}{local_path(uri)}"
    return re.sub(r"^s3://", "s3a://", uri)


def _table_path_for_sail(uri: str) -> str:
    if uri.startswith(_FILE):
        return f"{_FILE}{plain_path(local_path(uri))}"
    return uri


def _files_path_for_sail(uri: str) -> str:
    if uri.startswith(_S3):
        return f"{_S3}{quote(uri.removeprefix(_S3), safe=f'/{_PATTERN_CHARACTERS}')}"
    path = local_path(uri)
    # A name that exists is not treated as a pattern.
    is_literal = (not glob.has_magic(path) and "{" not in path) or Path(path).exists()
    return f"{_FILE}{quote(path, safe='/' if is_literal else f'/{_PATTERN_CHARACTERS}')}"
