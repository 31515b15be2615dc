"""Rows of a dataset as Spark data frames: all rows, or rows selected by timestamp or id."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aporia_provider.backend.store.buckets import Interval
from aporia_provider.backend.sync.reading.changed_files import Wanted, columns_in_files
from aporia_provider.backend.sync.reading.dataset_log import DatasetLog
from aporia_provider.backend.sync.reading.nan_columns import bounds_mislead
from aporia_provider.data_sources import DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.engine.dataframes.labels import IdRange, within
from aporia_provider.engine.dataframes.times import between
from aporia_provider.engine.error_messages import engine_errors, refuse_shallow_clone
from aporia_provider.engine.readers import read
from aporia_provider.engine.session import is_embedded, is_sail
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.s3.page_checksums import travels_in_clear, verify_pages
from aporia_provider.preflight.inspection import diagnosed

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

log = logging.getLogger(__name__)

_VERSION = "versionAsOf"


class Frames:
    """
    The rows of a dataset as Spark data frames.

    :param dataset: The dataset.
    :param source: Data source of the dataset.
    :param dataset_log: Log of the dataset, which determines the version that is read.
    :param credentials: Credentials used to access S3; None for those of the environment.
    :param engine: ``embedded``, or the URL ``sc://host:port`` of a cluster.
    :param values_only: Whether all rows are read without the statistics in the log.
    """

    def __init__(
        self,
        dataset: DatasetConnection,
        source: DataSource,
        dataset_log: DatasetLog,
        credentials: AwsCredentials | None,
        engine: str,
        *,
        values_only: bool = False,
    ) -> None:
        self._dataset, self._source, self._log = dataset, source, dataset_log
        self._credentials, self._values_only = credentials, values_only
        self.embedded = is_embedded(engine)
        self._known: dict[tuple[int | None, bool], DataFrame] = {}
        self._verified: set[tuple[str, str]] = set()

    def all(self, spark: SparkSession, version: int | None = None, *, values_only: bool = False) -> DataFrame:
        """
        Return all rows after ``select_expr``. The data frame of each version is cached.

        :param spark: Spark session.
        :param version: Version of the table; None for that of the log.
        :param values_only: See :func:`aporia_provider.engine.readers.read`.
        :raises aporia_provider.errors.AporiaError: if the rows cannot be read.
        """
        delta = self._log.delta
        pinned = delta.version if delta is not None and version is None else version
        place = (pinned, values_only or self._values_only)
        if place not in self._known:
            self._known[place] = self._read(spark, *place)
        return self._known[place]

    def during(
        self,
        spark: SparkSession,
        columns: Iterable[str],
        intervals: Sequence[Interval] | None = None,
        untimed: bool = True,
        version: int | None = None,
    ) -> DataFrame:
        """
        Return the rows of some time intervals, with the values stored in the files.

        :param spark: Spark session.
        :param columns: Columns that are used in addition to the ids.
        :param intervals: Half-open intervals in seconds since 1970, UTC; None for all rows.
        :param untimed: Whether to include rows whose timestamp is null.
        :param version: Version of the table; None for that of the log.
        :raises aporia_provider.errors.AporiaError: if the rows cannot be read.
        """
        files = self._log.files(version)
        # Rows whose timestamp is null may be in any file.
        asked = None if untimed else intervals
        wanted = files.rows_during(asked, self._used(columns)) if files else None
        rows = self._values(spark, wanted, version)
        return (
            rows if intervals is None else between(rows, self._dataset.timestamp_column, intervals, untimed)
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
        wanted = files.rows_with_ids(ids, self._used(columns)) if files else None
        return within(self._values(spark, wanted), self._dataset.id_column, ids)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Convert engine errors to errors that name the table and the problem."""
        with diagnosed(self._source, self._credentials), engine_errors(self._source):
            yield

    def _used(self, columns: Iterable[str]) -> list[str]:
        return self._log.columns_behind([self._dataset.id_column, *columns])

    def _values(self, spark: SparkSession, wanted: Wanted | None, version: int | None = None) -> DataFrame:
        """Return all rows; the selected ones are guaranteed to have the values stored in the files."""
        if wanted is None or self._values_only:
            return self.all(spark, version)
        self._verify(wanted)
        values_only = self._bounds_mislead(spark, wanted)
        if wanted.place and values_only:
            log.info("%s: bounds in the log are no values, so all files are read", self._source.label)
        return self.all(spark, version, values_only=values_only)

    def _verify(self, wanted: Wanted) -> None:
        """Verify page checksums of files that will be read unencrypted, once per file and column."""
        if self._credentials is None or not (
            self.embedded and travels_in_clear(wanted.log.uri, self._credentials)
        ):
            return
        held = sorted(
            columns_in_files(wanted.log, {*wanted.columns, *([wanted.place] if wanted.place else [])})
        )
        inside = set(wanted.files.paths).difference(wanted.files.outside)
        fresh = {(path, name) for path in inside for name in held} - self._verified
        verify_pages(wanted.log.uri, {path for path, _ in fresh}, held, self._credentials)
        self._verified |= fresh

    def _bounds_mislead(self, spark: SparkSession, wanted: Wanted) -> bool:
        plain = self._at(wanted.log.version).model_copy(update={"select_expr": None, "sample_size": 1})
        with self.reading():
            return bounds_mislead(spark, wanted, lambda: read(spark, plain, embedded=self.embedded))

    def _read(self, spark: SparkSession, version: int | None, values_only: bool) -> DataFrame:
        delta = self._log.at(version)
        if delta is not None and (self.embedded or is_sail(spark)):
            # Otherwise the engine reports missing files, and advises to restore them.
            refuse_shallow_clone(self._source.label, delta.files([]).outside)
        with self.reading():
            return read(
                spark,
                self._at(version),
                embedded=self.embedded,
                sample_by=self._dataset.id_column,
                values_only=values_only,
            )

    def _at(self, version: int | None) -> DataSource:
        """Return the data source at a version."""
        if version is None:
            return self._source
        options = (self._source.read_options or {}).items()
        kept = {key: value for key, value in options if key.lower() != _VERSION.lower()}
        return self._source.model_copy(update={"read_options": {**kept, _VERSION: str(version)}})
