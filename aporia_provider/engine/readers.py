"""Reading of data sources as Spark Connect data frames."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from aporia_provider.columns.types import quoted
from aporia_provider.data_sources import DataSource, S3DataSource
from aporia_provider.engine.dataframes.nan_statistics import IGNORE_STATISTICS, without_pushdown
from aporia_provider.engine.error_messages import UnknownColumnError, engine_errors
from aporia_provider.engine.source_paths import engine_path
from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.nearest import nearest
from aporia_provider.redaction import HIDDEN

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_SAMPLE_PARTS = 1_000_000
_PATTERN_HINT = ": '*', '?', '[' and '{' begin patterns in it"


def read(
    spark: SparkSession,
    source: DataSource,
    *,
    embedded: bool = True,
    sample_by: str | None = None,
    ignore_statistics: bool = False,
) -> DataFrame:
    """
    Return a data source as a data frame, with its options, expressions and sampling applied.

    :param spark: Session, see :func:`aporia_provider.engine.session.spark_session`.
    :param source: The data source. Options whose values are hidden are left out.
    :param embedded: Whether the engine is the embedded one. Apache Spark supports only ``s3a://`` for S3.
    :param sample_by: Column whose values determine the sample, so that the same ids are sampled from all
        tables and in all reads. Default: all columns.
    :param ignore_statistics: Whether to read all files without using their statistics, see
        :mod:`aporia_provider.engine.dataframes.nan_statistics`.
    :raises aporia_provider.errors.ValidationError: if the source has no reader, or the engine rejects its
        options or expressions.
    :raises aporia_provider.errors.NotFoundError: if there are no files at its path.
    """
    check_readable(source)
    with engine_errors(source):
        options = {key: value for key, value in (source.read_options or {}).items() if HIDDEN not in value}
        if ignore_statistics:
            options |= IGNORE_STATISTICS
        frame = READERS[source.type](spark, source, options, embedded)
        if source.select_expr:
            frame = frame.selectExpr(*source.select_expr)
        if ignore_statistics:
            frame = without_pushdown(frame)
        return frame if source.sample_size == 1 else _sample(frame, source.sample_size, sample_by)


def columns(spark: SparkSession, source: DataSource, *, embedded: bool = True) -> list[tuple[str, Any]]:
    """
    Return the names and types (Spark's JSON form) of the columns of a data source, without a scan.

    Parameters and errors: see :func:`read`.
    """
    frame = read(spark, source, embedded=embedded)
    try:
        with engine_errors(source):
            return [(item["name"], item["type"]) for item in frame.schema.jsonValue()["fields"]]
    except UnknownColumnError:
        unmodified = read(spark, source.model_copy(update={"select_expr": None}), embedded=embedded)
        faults = "; ".join(_unknown_columns(unmodified, source))
        raise ValidationError(f"{source.label} could not be read: {faults}") from None


def _unknown_columns(frame: DataFrame, source: DataSource) -> Iterator[str]:
    """Yield a line for each expression with an unknown column, naming the most similar column."""
    with engine_errors(source):
        names = frame.columns
    for index, expression in enumerate(source.select_expr or []):
        try:
            with engine_errors(source):
                frame.selectExpr(expression).schema  # noqa: B018
        except UnknownColumnError as error:
            column = error.column
            yield f"select_expr[{index}]: there is no column {column!r}, {nearest(column, names)}"


def check_readable(source: DataSource) -> None:
    """
    Raise an error if the engine has no reader for a data source, or if its path is not supported.

    :raises aporia_provider.errors.ValidationError: with the reason and an alternative.
    """
    if fault := source.unreadable_reason:
        raise ValidationError(fault)


def _read_files(
    spark: SparkSession, source: S3DataSource, options: Mapping[str, str], embedded: bool
) -> DataFrame:
    path = engine_path(spark, source, embedded)
    frame = spark.read.format(source.object_format).options(**options).load(path)
    if not frame.columns:
        hint = _PATTERN_HINT if source.is_on_s3 and re.search(r"[*?[{]", source.uri) else ""
        raise NotFoundError(f"There are no {source.plural_name} at {source.uri}{hint}")
    return frame


READERS: Mapping[str, Callable[[SparkSession, Any, Mapping[str, str], bool], DataFrame]] = {
    S3DataSource.type: _read_files,
}
"""
Types of data sources that are :attr:`~aporia_provider.data_sources.DataSource.readable`, to functions that
return a data frame. Their arguments are the session, the data source, the reader options, and whether the
engine is the embedded one.
"""


def _sample(frame: DataFrame, size: float, sample_by: str | None) -> DataFrame:
    # DataFrame.sample() is not used: a repeated sync must read the same rows, and Sail ignores the seed. The
    # columns are sorted, since Spark sorts the columns of JSON files and Sail does not.
    sample_columns = [sample_by] if sample_by is not None else sorted(_hashable_columns(frame))
    texts = (f"cast({quoted(name)} AS string)" for name in sample_columns)
    return frame.where(f"pmod(xxhash64({', '.join(texts)}), {_SAMPLE_PARTS}) < {round(size * _SAMPLE_PARTS)}")


def _hashable_columns(frame: DataFrame) -> list[str]:
    fields = frame.schema.jsonValue()["fields"]
    scalars = [field["name"] for field in fields if not isinstance(field["type"], dict)]
    return scalars or [field["name"] for field in fields]
