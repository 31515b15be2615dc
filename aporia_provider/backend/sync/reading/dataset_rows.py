"""Rows of a dataset as Spark data frames: all rows, or rows selected by timestamp or id."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aporia_provider.backend.store.buckets import Interval
from aporia_provider.backend.sync.reading.dataset_log import DatasetLog
from aporia_provider.backend.sync.reading.file_selection import RowSelection, columns_in_files
from aporia_provider.backend.sync.reading.unreliable_statistics import are_statistics_unreliable
from aporia_provider.data_sources import DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.engine.dataframes.labels import IdRange, rows_in_id_range
from aporia_provider.engine.dataframes.times import rows_in_intervals
from aporia_provider.engine.error_messages import engine_errors, reject_shallow_clone
from aporia_provider.engine.readers import read
from aporia_provider.engine.session import is_embedded, is_sail
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.s3.page_checksums import uses_plain_http, verify_pages
from aporia_provider.preflight.inspection import diagnosed_errors

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

log = logging.getLogger(__name__)

_VERSION_OPTION = "versionAsOf"


class DatasetRows:
    """
    The rows of a dataset as Spark data frames.

    :param dataset: The dataset.
    :param source: Data source of the dataset.
    :param dataset_log: Log of the dataset, which determines the version that is read.
    :param credentials: Credentials used to access S3; None for the credentials of the environment.
    :param engine: ``embedded``, or the URL ``sc://host:port`` of a cluster.
    :param ignore_statistics: Whether all rows are read without the statistics in the log.
    """

    def __init__(
        self,
        dataset: DatasetConnection,
        source: DataSource,
        dataset_log: DatasetLog,
        credentials: AwsCredentials | None,
        engine: str,
        *,
        ignore_statistics: bool = False,
    ) -> None:
        self._dataset, self._source, self._log = dataset, source, dataset_log
        self._credentials, self._ignore_statistics = credentials, ignore_statistics
        self.embedded = is_embedded(engine)
        self._frames: dict[tuple[int | None, bool], DataFrame] = {}
        self._verified: set[tuple[str, str]] = set()

    def all(
        self, spark: SparkSession, version: int | None = None, *, ignore_statistics: bool = False
    ) -> DataFrame:
        """
        Return all rows after ``select_expr``. The data frame of each version is cached.

        :param spark: Spark session.
        :param version: Version of the table; None for the version of the log.
        :param ignore_statistics: Whether the rows are read without the statistics in the log.
        :raises aporia_provider.errors.AporiaError: if the rows cannot be read.
        """
        delta = self._log.delta
        read_version = delta.version if delta is not None and version is None else version
        key = (read_version, ignore_statistics or self._ignore_statistics)
        if key not in self._frames:
            self._frames[key] = self._read(spark, *key)
        return self._frames[key]

    def in_intervals(
        self,
        spark: SparkSession,
        columns: Iterable[str],
        intervals: Sequence[Interval] | None = None,
        null_timestamps: bool = True,
        version: int | None = None,
    ) -> DataFrame:
        """
        Return the rows of some time intervals, with the values stored in the files.

        :param spark: Spark session.
        :param columns: Columns that are used in addition to the ids.
        :param intervals: Half-open intervals in seconds since 1970, UTC; None for all rows.
        :param null_timestamps: Whether to include rows whose timestamp is null.
        :param version: Version of the table; None for the version of the log.
        :raises aporia_provider.errors.AporiaError: if the rows cannot be read.
        """
        files = self._log.files(version)
        # Rows whose timestamp is null may be in any file.
        file_intervals = None if null_timestamps else intervals
        selection = files.rows_in_intervals(file_intervals, self._source_columns(columns)) if files else None
        rows = self._rows_with_values(spark, selection, version)
        return (
            rows
            if intervals is None
            else rows_in_intervals(rows, self._dataset.timestamp_column, intervals, null_timestamps)
        )

    def with_ids(self, spark: SparkSession, columns: Iterable[str], ids: IdRange | None) -> DataFrame:
        """
        Return the rows whose ids are in a range, with the values stored in the files.

        :param spark: Spark session.
        :param columns: Columns that are used in addition to the ids.
        :param ids: The range; None for all ids.
        :raises aporia_provider.errors.AporiaError: if the rows cannot be read.
        """
        files = self._log.files()
        selection = files.rows_with_ids(ids, self._source_columns(columns)) if files else None
        return rows_in_id_range(self._rows_with_values(spark, selection), self._dataset.id_column, ids)

    @contextmanager
    def read_errors(self) -> Iterator[None]:
        """Convert engine errors to errors that name the table and the problem."""
        with diagnosed_errors(self._source, self._credentials), engine_errors(self._source):
            yield

    def _source_columns(self, columns: Iterable[str]) -> list[str]:
        return self._log.source_columns([self._dataset.id_column, *columns])

    def _rows_with_values(
        self, spark: SparkSession, selection: RowSelection | None, version: int | None = None
    ) -> DataFrame:
        """Return all rows; the selected ones are guaranteed to have the values stored in the files."""
        if selection is None or self._ignore_statistics:
            return self.all(spark, version)
        self._verify_checksums(selection)
        ignore_statistics = self._are_statistics_unreliable(spark, selection)
        if selection.filter_column and ignore_statistics:
            log.info("%s: some bounds in the log are not values, so all files are read", self._source.label)
        return self.all(spark, version, ignore_statistics=ignore_statistics)

    def _verify_checksums(self, selection: RowSelection) -> None:
        """Verify the page checksums of files that are read over plain HTTP, once per file and column."""
        if self._credentials is None or not (
            self.embedded and uses_plain_http(selection.log.uri, self._credentials)
        ):
            return
        file_columns = sorted(
            columns_in_files(
                selection.log,
                {*selection.columns, *([selection.filter_column] if selection.filter_column else [])},
            )
        )
        table_files = set(selection.files.paths).difference(selection.files.outside_paths)
        unverified = {(path, name) for path in table_files for name in file_columns} - self._verified
        verify_pages(selection.log.uri, {path for path, _ in unverified}, file_columns, self._credentials)
        self._verified |= unverified

    def _are_statistics_unreliable(self, spark: SparkSession, selection: RowSelection) -> bool:
        source = self._source_at(selection.log.version).model_copy(
            update={"select_expr": None, "sample_size": 1}
        )
        with self.read_errors():
            return are_statistics_unreliable(
                spark, selection, lambda: read(spark, source, embedded=self.embedded)
            )

    def _read(self, spark: SparkSession, version: int | None, ignore_statistics: bool) -> DataFrame:
        delta = self._log.at(version)
        if delta is not None and (self.embedded or is_sail(spark)):
            # Without this check, the engine would report missing files and advise restoring them.
            reject_shallow_clone(self._source.label, delta.files([]).outside_paths)
        with self.read_errors():
            return read(
                spark,
                self._source_at(version),
                embedded=self.embedded,
                sample_by=self._dataset.id_column,
                ignore_statistics=ignore_statistics,
            )

    def _source_at(self, version: int | None) -> DataSource:
        """Return the data source at a version."""
        if version is None:
            return self._source
        options = (self._source.read_options or {}).items()
        other_options = {key: value for key, value in options if key.lower() != _VERSION_OPTION.lower()}
        return self._source.model_copy(
            update={"read_options": {**other_options, _VERSION_OPTION: str(version)}}
        )
