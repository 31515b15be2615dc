"""The table of a dataset at one version: validation of its columns and profiling of its rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aporia_provider.backend.store.buckets import Interval
from aporia_provider.backend.sync.reading.dataset_log import DatasetLog
from aporia_provider.backend.sync.reading.dataset_rows import DatasetRows
from aporia_provider.datasets import DatasetConnection
from aporia_provider.engine.dataframes.labels import IdRange, id_range
from aporia_provider.engine.dataframes.profiling import (
    baseline_bins,
    count_rows,
    profile_columns,
    profile_frame,
)
from aporia_provider.engine.readers import check_readable
from aporia_provider.engine.sql.expressions import check_select_expr
from aporia_provider.errors import ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.monitoring.profiles.plan import FieldPlan, ProfilePlan
from aporia_provider.preflight.column_checks import check
from aporia_provider.schema import VersionSchema

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from aporia_provider.monitoring.profiles.baseline_bins import BaselineBins
    from aporia_provider.monitoring.profiles.profile import Profile

_SMALL_SIZE = 32 * 1024 * 1024
"""Size in bytes of Parquet data up to which one core profiles as fast as two."""


class ConnectedTable:
    """
    The table of a dataset, fixed at the version found when its log is first read.

    Attributes: ``dataset``, ``log``, and ``rows``, which reads the rows.

    :param dataset: The dataset.
    :param credentials: Credentials used to access S3; None for the credentials of the environment.
    :param engine: ``embedded``, or the URL ``sc://host:port`` of a cluster.
    :param ignore_statistics: Whether the table is always read without the statistics in its log.
    :raises aporia_provider.errors.ValidationError: if the dataset cannot be read.
    """

    def __init__(
        self,
        dataset: DatasetConnection,
        credentials: AwsCredentials | None,
        engine: str,
        ignore_statistics: bool = False,
    ) -> None:
        source = dataset.data_source
        check_readable(source)
        if faults := check_select_expr(source.select_expr or []):
            raise ValidationError("Some expressions are not allowed", problems=faults)
        self.dataset = dataset
        self.log = DatasetLog(dataset, source, credentials)
        self.rows = DatasetRows(
            dataset, source, self.log, credentials, engine, ignore_statistics=ignore_statistics
        )

    def check(self, frame: DataFrame, schema: VersionSchema) -> dict[str, Any]:
        """
        Validate the columns of a data frame against the schema.

        :return: Types by column, in Spark's JSON form.
        :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
        """
        with self.rows.read_errors():
            columns = [(item["name"], item["type"]) for item in frame.schema.jsonValue()["fields"]]
        check(self.dataset, schema, columns).raise_for_problems()
        return dict(columns)

    def profile(
        self, rows: DataFrame, columns: Mapping[str, str], plan: ProfilePlan, extent: tuple[int, int] | None
    ) -> Profile:
        """
        Compute the profile of rows of the table.

        :param rows: The rows, which may have additional columns.
        :param columns: Columns of the rows by their name in the plan.
        :param plan: States to compute.
        :param extent: Number and total size in bytes of the files with the rows, if known.
        """
        frame, embedded = self._select_columns(rows, columns), self.rows.embedded
        if embedded and extent is not None and extent[1] <= _SMALL_SIZE:
            # Partitions would share one interpreter, and each would return states of all buckets.
            frame = frame.coalesce(1)
        with self.rows.read_errors():
            return profile_frame(frame, plan, embedded=embedded)

    def bins(
        self, rows: DataFrame, columns: Mapping[str, str], fields: Iterable[FieldPlan]
    ) -> dict[str, BaselineBins]:
        """Compute the bins of fields from rows. For the parameters see :meth:`profile`."""
        with self.rows.read_errors():
            return baseline_bins(self._select_columns(rows, columns), fields, embedded=self.rows.embedded)

    def id_range(
        self, spark: SparkSession, intervals: Sequence[Interval] | None, null_timestamps: bool
    ) -> IdRange | None:
        """
        Return the range of the ids of rows of some time intervals.

        :param spark: Spark session.
        :param intervals: See :meth:`.DatasetRows.in_intervals`.
        :param null_timestamps: See :meth:`.DatasetRows.in_intervals`.
        :return: None if the type of the ids has no reliable order.
        """
        files = self.log.files()
        # Rows whose timestamp is null may be in any file.
        log_range = files.ids_in_intervals(intervals) if files and not null_timestamps else None
        if log_range is not None:
            return log_range
        rows = self.rows.in_intervals(spark, (), intervals, null_timestamps)
        with self.rows.read_errors():
            return id_range(rows, self.dataset.id_column)

    def row_count(self, spark: SparkSession) -> int:
        """Return the number of rows, from the log if possible."""
        log_count = self.log.row_count
        if log_count is not None:
            return log_count
        with self.rows.read_errors():
            return count_rows(self.rows.all(spark), self.dataset.timestamp_column)

    def _select_columns(self, rows: DataFrame, columns: Mapping[str, str]) -> DataFrame:
        return profile_columns(rows, self.dataset.id_column, self.dataset.timestamp_column, columns)
