"""
Reading of Parquet files without the embedded engine's use of statistics for constant columns.

The embedded engine does not read a column of a Delta table's file if the minimum in the log equals the
maximum and there are no nulls: it uses that bound for all rows (apache/datafusion#19089, Sail 0.7). But
bounds are not exact: they exclude NaN, writers round them, and the engine rounds them again when it parses
their JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aporia_provider.columns.types import quoted
from aporia_provider.engine.dataframes.value_hashes import hash64

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

IGNORE_STATISTICS = {"metadataAsDataRead": "true"}
"""
Reader option with which the embedded engine ignores the statistics of a Delta table, unless a filter requires
them.
"""
_FILES_PER_READ = 500
# The sum of these hashes fits into 64 bits for any possible number of rows.
_MODULUS = 2**31


def without_pushdown(frame: DataFrame) -> DataFrame:
    """Return the same rows, such that filters on them are not pushed down to files and statistics."""
    # An engine does not push down filters on nondeterministic expressions.
    names = map(quoted, frame.columns)
    return frame.selectExpr(*(f"if(rand() < 2, {name}, NULL) AS {name}" for name in names))


def read_parquet_files(
    spark: SparkSession, files: Mapping[str, int], schema: StructType, columns: Mapping[str, str]
) -> list[DataFrame] | None:
    """
    Return the rows of Parquet files, read without the log.

    :param spark: A session.
    :param files: Paths of the files, to numbers of rows.
    :param schema: Schema of the table.
    :param columns: Column names in the files, to column names in the table.
    :return: Frames with the table's columns; None if the engine misinterprets a path.
    """
    from pyspark.sql.types import StructField, StructType

    paths = sorted(files)
    file_schema = StructType([StructField(name, schema[column].dataType) for name, column in columns.items()])
    frames = []
    for start in range(0, len(paths), _FILES_PER_READ):
        batch = paths[start : start + _FILES_PER_READ]
        frame = spark.read.schema(file_schema).parquet(*batch)
        # If the engine misinterprets a path, it reads no rows and raises no error.
        if frame.count() != sum(files[path] for path in batch):
            return None
        frames.append(
            frame.selectExpr(*(f"{quoted(name)} AS {quoted(column)}" for name, column in columns.items()))
        )
    return frames


def have_equal_rows(left: Sequence[DataFrame], right: Sequence[DataFrame], columns: Sequence[str]) -> bool:
    """Return whether frames have the same rows in the given columns, in any order, by comparing hashes."""
    return _digest(left, columns) == _digest(right, columns)


def _digest(frames: Sequence[DataFrame], columns: Sequence[str]) -> tuple[int, ...]:
    hashed = f"pmod({hash64(*map(quoted, columns))}, {_MODULUS})"
    aggregates = ("count(*) AS rows", f"coalesce(sum({hashed}), 0) AS hashes")
    rows: list[Any] = [frame.selectExpr(*aggregates).collect()[0] for frame in frames]
    return tuple(sum(row[index] for row in rows) for index in range(2))
