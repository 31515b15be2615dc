"""The table of a dataset as a sync sees it: at one version, restricted to the times that changed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from aporia_provider.backend.facts import diagnosed, version_wanted
from aporia_provider.backend.sync.buckets import Interval
from aporia_provider.backend.sync.files import TableFiles, Wanted, size_of
from aporia_provider.backend.sync.values import bounds_mislead
from aporia_provider.columns.preflight import check
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.engine.expressions import check_select_expr, sources, untouched_columns
from aporia_provider.engine.labels import IdRange, id_range, within
from aporia_provider.engine.profiling import count_rows, grids_of, profile_frame, projected
from aporia_provider.engine.read import on_s3, read
from aporia_provider.engine.refusals import engine_errors, refuse_shallow_clone
from aporia_provider.engine.session import is_embedded, is_sail
from aporia_provider.engine.times import between
from aporia_provider.errors import ValidationError
from aporia_provider.lake.changes import Changes, Position, changes_since
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.delta import DeltaLog
from aporia_provider.lake.partitions import zoneless_times
from aporia_provider.monitoring.plan import FieldPlan, ProfilePlan
from aporia_provider.schema import VersionSchema

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from aporia_provider.monitoring.baseline import Made
    from aporia_provider.monitoring.profile import Profile

log = logging.getLogger(__name__)

_VERSION = "versionAsOf"
_LITTLE = 32 * 1024 * 1024
"""Bytes of Parquet that one core profiles as fast as two."""


class ConnectedTable:
    """
    The table of a dataset, at the version it has when it is first looked at.

    :param dataset: The dataset.
    :param credentials: Whom to be on S3.
    :param engine: The engine that will read it.
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
        self.dataset = dataset
        self._values_only = values_only
        self.source = on_s3(dataset.data_source)
        if faults := check_select_expr(self.source.select_expr or []):
            raise ValidationError("Some expressions are not allowed", problems=faults)
        self._credentials = credentials
        self.embedded = is_embedded(engine)
        self._frames: dict[tuple[int | None, bool], DataFrame] = {}

    @cached_property
    def log(self) -> DeltaLog | None:
        """Its log, if it is a Delta table."""
        if self.source.object_format != "delta":
            return None
        return DeltaLog(self.source.uri, self._credentials, version=version_wanted(self.source))

    @property
    def version_seen(self) -> int | None:
        """The version that its log turned out to have, if it was looked at."""
        log = self.__dict__.get("log")
        return log.version if isinstance(log, DeltaLog) else None

    def position(self, schema: VersionSchema) -> Position | None:
        """
        Where it is, if it is a Delta table, and the columns of the table that its states depend on.

        :param schema: Schema of its version.
        """
        if self.log is None:
            return None
        used = [column for _, _, column in self.dataset.columns(schema)]
        columns = [self.dataset.id_column, self.dataset.timestamp_column, *used]
        return Position.of(self.log.metadata, self._sources(columns))

    @cached_property
    def _origins(self) -> Mapping[str, str]:
        """Columns that ``select_expr`` leaves as they are, and what the table calls them."""
        if self.log is None:
            return {}
        columns = [name for name, _ in self.log.metadata.columns]
        return untouched_columns(self.source.select_expr, columns)

    def _sources(self, columns: Iterable[str]) -> list[str]:
        """The columns of the table that columns of the dataset may be computed from."""
        if self.log is None:
            return []
        there = [name for name, _ in self.log.metadata.columns]
        known = sources(self.source.select_expr, there)
        wanted = frozenset[str]().union(*(known.get(name, there) for name in columns))
        return [name for name in there if name in wanted]

    @property
    def _origin(self) -> str | None:
        """The column of the table that the times are, if they are one."""
        return self._origins.get(self.dataset.timestamp_column)

    @cached_property
    def _files(self) -> TableFiles | None:
        return None if self.log is None else self._files_of(self.log)

    def _files_of(self, log: DeltaLog) -> TableFiles:
        return TableFiles(log, self._origin, self._origins.get(self.dataset.id_column))

    def changes(self, seen: Position | None) -> Changes:
        """
        What has changed since ``seen``.

        :raises aporia_provider.errors.AporiaError: if the log cannot be read.
        """
        if self.log is None:
            return Changes(
                f"{self.source.object_format} files have no log, so all of them are read", whole=True
            )
        return changes_since(self.log, seen, self._origin)

    def frame(
        self, spark: SparkSession, version: int | None = None, *, values_only: bool = False
    ) -> DataFrame:
        """
        Its rows after ``select_expr``. What was read once is not asked for its columns again.

        :param version: Another version than the one it was looked at.
        :param values_only: See :func:`aporia_provider.engine.read.read`.
        :raises aporia_provider.errors.AporiaError: if it cannot be read.
        """
        values_only = values_only or self._values_only
        pinned = self.log.version if self.log is not None and version is None else version
        if (pinned, values_only) not in self._frames:
            self._frames[pinned, values_only] = self._read(spark, pinned, values_only)
        return self._frames[pinned, values_only]

    def _read(self, spark: SparkSession, version: int | None, values_only: bool) -> DataFrame:
        source = self._at(version)
        if self.log is not None and (self.embedded or is_sail(spark)):
            # The engine would report missing files, and advise to restore them.
            log = self.log if version in (None, self.log.version) else self.log.at(version)
            refuse_shallow_clone(source.uri, log.files([]).outside)
        with self.reading():
            return read(
                spark,
                source,
                embedded=self.embedded,
                sample_by=self.dataset.id_column,
                values_only=values_only,
            )

    def _at(self, version: int | None) -> S3DataSource:
        """Its source, at a version."""
        source = self.source
        if version is not None:
            options = (source.read_options or {}).items()
            kept = {key: value for key, value in options if key.lower() != _VERSION.lower()}
            source = source.model_copy(update={"read_options": {**kept, _VERSION: str(version)}})
        return source

    def rows(
        self,
        spark: SparkSession,
        columns: Iterable[str],
        intervals: Sequence[Interval] | None = None,
        untimed: bool = True,
        version: int | None = None,
    ) -> DataFrame:
        """
        The rows of some times, with the values that the files have.

        :param columns: The columns that will be looked at, besides the ids.
        :param intervals: See :meth:`between`.
        :param untimed: See :meth:`between`.
        :param version: Another version than the one it was looked at.
        :raises aporia_provider.errors.AporiaError: if they cannot be read.
        """
        # Rows without a time may be in any file.
        asked = None if untimed else intervals
        files = self._files if version is None or self.log is None else self._files_of(self.log.at(version))
        wanted = files.rows_during(asked, self._looked_at(columns)) if files else None
        return self.between(self._values(spark, wanted, version), intervals, untimed)

    def rows_with_ids(self, spark: SparkSession, columns: Iterable[str], ids: IdRange | None) -> DataFrame:
        """
        The rows whose ids are in a range, with the values that the files have.

        :param columns: The columns that will be looked at, besides the ids.
        :param ids: The range; None for all ids.
        :raises aporia_provider.errors.AporiaError: if they cannot be read.
        """
        wanted = self._files.rows_with_ids(ids, self._looked_at(columns)) if self._files else None
        return within(self._values(spark, wanted), self.dataset.id_column, ids)

    def _looked_at(self, columns: Iterable[str]) -> list[str]:
        return self._sources([self.dataset.id_column, *columns])

    def _values(self, spark: SparkSession, wanted: Wanted | None, version: int | None = None) -> DataFrame:
        """All rows, read in such a way that those which are wanted have the values of the files."""
        if wanted is None or self._values_only:
            return self.frame(spark, version)
        values_only = self._bounds_mislead(spark, wanted)
        if wanted.place and values_only:
            log.info("%s: bounds in the log are no values, so all files are read", self.source.uri)
        return self.frame(spark, version, values_only=values_only)

    def _bounds_mislead(self, spark: SparkSession, wanted: Wanted) -> bool:
        plain = self._at(wanted.log.version).model_copy(update={"select_expr": None, "sample_size": 1})
        with self.reading():
            return bounds_mislead(spark, wanted, lambda: read(spark, plain, embedded=self.embedded))

    def between(self, frame: DataFrame, intervals: Sequence[Interval] | None, untimed: bool) -> DataFrame:
        """
        The rows of some times.

        :param intervals: Half-open pairs of seconds since 1970, UTC; None for all rows.
        :param untimed: Whether rows without a time belong to them.
        """
        if intervals is None:
            return frame
        return between(frame, self.dataset.timestamp_column, intervals, untimed)

    def profile(
        self, rows: DataFrame, columns: Mapping[str, str], plan: ProfilePlan, extent: tuple[int, int] | None
    ) -> Profile:
        """
        Profile rows of it.

        :param rows: The rows, which may have more columns than the table.
        :param columns: Name in the plan to column of the rows.
        :param plan: What to make of them.
        :param extent: How many files and bytes hold them, if known.
        """
        given = self._projected(rows, columns)
        if self.embedded and extent is not None and extent[1] <= _LITTLE:
            # Parts would share one interpreter, and each bring states of all the buckets.
            given = given.coalesce(1)
        with self.reading():
            return profile_frame(given, plan, embedded=self.embedded)

    def grids(
        self, rows: DataFrame, columns: Mapping[str, str], fields: Iterable[FieldPlan]
    ) -> dict[str, Made]:
        """Make grids of rows of it; parameters as of :meth:`profile`."""
        with self.reading():
            return grids_of(self._projected(rows, columns), fields, embedded=self.embedded)

    def _projected(self, rows: DataFrame, columns: Mapping[str, str]) -> DataFrame:
        return projected(rows, self.dataset.id_column, self.dataset.timestamp_column, columns)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """Warnings about values that the engine may read in another way than they were meant."""
        log = self.log
        if log is None:
            return ()
        return tuple(zoneless_times(log.metadata, set(self._origins.values()), lambda: log.files([]).paths))

    def check(self, frame: DataFrame, schema: VersionSchema) -> dict[str, Any]:
        """
        Make sure that the columns still fit.

        :return: Column to type, in Spark's JSON form.
        :raises aporia_provider.errors.ValidationError: naming everything that does not.
        """
        with self.reading():
            columns = _columns(frame)
        check(self.dataset, schema, columns).raise_for_problems()
        return dict(columns)

    def extent(self, intervals: Sequence[Interval] | None) -> tuple[int, int] | None:
        """How many files, and bytes, hold the rows of some times, if a log tells."""
        return size_of(self._files.during(intervals)) if self._files else None

    def extent_of_ids(self, ids: IdRange | None) -> tuple[int, int] | None:
        """How many files, and bytes, hold the rows whose ids are in a range (all without), if a log tells."""
        return size_of(self._files.with_ids(ids)) if self._files else None

    def ids(self, spark: SparkSession, intervals: Sequence[Interval] | None, untimed: bool) -> IdRange | None:
        """
        Between which ids those of the rows of some times are.

        :param intervals: See :meth:`between`.
        :param untimed: See :meth:`between`.
        :return: None if the ids have no order that can be relied on.
        """
        # Rows without a time may be in any file.
        known = self._files.ids_during(intervals) if self._files and not untimed else None
        if known is not None:
            return known
        rows = self.rows(spark, (), intervals, untimed)
        with self.reading():
            return id_range(rows, self.dataset.id_column)

    def row_count(self, spark: SparkSession) -> int:
        """How many rows it has: as its log tells, or counted."""
        if self.log is not None:
            counts = self.log.files([]).table["num_records"].to_pylist()
            if None not in counts:
                return sum(counts)
        with self.reading():
            return count_rows(self.frame(spark), self.dataset.timestamp_column)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Errors of the engine in words of this table."""
        with diagnosed(self.source, self._credentials), engine_errors(self.source):
            yield


def _columns(frame: DataFrame) -> list[tuple[str, Any]]:
    return [(item["name"], item["type"]) for item in frame.schema.jsonValue()["fields"]]
