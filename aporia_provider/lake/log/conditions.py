"""Conditions on Delta tables that are answered from their logs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.log.completeness import last_write, missing_rows, recent_write
from aporia_provider.lake.log.positions import (
    BEFORE_CREATION,
    CommitRange,
    TablePosition,
    changes_rows,
    commits_after,
    latest_position,
)
from aporia_provider.lake.log.table import DeltaLog
from aporia_provider.nearest import nearest
from aporia_provider.utc_times import as_utc

if TYPE_CHECKING:
    import pyarrow as pa

    from aporia_provider.lake.log.file_statistics import FileStatistics


@dataclass(frozen=True, kw_only=True)
class TableCondition:
    """
    Conditions on a table. All of them have to hold at the same version.

    Times without a time zone are in UTC, in conditions as in columns and partitions.

    :param after_version: The table has a commit after this version.
    :param data_changes_only: Whether only commits that change rows count for ``after_version``.
    :param timestamp_column: Column of ``data_until``.
    :param data_until: A row has this time or a later one in the timestamp column, according to the statistics
        of the files. Deleted rows count, since statistics do not exclude them.
    :param allowed_lateness: How much later than ``data_until`` the time of that row has to be.
    :param quiet_period: No file that may have rows before ``data_until`` was written during this time.
    :param partition: Names of partition columns to values: the table has a file of this partition with rows.
        The other conditions, except for ``after_version``, then refer to the partition only.
    :param min_rows: The table has at least this number of rows.
    """

    after_version: int | None = None
    data_changes_only: bool = True
    timestamp_column: str | None = None
    data_until: datetime | None = None
    allowed_lateness: timedelta = timedelta(0)
    quiet_period: timedelta | None = None
    partition: Mapping[str, str | None] | None = None
    min_rows: int | None = None

    @property
    def needs_files(self) -> bool:
        """Whether the condition refers to the files of the table, not only to its commits."""
        return self.data_until is not None or self.partition is not None or self.min_rows is not None

    @property
    def columns(self) -> list[str]:
        """Columns whose statistics are read."""
        times = [self.timestamp_column] if self.timestamp_column is not None else []
        return [*times, *(self.partition or {})]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        until = self.data_until.isoformat() if self.data_until is not None else None
        partition = dict(self.partition) if self.partition is not None else None
        quiet = self.quiet_period.total_seconds() if self.quiet_period is not None else None
        times = {"data_until": until, "quiet_period": quiet}
        lateness = self.allowed_lateness.total_seconds()
        return {**vars(self), **times, "allowed_lateness": lateness, "partition": partition}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TableCondition:
        """Return a condition from its JSON form."""
        until, quiet = value.get("data_until"), value.get("quiet_period")
        return replace(
            cls(**value),
            data_until=datetime.fromisoformat(until) if until else None,
            # A deferred sensor of an earlier version has no durations.
            allowed_lateness=timedelta(seconds=value.get("allowed_lateness", 0)),
            quiet_period=timedelta(seconds=quiet) if quiet is not None else None,
        )


@dataclass(frozen=True)
class TableCheck:
    """
    Result of checking a condition.

    :param position: Position that was checked.
    :param unmet: Why the condition does not hold; empty if it does.
    :param rows: Number of rows in the table or partition, if the condition refers to files and it is known.
    :param latest: Latest time in the statistics of the timestamp column.
    :param last_write: When a file that may have rows before ``data_until`` was last written, if the condition
        has a quiet period.
    """

    position: TablePosition
    unmet: tuple[str, ...]
    rows: int | None = None
    latest: datetime | None = None
    last_write: datetime | None = None

    def to_json(self, uri: str) -> dict[str, Any]:
        """Return what was found in the table, in JSON form."""
        return {
            "table_uri": uri,
            "version": self.position.version,
            "rows": self.rows,
            "latest": self.latest.isoformat() if self.latest is not None else None,
        }


def check_table(
    uri: str,
    condition: TableCondition,
    earlier: TableCheck | None = None,
    credentials: AwsCredentials | None = None,
    *,
    client: Any = None,
) -> TableCheck:
    """
    Check a condition at the latest version of a table. No data file is read.

    :param uri: The table.
    :param condition: The condition.
    :param earlier: Result of an earlier call. If the table has no new commits, only the quiet period is
        checked again; this takes one small request.
    :param credentials: Credentials for S3. Default: the credentials of the environment.
    :param client: A boto3 client. Default: a new one.
    :raises aporia_provider.errors.NotFoundError: if the table does not exist.
    :raises aporia_provider.errors.ValidationError: if the condition cannot be answered: it names an unknown
        column, or the log has no such statistics.
    :raises aporia_provider.errors.AporiaError: if the log cannot be read.
    """
    credentials = credentials or AwsCredentials()
    if earlier is not None:
        commits = commits_after(uri, earlier.position, credentials, client=client)
        if commits is None:
            return _with_quiet_period(earlier, condition)
        position = commits.end
    else:
        position = latest_position(uri, credentials, client=client)
    if position == BEFORE_CREATION:
        raise NotFoundError(f"There is no Delta table at {uri}: its _delta_log contains no commit")
    unmet = _unmet_commit(uri, condition, position, credentials, client)
    if unmet is not None or not condition.needs_files:
        return TableCheck(position, () if unmet is None else (unmet,))
    log = DeltaLog(uri, credentials, version=position.version)
    return _with_quiet_period(_check_files(log, condition, position), condition)


def _unmet_commit(
    uri: str, condition: TableCondition, position: TablePosition, credentials: AwsCredentials, client: Any
) -> str | None:
    if condition.after_version is None:
        return None
    if position.version <= condition.after_version:
        return f"the table is at version {position.version}, not after {condition.after_version}"
    commits = CommitRange(condition.after_version + 1, position)
    if condition.data_changes_only and not changes_rows(uri, commits, credentials, client=client):
        return f"no commit from version {commits.first} to {commits.last} changes rows"
    return None


def _check_files(log: DeltaLog, condition: TableCondition, position: TablePosition) -> TableCheck:
    _check_columns(log, condition)
    files = _with_rows(_in_partition(log.files(condition.columns), condition.partition or {}))
    rows, latest, written, unmet = files.row_count, None, None, []
    if condition.partition is not None and not files.file_count:
        unmet.append(f"there are no rows with {_partition_text(condition.partition)}")
    if condition.min_rows is not None and (found := _known_rows(log, files, condition)) < condition.min_rows:
        unmet.append(f"there are {found} rows of {condition.min_rows}")
    if condition.data_until is not None:
        column, until = str(condition.timestamp_column), as_utc(condition.data_until)
        latest = _latest_time(log, files, column)
        if reason := missing_rows(column, latest, until, condition.allowed_lateness):
            unmet.append(reason)
        written = last_write(files, column, until) if condition.quiet_period is not None else None
    return TableCheck(position, tuple(unmet), rows, latest, written)


def _with_quiet_period(check: TableCheck, condition: TableCondition) -> TableCheck:
    """Return a check with the reason that rows were written during the quiet period, or without it."""
    if condition.quiet_period is None or condition.data_until is None or check.last_write is None:
        return check
    reason = recent_write(as_utc(condition.data_until), check.last_write, condition.quiet_period)
    others = tuple(each for each in check.unmet if each != reason)
    is_recent = datetime.now(UTC) - check.last_write < condition.quiet_period
    return replace(check, unmet=(*others, reason) if is_recent else others)


def _check_columns(log: DeltaLog, condition: TableCondition) -> None:
    types, partitioned = dict(log.metadata.columns), log.metadata.partition_columns
    problems = []
    if (name := condition.timestamp_column) is not None:
        if name not in types:
            problems.append(f"it has no column {name!r}; {nearest(name, types)}")
        elif types[name] not in ("timestamp", "timestamp_ntz", "date"):
            problems.append(f"its column {name!r} is of type {types[name]}, not a timestamp or a date")
    problems += [
        f"it has no partition column {name!r}; {nearest(name, partitioned)}"
        for name in condition.partition or {}
        if name not in partitioned
    ]
    if problems:
        raise ValidationError(f"The condition does not fit the table {log.uri}", problems=problems)


def _in_partition(files: FileStatistics, partition: Mapping[str, str | None]) -> FileStatistics:
    import pyarrow.compute as pc

    for column, value in partition.items():
        values = files.table[f"min.{column}"]
        is_in = (
            pc.is_null(values) if value is None else pc.equal(values, _of_type(values.type, column, value))
        )
        files = files.filter(pc.fill_null(is_in, False))
    return files


def _of_type(type_: pa.DataType, column: str, text: str) -> pa.Scalar:
    """Return the value of a partition, which is text, as a value of the column's type; times are in UTC."""
    import pyarrow as pa

    try:
        if pa.types.is_timestamp(type_):
            moment = as_utc(datetime.fromisoformat(text))
            return pa.scalar(moment if type_.tz is not None else moment.replace(tzinfo=None), type_)
        return pa.scalar(text).cast(type_)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError, OverflowError):
        raise ValidationError(
            f"partition: {text!r} is no value of {column!r}, which is of type {type_}"
        ) from None


def _with_rows(files: FileStatistics) -> FileStatistics:
    import pyarrow.compute as pc

    return files.filter(pc.fill_null(pc.greater(files.table["num_records"], 0), True))


def _known_rows(log: DeltaLog, files: FileStatistics, condition: TableCondition) -> int:
    import pyarrow.compute as pc

    found = int(pc.sum(files.table["num_records"]).as_py() or 0)
    if files.row_count is None and found < (condition.min_rows or 0):
        raise ValidationError(
            f"The number of rows of {log.uri} is unknown: its log has none for "
            f"{files.table['num_records'].null_count} files"
        )
    return found


def _latest_time(log: DeltaLog, files: FileStatistics, column: str) -> datetime | None:
    """Return the latest time in the statistics, which writers round down to milliseconds."""
    import pyarrow.compute as pc

    name = f"max.{column}"
    known = files.table[name] if name in files.table.column_names else None
    found = pc.max(known).as_py() if known is not None and len(known) else None
    latest = as_utc(found) if found is not None else None
    if latest is None and files.file_count:
        nulls = files.null_count(column)
        if nulls is None or nulls != files.row_count:
            raise ValidationError(f"The log of {log.uri} has no statistics of column {column!r}")
    return latest


def _partition_text(partition: Mapping[str, str | None]) -> str:
    return " and ".join(f"{name} = {value}" for name, value in partition.items())
