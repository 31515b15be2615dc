"""A data source as a data frame of Spark Connect."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from aporia_provider.columns.types import quoted
from aporia_provider.data_sources import DataSource, S3DataSource
from aporia_provider.engine.dataframes.nan_statistics import BY_VALUES, by_values
from aporia_provider.engine.error_messages import UnknownColumnError, engine_errors
from aporia_provider.engine.source_paths import engine_path
from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.nearest import nearest
from aporia_provider.redaction import HIDDEN

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_PARTS = 1_000_000
_PATTERNS = ": '*', '?', '[' and '{' begin patterns there"


def read(
    spark: SparkSession,
    source: DataSource,
    *,
    embedded: bool = True,
    sample_by: str | None = None,
    values_only: bool = False,
) -> DataFrame:
    """
    Read a data source: its options, its expressions, its sample.

    :param spark: Session, see :func:`aporia_provider.engine.session.spark_session`.
    :param source: What to read. Options whose values are hidden are left out.
    :param embedded: Whether the embedded engine reads. Apache Spark knows S3 as ``s3a://`` only.
    :param sample_by: Column whose values choose the sample: the same ids are taken of every table, at every
        read. Without, the row as a whole chooses.
    :param values_only: Whether to read all files and trust no statistics of them, see
        :mod:`aporia_provider.engine.dataframes.nan_statistics`.
    :raises aporia_provider.errors.ValidationError: if the source has no reader, or the engine refuses its
        options or expressions.
    :raises aporia_provider.errors.NotFoundError: if there is nothing at its path.
    """
    check_readable(source)
    with engine_errors(source):
        options = {key: value for key, value in (source.read_options or {}).items() if HIDDEN not in value}
        if values_only:
            options |= BY_VALUES
        frame = READERS[source.type](spark, source, options, embedded)
        if source.select_expr:
            frame = frame.selectExpr(*source.select_expr)
        if values_only:
            frame = by_values(frame)
        return frame if source.sample_size == 1 else _sample(frame, source.sample_size, sample_by)


def columns(spark: SparkSession, source: DataSource, *, embedded: bool = True) -> list[tuple[str, Any]]:
    """
    Names and types (Spark's JSON form) of the columns a source gives, without a scan.

    Parameters and errors: those of :func:`read`.
    """
    frame = read(spark, source, embedded=embedded)
    try:
        with engine_errors(source):
            return [(item["name"], item["type"]) for item in frame.schema.jsonValue()["fields"]]
    except UnknownColumnError:
        plain = read(spark, source.model_copy(update={"select_expr": None}), embedded=embedded)
        faults = "; ".join(_unknown_columns(plain, source))
        raise ValidationError(f"{source.label} could not be read: {faults}") from None


def _unknown_columns(frame: DataFrame, source: DataSource) -> Iterator[str]:
    """A line for each expression that names a column which is not there, with the nearest that is."""
    with engine_errors(source):
        names = frame.columns
    for place, expression in enumerate(source.select_expr or []):
        try:
            with engine_errors(source):
                frame.selectExpr(expression).schema  # noqa: B018
        except UnknownColumnError as error:
            column = error.column
            yield f"select_expr[{place}]: there is no column {column!r}, {nearest(column, names)}"


def check_readable(source: DataSource) -> None:
    """
    Refuse a data source that the engine has no reader for, or whose path is not supported.

    :raises aporia_provider.errors.ValidationError: if it cannot be read; it says why and what to do instead.
    """
    if fault := source.unreadable_reason:
        raise ValidationError(fault)


def _read_files(
    spark: SparkSession, source: S3DataSource, options: Mapping[str, str], embedded: bool
) -> DataFrame:
    path = engine_path(spark, source, embedded)
    frame = spark.read.format(source.object_format).options(**options).load(path)
    if not frame.columns:
        hint = _PATTERNS if source.is_on_s3 and re.search(r"[*?[{]", source.uri) else ""
        raise NotFoundError(f"There are no {source.content} at {source.uri}{hint}")
    return frame


READERS: Mapping[str, Callable[[SparkSession, Any, Mapping[str, str], bool], DataFrame]] = {
    S3DataSource.type: _read_files,
}
"""
For each type of data source that is :attr:`~aporia_provider.data_sources.DataSource.readable`, the function
that makes a data frame of it. Its arguments are the session, the data source, the options of the reader, and
whether the engine is the embedded one.
"""


def _sample(frame: DataFrame, size: float, sample_by: str | None) -> DataFrame:
    # Not DataFrame.sample(): a sync that is repeated has to see the same rows, and Sail heeds no seed.
    # In an order of their own: Spark sorts the columns of JSON, Sail does not.
    chosen = [sample_by] if sample_by is not None else sorted(_hashable(frame))
    texts = (f"cast({quoted(name)} AS string)" for name in chosen)
    return frame.where(f"pmod(xxhash64({', '.join(texts)}), {_PARTS}) < {round(size * _PARTS)}")


def _hashable(frame: DataFrame) -> list[str]:
    fields = frame.schema.jsonValue()["fields"]
    plain = [field["name"] for field in fields if not isinstance(field["type"], dict)]
    return plain or [field["name"] for field in fields]
