"""Whether rows have to be read without the statistics of their files, since the engine would use bounds."""

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
    Whether the engine may take bounds for values of some rows, and those are not the values.

    Where all files are read anyway, it is not found out what the values are: reading them costs no more.

    :param spark: Session.
    :param wanted: The rows.
    :param read: Gives all rows of the table as the engine reads them with statistics.
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
        # The read that comes next reports what is wrong with the files.
        return True


def _agree(
    spark: SparkSession, wanted: Wanted, place: str, doubtful: Sequence[str], frame: DataFrame
) -> bool:
    """Whether the engine reads the same values with statistics as without them."""
    held = columns_in_files(wanted.log, dict.fromkeys([*doubtful, place]))
    frames = stored(spark, rows_of(wanted.log, wanted.files), frame.schema, held)
    if frames is None:
        return False
    if place in held.values():
        frames = [wanted.chosen(part) for part in frames]
    return hold_the_same([wanted.chosen(frame)], frames, doubtful)
