"""Detection of file statistics that the engine must not use in place of values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from aporia_provider.backend.sync.reading.changed_files import Wanted, columns_in_files, rows_of
from aporia_provider.engine.dataframes.nan_statistics import hold_the_same, stored
from aporia_provider.engine.session import is_sail

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def bounds_mislead(spark: SparkSession, wanted: Wanted, read: Callable[[], DataFrame]) -> bool:
    """
    Return whether the engine may use bounds from file statistics that differ from the values of rows.

    If all files have to be read anyway, True is returned without a comparison, which would cost as much.

    :param spark: Spark session.
    :param wanted: The rows.
    :param read: Function that returns all rows of the table, read with statistics.
    """
    from pyspark.errors import PySparkException

    doubtful = wanted.files.doubtful(wanted.columns)
    if not doubtful or not is_sail(spark):
        return False
    if wanted.place is None:
        return True
    try:
        return not _agree(spark, wanted, wanted.place, doubtful, read())
    except PySparkException:
        # The subsequent read reports the problem with the files.
        return True


def _agree(
    spark: SparkSession, wanted: Wanted, place: str, doubtful: Sequence[str], frame: DataFrame
) -> bool:
    """Return whether the engine reads the same values with statistics as without them."""
    held = columns_in_files(wanted.log, dict.fromkeys([*doubtful, place]))
    frames = stored(spark, rows_of(wanted.log, wanted.files), frame.schema, held)
    if frames is None:
        return False
    if place in held.values():
        frames = [wanted.chosen(part) for part in frames]
    return hold_the_same([wanted.chosen(frame)], frames, doubtful)
