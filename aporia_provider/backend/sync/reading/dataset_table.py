"""The table of a dataset as a sync reads it: at one version, its columns checked, its rows profiled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aporia_provider.backend.store.buckets import Interval
from aporia_provider.backend.sync.reading.dataset_log import DatasetLog
from aporia_provider.backend.sync.reading.dataset_rows import Frames
from aporia_provider.datasets import DatasetConnection
from aporia_provider.engine.dataframes.labels import IdRange, id_range
from aporia_provider.engine.dataframes.profiling import count_rows, grids_of, profile_frame, projected
from aporia_provider.engine.readers import check_readable
from aporia_provider.engine.sql.expressions import check_select_expr
from aporia_provider.errors import ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.monitoring.profiles.plan import FieldPlan, ProfilePlan
from aporia_provider.preflight.column_checks import check
from aporia_provider.schema import VersionSchema

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from aporia_provider.monitoring.profiles.baseline_grids import Made
    from aporia_provider.monitoring.profiles.profile import Profile

_LITTLE = 32 * 1024 * 1024
"""Bytes of Parquet that one core profiles as fast as two."""


class ConnectedTable:
    """
    The table of a dataset, at the version it has when its log is first read.

    Its attributes are the ``dataset``, the ``log`` and the ``frames`` that read its rows.

    :param dataset: The dataset.
    :param credentials: Credentials for S3; those of the environment without.
    :param engine: ``embedded``, or the ``sc://host:port`` of a cluster.
    :param values_only: Whether it is always read without the statistics in its log.
    :raises aporia_provider.errors.ValidationError: if the dataset is not one that can be read.
    """

    def __init__(
        self,
        dataset: DatasetConnection,
        credentials: AwsCredentials | None,
        engine: str,
        values_only: bool = False,
    ) -> None:
        source = dataset.data_source
        check_readable(source)
        if faults := check_select_expr(source.select_expr or []):
            raise ValidationError("Some expressions are not allowed", problems=faults)
        self.dataset = dataset
        self.log = DatasetLog(dataset, source, credentials)
        self.frames = Frames(dataset, source, self.log, credentials, engine, values_only=values_only)

    def check(self, frame: DataFrame, schema: VersionSchema) -> dict[str, Any]:
        """
        Make sure that the columns still fit.

        :return: Column to type, in Spark's JSON form.
        :raises aporia_provider.errors.ValidationError: naming everything that does not.
        """
        with self.frames.reading():
            columns = [(item["name"], item["type"]) for item in frame.schema.jsonValue()["fields"]]
        check(self.dataset, schema, columns).raise_for_problems()
        return dict(columns)

    def profile(
        self, rows: DataFrame, columns: Mapping[str, str], plan: ProfilePlan, extent: tuple[int, int] | None
    ) -> Profile:
        """
        Profile rows of it.

        :param rows: The rows, which may have more columns than the table.
        :param columns: Name in the plan to column of the rows.
        :param plan: What to compute of them.
        :param extent: How many files and bytes hold them, if known.
        """
        given, embedded = self._projected(rows, columns), self.frames.embedded
        if embedded and extent is not None and extent[1] <= _LITTLE:
            # Parts would share one interpreter, and each bring states of all the buckets.
            given = given.coalesce(1)
        with self.frames.reading():
            return profile_frame(given, plan, embedded=embedded)

    def grids(
        self, rows: DataFrame, columns: Mapping[str, str], fields: Iterable[FieldPlan]
    ) -> dict[str, Made]:
        """Make grids of rows of it; parameters: those of :meth:`profile`."""
        with self.frames.reading():
            return grids_of(self._projected(rows, columns), fields, embedded=self.frames.embedded)

    def ids(self, spark: SparkSession, intervals: Sequence[Interval] | None, untimed: bool) -> IdRange | None:
        """
        The range of the ids in the rows of some times.

        :param spark: Session of the engine.
        :param intervals: See :meth:`Frames.during <.dataset_rows.Frames.during>`.
        :param untimed: Likewise.
        :return: None if the ids have no order that can be relied on.
        """
        files = self.log.files()
        # Rows without a time may be in any file.
        known = files.ids_during(intervals) if files and not untimed else None
        if known is not None:
            return known
        rows = self.frames.during(spark, (), intervals, untimed)
        with self.frames.reading():
            return id_range(rows, self.dataset.id_column)

    def row_count(self, spark: SparkSession) -> int:
        """How many rows it has: by its log, or counted."""
        known = self.log.row_count
        if known is not None:
            return known
        with self.frames.reading():
            return count_rows(self.frames.all(spark), self.dataset.timestamp_column)

    def _projected(self, rows: DataFrame, columns: Mapping[str, str]) -> DataFrame:
        return projected(rows, self.dataset.id_column, self.dataset.timestamp_column, columns)
