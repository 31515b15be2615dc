"""Selection of the files of a table that may hold given rows, from the statistics in its log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from aporia_provider.backend.store.buckets import Interval
from aporia_provider.columns.types import kind
from aporia_provider.engine.dataframes.labels import IdRange, rows_in_id_range
from aporia_provider.engine.dataframes.times import rows_in_intervals
from aporia_provider.lake.failures import local_path
from aporia_provider.lake.log.file_statistics import FileStatistics
from aporia_provider.lake.log.table import DeltaLog
from aporia_provider.monitoring.arrow import as_microseconds

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Bounds = tuple[Any, Any] | None

_SECOND = 1_000_000
_COUNT_COLUMNS = ("path", "num_records", "deleted")


@dataclass(frozen=True)
class RowSelection:
    """
    A selection of rows of a table.

    :param log: Log of the table.
    :param files: Files that may contain these rows, with statistics of ``columns``.
    :param columns: Columns that will be read.
    :param filter_column: Column of the table by which the rows are selected; None for all rows.
    :param filter_rows: Function that filters a data frame with this column.
    """

    log: DeltaLog
    files: FileStatistics
    columns: Sequence[str]
    filter_column: str | None = None
    filter_rows: Callable[[DataFrame], DataFrame] = lambda rows: rows


@dataclass(frozen=True)
class TableFiles:
    """
    The files of a table, searchable by timestamp and id.

    :param log: Log of the table.
    :param time_column: Column of the table with the timestamps; None if they are computed by an expression.
    :param id_column: Column of the table with the ids; None if they are computed by an expression.
    """

    log: DeltaLog
    time_column: str | None
    id_column: str | None

    def in_intervals(
        self, intervals: Sequence[Interval] | None, columns: Sequence[str] = ()
    ) -> FileStatistics:
        """
        Return the files that may hold rows of some time intervals.

        :param intervals: Half-open intervals in seconds since 1970, UTC; None for all rows.
        :param columns: Further columns whose statistics are required.
        """
        if intervals is None or self.time_column is None:
            return self.log.files(columns)
        files = self.log.files([*columns, self.time_column])
        return _overlapping(files, self._time_bounds(files), _microseconds(intervals))

    def with_ids(self, ids: IdRange | None, columns: Sequence[str] = ()) -> FileStatistics:
        """
        Return the files that may hold rows whose ids are in a range.

        :param ids: The range; None for all rows.
        :param columns: Further columns whose statistics are required.
        """
        if ids is None or not self.has_comparable_ids(ids):
            return self.log.files(columns)
        assert self.id_column is not None  # noqa: S101
        files = self.log.files([*columns, self.id_column])
        spans = [] if ids.least is None else [(ids.least, ids.greatest)]
        return _overlapping(files, files.file_bounds(self.id_column), spans)

    def rows_in_intervals(self, intervals: Sequence[Interval] | None, columns: Sequence[str]) -> RowSelection:
        """Return the selection of rows of some time intervals. Parameters: see :meth:`in_intervals`."""
        files, time = self.in_intervals(intervals, columns), self.time_column
        if intervals is None or time is None:
            return RowSelection(self.log, files, columns)
        return RowSelection(
            self.log, files, columns, time, lambda rows: rows_in_intervals(rows, time, intervals, False)
        )

    def rows_with_ids(self, ids: IdRange | None, columns: Sequence[str]) -> RowSelection:
        """Return the selection of rows whose ids are in a range. For the parameters see :meth:`with_ids`."""
        files, column = self.with_ids(ids, columns), self.id_column
        if ids is None or column is None or not self.has_comparable_ids(ids):
            return RowSelection(self.log, files, columns)
        return RowSelection(
            self.log, files, columns, column, lambda rows: rows_in_id_range(rows, column, ids)
        )

    def ids_in_intervals(self, intervals: Sequence[Interval] | None) -> IdRange | None:
        """
        Return the range of the ids of rows of some time intervals.

        :return: None if the range is unknown, or the files also hold rows of other times.
        """
        if intervals is None or self.time_column is None or self.id_column is None:
            return None
        if self._id_kind != "integral":
            return None  # Bounds of text are truncated.
        files = self.in_intervals(intervals, [self.id_column])
        bounds = files.bounds(self.id_column)
        if bounds is None or not _all_within(self._time_bounds(files), _microseconds(intervals)):
            return None
        return IdRange("integral", *bounds)

    def _time_bounds(self, files: FileStatistics) -> Bounds:
        """Return the smallest and largest timestamp of each file, in microseconds since 1970."""
        bounds = files.file_bounds(self.time_column or "")
        return None if bounds is None else (as_microseconds(bounds[0]), as_microseconds(bounds[1]))

    def has_comparable_ids(self, ids: IdRange) -> bool:
        """Return whether the ids of the table are comparable with a range."""
        return self.id_column is not None and self._id_kind == ids.kind

    @property
    def _id_kind(self) -> str:
        return kind(dict(self.log.metadata.columns)[self.id_column or ""])


def count_and_size(files: FileStatistics) -> tuple[int, int]:
    """Return the number of files and their total size in bytes."""
    sizes = files.table["size_bytes"].to_pylist()
    return len(sizes), sum(sizes)


def columns_in_files(log: DeltaLog, names: Iterable[str]) -> Mapping[str, str]:
    """
    Return the columns that the data files of a table hold.

    :param log: Log of the table.
    :param names: Columns of the table.
    :return: Logical names by physical names, without partition columns.
    """
    physical_names = {logical: name for name, logical in log.metadata.physical_names.items()}
    return {
        physical_names.get(name, name): name for name in names if name not in log.metadata.partition_columns
    }


def row_counts(log: DeltaLog, files: FileStatistics) -> Mapping[str, int]:
    """Return the number of rows, including deleted ones, by location of the file."""
    root = log.uri if log.uri.startswith("s3://") else local_path(log.uri)
    counts = {}
    for path, rows, deleted in zip(*(files.table[name].to_pylist() for name in _COUNT_COLUMNS), strict=True):
        location = path if "://" in path else f"{root}/{unquote(path)}"
        counts[location] = (rows or 0) + deleted
    return counts


def _microseconds(intervals: Iterable[Interval]) -> list[tuple[int, int]]:
    """Return closed intervals in microseconds."""
    return [(start * _SECOND, end * _SECOND - 1) for start, end in intervals]


def _overlapping(files: FileStatistics, bounds: Bounds, spans: Iterable[tuple[Any, Any]]) -> FileStatistics:
    """Return the files that may have values in one of the closed intervals."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if bounds is None:
        return files
    least, greatest = bounds
    overlaps = pa.chunked_array([pa.repeat(pa.scalar(False), files.file_count)])
    for start, end in spans:
        overlaps = pc.or_(overlaps, pc.and_(pc.less_equal(least, end), pc.greater_equal(greatest, start)))
    # Files without statistics may hold any value.
    return files.filter(pc.fill_null(overlaps, True))


def _all_within(bounds: Bounds, spans: Iterable[tuple[Any, Any]]) -> bool:
    """Return whether the values of each file lie within one of the closed intervals."""
    if bounds is None:
        return False
    least, greatest = (bound.to_pylist() for bound in bounds)
    spans = list(spans)
    return all(
        low is not None and any(start <= low and high <= end for start, end in spans)
        for low, high in zip(least, greatest, strict=True)
    )
