"""The Delta log of a dataset's table, in terms of the dataset's columns."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property

from aporia_provider.backend.store.buckets import Interval
from aporia_provider.backend.sync.reading.file_selection import TableFiles, count_and_size
from aporia_provider.data_sources import DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.engine.dataframes.labels import IdRange
from aporia_provider.engine.sql.expressions import source_columns, unchanged_columns
from aporia_provider.errors import AporiaError, ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.log.changes import Changes, LogPosition, changes_since
from aporia_provider.lake.log.first_commits import AddingCommit, first_commit
from aporia_provider.lake.log.latest_commits import log_end
from aporia_provider.lake.log.partition_values import describe_zoneless_times
from aporia_provider.lake.log.table import DeltaLog
from aporia_provider.preflight.inspection import requested_version
from aporia_provider.schema import VersionSchema

log = logging.getLogger(__name__)

_LATEST_COMMITS = 10
_NO_END = 2**63


class DatasetLog:
    """
    The Delta log of a dataset's table, read on first use. Data sources in other formats have no log.

    :param dataset: The dataset.
    :param source: Data source of the dataset.
    :param credentials: Credentials used to access S3; None for the credentials of the environment.
    """

    def __init__(
        self, dataset: DatasetConnection, source: DataSource, credentials: AwsCredentials | None
    ) -> None:
        self._dataset, self._source, self._credentials = dataset, source, credentials
        self._commit: str | None = None

    @cached_property
    def delta(self) -> DeltaLog | None:
        """
        Return the log at the version to read; None if there is no log.

        This is the version that the data source names, or the current version of the table.
        """
        version = requested_version(self._source)
        if self._source.delta_uri is None:
            return None
        delta_log = DeltaLog(self._source.delta_uri, self._credentials, version=version)
        # Identify the commit immediately, so that a later replacement can be detected.
        self._commit = self._commit_of(delta_log)
        return delta_log

    def _commit_of(self, delta_log: DeltaLog) -> str | None:
        """Return an identifier of the last commit; None if the commit cannot be listed."""
        try:
            return log_end(delta_log.uri, delta_log.version, self._credentials).commit
        except AporiaError as error:
            log.info("%s: the last commit cannot be listed: %s", delta_log.uri, error.message)
            return None

    @property
    def latest_version(self) -> int | None:
        """Return the version of the log if it has been opened; otherwise None."""
        delta = self.__dict__.get("delta")
        return delta.version if isinstance(delta, DeltaLog) else None

    def position(self, schema: VersionSchema) -> LogPosition | None:
        """
        Return the position of a Delta table: its version and the columns that the dataset's states depend on.

        :param schema: Schema of the model version.
        """
        if self.delta is None:
            return None
        field_columns = [column for _, _, column in self._dataset.columns(schema)]
        columns = [self._dataset.id_column, self._dataset.timestamp_column, *field_columns]
        return LogPosition.of(self.delta.metadata, self.source_columns(columns), self._commit)

    def source_columns(self, columns: Iterable[str]) -> list[str]:
        """
        Return the columns of the table from which columns of the dataset may be computed.

        :param columns: Columns of the dataset, after ``select_expr``.
        """
        table_columns = self._table_columns
        inputs = source_columns(self._source.select_expr, table_columns)
        needed = frozenset[str]().union(*(inputs.get(name, table_columns) for name in columns))
        return [name for name in table_columns if name in needed]

    def changes(self, position: LogPosition | None) -> Changes:
        """
        Return the changes since a position.

        :param seen: The position; None for a table that was never read.
        :raises aporia_provider.errors.AporiaError: if the log cannot be read.
        """
        if self.delta is None:
            reason = f"{self._source.plural_name} have no log, so all of them are read"
            return Changes(reason, entire_table=True)
        return changes_since(self.delta, position, self._time_column)

    def files(self, version: int | None = None) -> TableFiles | None:
        """
        Return the files of a Delta table; None if there is no log.

        :param version: Version of the table; None for the version of the log.
        """
        delta = self.at(version)
        return None if delta is None else TableFiles(delta, self._time_column, self._id_column)

    def at(self, version: int | None = None) -> DeltaLog | None:
        """Return the log at a version; None for its own version."""
        delta = self.delta
        return delta if delta is None or version in (None, delta.version) else delta.at(version)

    def extent(self, intervals: Sequence[Interval] | None) -> tuple[int, int] | None:
        """
        Return the number and total size of the files with rows of some intervals; None if there is no log.
        """
        files = self.files()
        return None if files is None else count_and_size(files.in_intervals(intervals))

    def extent_of_ids(self, ids: IdRange | None) -> tuple[int, int] | None:
        """
        Return the number and total size of the files with rows of a range of ids; None if there is no log.

        :param ids: The range; None for all rows.
        """
        files = self.files()
        return None if files is None else count_and_size(files.with_ids(ids))

    @property
    def row_count(self) -> int | None:
        """Return the number of rows of the table; None if the log lacks the number of rows of a file."""
        return None if self.delta is None else self.delta.files([]).row_count

    @property
    def bytes_per_row(self) -> float:
        """Return the mean size of a row in the files, which may be compressed; 0 if it is unknown."""
        extent, row_count = self.extent(None), self.row_count
        return extent[1] / row_count if extent is not None and row_count else 0

    def has_new_commits(self, position: LogPosition | None) -> bool:
        """Return whether the table may have changed since a position; None if it was never read."""
        delta = self.delta
        return delta is None or position is None or delta.version != position.version

    def first_commit(self, start: int, end: int | None) -> AddingCommit:
        """
        Return the first commit that added rows of a time range, see :func:`~.first_commits.first_commit`.

        :param start: Start of the range in seconds since 1970.
        :param end: End, exclusive; None for no end.
        :raises aporia_provider.errors.ValidationError: if there is no log, or the times are not in it.
        """
        delta, column = self.delta, self._time_column
        if delta is None:
            raise ValidationError(f"{self._source.plural_name} have no log")
        if column is None:
            raise ValidationError("the times are computed by select_expr and cannot be traced in the log")
        until = _NO_END if end is None else end * 1_000_000
        return first_commit(delta, column, start * 1_000_000, until, self._credentials)

    @property
    def committed_at(self) -> datetime | None:
        """Time of the last commit that changed the data; None if it is not among the latest commits."""
        delta = self.delta
        if delta is None:
            return None
        # In most cases, it is the last commit: earlier ones are read only if that was a compaction.
        for commits in (1, _LATEST_COMMITS):
            try:
                latest = delta.commits(max(delta.version - commits, -1))
            except AporiaError:
                return None
            times = [commit.timestamp for commit in latest if commit.data_change and commit.timestamp]
            if times:
                return times[-1]
        return None

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """Return warnings about values that the engine may interpret differently than intended."""
        delta = self.delta
        if delta is None:
            return ()
        columns = set(self._unchanged_columns.values())
        return tuple(
            describe_zoneless_times(
                delta.metadata, columns, lambda: delta.files([]).paths, delta.partition_values
            )
        )

    @cached_property
    def _table_columns(self) -> list[str]:
        return [] if self.delta is None else [name for name, _ in self.delta.metadata.columns]

    @cached_property
    def _unchanged_columns(self) -> Mapping[str, str]:
        """Return the columns that ``select_expr`` does not change, with their names in the table."""
        return {} if self.delta is None else unchanged_columns(self._source.select_expr, self._table_columns)

    @property
    def _time_column(self) -> str | None:
        """Return the column of the table with the timestamps; None if they are computed by an expression."""
        return self._unchanged_columns.get(self._dataset.timestamp_column)

    @property
    def _id_column(self) -> str | None:
        return self._unchanged_columns.get(self._dataset.id_column)
