"""Whether rows have to be read without the statistics of their files, since the engine would use bounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from aporia_provider.backend.sync.buckets import Interval
from aporia_provider.backend.sync.files import TableFiles, columns_in_files, rows_of
from aporia_provider.engine.constants import hold_the_same, stored, takes_bounds_for_values
from aporia_provider.engine.times import between
from aporia_provider.lake.statistics import FileStatistics

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def bounds_mislead(
    spark: SparkSession,
    files: TableFiles,
    columns: Sequence[str],
    intervals: Sequence[Interval] | None,
    read: Callable[[], DataFrame],
) -> bool:
    """
    Whether the engine may take bounds for values of some columns, and those are not the values.

    Where all files are read anyway, it is not found out what the values are: reading them costs no more.

    :param spark: Session.
    :param files: The files of the table.
    :param columns: Columns of the table that will be looked at.
    :param intervals: The times of the rows, as half-open pairs of seconds since 1970, UTC; None for all rows.
    :param read: Gives the rows of the table as the engine reads them with statistics.
    """
    from pyspark.errors import PySparkException

    found = files.during(intervals, columns)
    doubtful = found.doubtful(columns)
    if not doubtful or not takes_bounds_for_values(spark):
        return False
    if intervals is None or files.time_column is None:
        return True
    try:
        return not _agree(spark, files, found, doubtful, intervals, read())
    except PySparkException:
        # What is wrong with the files is told by the read that comes next.
        return True


def _agree(
    spark: SparkSession,
    files: TableFiles,
    found: FileStatistics,
    doubtful: Sequence[str],
    intervals: Sequence[Interval],
    frame: DataFrame,
) -> bool:
    """Whether the engine reads the same values with statistics as without them."""
    time = files.time_column or ""
    held = columns_in_files(files.log, dict.fromkeys([*doubtful, time]))
    frames = stored(spark, rows_of(files.log, found), frame.schema, held)
    if frames is None:
        return False
    if time in held.values():
        frames = [between(part, time, intervals, False) for part in frames]
    return hold_the_same([between(frame, time, intervals, False)], frames, doubtful)
