"""Whether rows have to be read without the statistics of their files, since the engine would use bounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aporia_provider.backend.sync.files import columns_in_files, rows_of
from aporia_provider.engine.constants import hold_the_same, stored, takes_bounds_for_values
from aporia_provider.lake.delta import DeltaLog
from aporia_provider.lake.statistics import FileStatistics

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Wanted:
    """
    Some rows of a table.

    :param log: The table.
    :param files: The files that may have such rows, with statistics of the columns that will be looked at.
    :param columns: Those columns.
    :param place: The column of the table that tells such rows; None for all rows.
    :param chosen: Leaves such rows of a frame that has this column.
    """

    log: DeltaLog
    files: FileStatistics
    columns: Sequence[str]
    place: str | None
    chosen: Callable[[DataFrame], DataFrame]


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
    if not doubtful or not takes_bounds_for_values(spark):
        return False
    if wanted.place is None:
        return True
    try:
        return not _agree(spark, wanted, wanted.place, doubtful, read())
    except PySparkException:
        # What is wrong with the files is told by the read that comes next.
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
