"""
Values that the embedded engine takes from statistics.

The embedded engine does not read a column of a Delta table's file if the log says that its least value is its
greatest and that nothing is null: it takes that bound for every value (apache/datafusion#19089, Sail 0.7).
Bounds are not values. NaN has no part in them, writers round them, and the engine rounds them once more when
it reads them from JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aporia_provider.columns.types import quoted
from aporia_provider.engine.dataframes.value_hashes import hash64

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

BY_VALUES = {"metadataAsDataRead": "true"}
"""By this the embedded engine reads a Delta table without statistics, if no condition asks for them."""
_AT_ONCE = 500
# The sum of any number of them that a table can have fits into 64 bits.
_MODULUS = 2**31


def by_values(frame: DataFrame) -> DataFrame:
    """The same rows, behind something that keeps conditions on them from the files and their statistics."""
    # An engine does not move a condition on what it takes for random.
    names = map(quoted, frame.columns)
    return frame.selectExpr(*(f"if(rand() < 2, {name}, NULL) AS {name}" for name in names))


def stored(
    spark: SparkSession, files: Mapping[str, int], schema: StructType, columns: Mapping[str, str]
) -> list[DataFrame] | None:
    """
    The rows of files as they are, whatever a log says.

    :param spark: Session.
    :param files: Paths of the files, which are Parquet, to how many rows each has.
    :param schema: Columns of the table, with their types.
    :param columns: What the files call columns to what the table calls them.
    :return: Frames with the table's columns; None if the engine takes one of the paths for another one.
    """
    from pyspark.sql.types import StructField, StructType

    paths = sorted(files)
    wanted = StructType([StructField(name, schema[column].dataType) for name, column in columns.items()])
    frames = []
    for start in range(0, len(paths), _AT_ONCE):
        part = paths[start : start + _AT_ONCE]
        frame = spark.read.schema(wanted).parquet(*part)
        # A path that the engine takes for another one brings no rows, and no error.
        if frame.count() != sum(files[path] for path in part):
            return None
        frames.append(frame.selectExpr(*(f"{quoted(n)} AS {quoted(c)}" for n, c in columns.items())))
    return frames


def hold_the_same(left: Sequence[DataFrame], right: Sequence[DataFrame], columns: Sequence[str]) -> bool:
    """Whether frames have the same rows, in any order and by a hash, as far as columns go."""
    return _digest(left, columns) == _digest(right, columns)


def _digest(frames: Sequence[DataFrame], columns: Sequence[str]) -> tuple[int, ...]:
    hashed = f"pmod({hash64(*map(quoted, columns))}, {_MODULUS})"
    wanted = ("count(*) AS rows", f"coalesce(sum({hashed}), 0) AS hashes")
    found: list[Any] = [frame.selectExpr(*wanted).collect()[0] for frame in frames]
    return tuple(sum(row[place] for row in found) for place in range(2))
