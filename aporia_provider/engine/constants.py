"""
NaN that statistics would hide.

The embedded engine reads a column of a Delta table's file as one and the same value where the log says that
its least value is its greatest and that nothing is null (apache/datafusion#19089, Sail 0.7). Statistics leave
NaN out, so NaN beside one other value would become that value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from aporia_provider.columns.types import quoted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

BY_VALUES = {"metadataAsDataRead": "true"}
"""By this the embedded engine reads a Delta table without statistics, if no condition asks for them."""
_AT_ONCE = 500


def hides_nan(spark: SparkSession, columns: Mapping[str, str], files: Mapping[str, int]) -> bool:
    """
    Whether files in which columns seem to be constant have NaN there, which the engine would not see.

    :param spark: Session.
    :param columns: Column, as the files name it, to its type, ``float`` or ``double``.
    :param files: Paths of the files, which are Parquet, to how many rows each has.
    """
    paths = sorted(files)
    if not paths or not _is_sail(spark):
        return False
    parts = (paths[start : start + _AT_ONCE] for start in range(0, len(paths), _AT_ONCE))
    return any(_have_nan(spark, columns, {path: files[path] for path in part}) for part in parts)


def by_values(frame: DataFrame) -> DataFrame:
    """The same rows, behind something that keeps conditions on them from the files and their statistics."""
    # An engine does not move a condition on what it takes for random.
    names = map(quoted, frame.columns)
    return frame.selectExpr(*(f"if(rand() < 2, {name}, NULL) AS {name}" for name in names))


def _have_nan(spark: SparkSession, columns: Mapping[str, str], files: Mapping[str, int]) -> bool:
    from pyspark.errors import PySparkException

    schema = ", ".join(f"{quoted(name)} {type_}" for name, type_ in columns.items())
    found = " OR ".join(f"coalesce(isnan({quoted(name)}), false)" for name in columns)
    try:
        frame = spark.read.schema(schema).parquet(*files)
        (row,) = frame.selectExpr("count(*) AS rows", f"max({found}) AS found").collect()
    except PySparkException:
        # Whatever is wrong with them is told by the read that comes next.
        return True
    # A path that the engine takes for another one brings no rows, and no error.
    return bool(row["found"]) or row["rows"] != sum(files.values())


def _is_sail(spark: SparkSession) -> bool:
    """Sail answers with the version of Spark that it stands for, but calls itself by its own."""
    return not spark.sql("SELECT version()").collect()[0][0].startswith(spark.version)
