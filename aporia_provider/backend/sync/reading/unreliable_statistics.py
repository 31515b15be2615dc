"""Detection of file statistics that the engine must not use in place of values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from aporia_provider.backend.sync.reading.file_selection import RowSelection, columns_in_files, row_counts
from aporia_provider.engine.dataframes.nan_statistics import have_equal_rows, read_parquet_files
from aporia_provider.engine.session import is_sail

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def are_statistics_unreliable(
    spark: SparkSession, selection: RowSelection, read: Callable[[], DataFrame]
) -> bool:
    """
    Return whether the engine may use bounds from file statistics that differ from the values of rows.

    If all files have to be read anyway, True is returned without a comparison, which would cost as much.

    :param spark: Spark session.
    :param selection: The rows.
    :param read: Function that returns all rows of the table, read with statistics.
    """
    from pyspark.errors import PySparkException

    doubtful = selection.files.seemingly_constant_columns(selection.columns)
    if not doubtful or not is_sail(spark):
        return False
    if selection.filter_column is None:
        return True
    try:
        return not _match_values(spark, selection, selection.filter_column, doubtful, read())
    except PySparkException:
        # The subsequent read reports the problem with the files.
        return True


def _match_values(
    spark: SparkSession,
    selection: RowSelection,
    filter_column: str,
    doubtful: Sequence[str],
    frame: DataFrame,
) -> bool:
    """Return whether the engine reads the same values with statistics as without them."""
    file_columns = columns_in_files(selection.log, dict.fromkeys([*doubtful, filter_column]))
    frames = read_parquet_files(spark, row_counts(selection.log, selection.files), frame.schema, file_columns)
    if frames is None:
        return False
    if filter_column in file_columns.values():
        frames = [selection.filter_rows(file_frame) for file_frame in frames]
    return have_equal_rows([selection.filter_rows(frame)], frames, doubtful)
