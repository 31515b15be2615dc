"""Detection of the time ranges of a Delta table that changed since the last sync."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from aporia_provider.errors import AporiaError, TransientError
from aporia_provider.lake.log.action_bounds import (
    ActionBounds,
    Bounds,
    Interval,
    UntraceableError,
    time_bounds,
)
from aporia_provider.lake.log.commits import Commit, FileAction, LogExpiredError
from aporia_provider.lake.log.metadata import TableMetadata
from aporia_provider.lake.log.table import DeltaLog


@dataclass(frozen=True)
class LogPosition:
    """
    Position in the log up to which a table was read.

    :param table_id: Id of the table; another table at the same URI has another id.
    :param version: Version of the table.
    :param columns: The columns that were read, to their
        :attr:`~aporia_provider.lake.log.metadata.TableMetadata.identities`.
    :param commit: See :class:`~.latest_commits.LogEnd`, for this version; None if unknown.
    """

    table_id: str
    version: int
    columns: Mapping[str, str] = field(default_factory=dict)
    commit: str | None = None

    @classmethod
    def of(
        cls, metadata: TableMetadata, columns: Iterable[str] | None = None, commit: str | None = None
    ) -> LogPosition:
        """
        Return the position of a table's metadata.

        :param metadata: The table.
        :param columns: The columns that are read. Default: all.
        :param commit: See :class:`LogPosition`.
        """
        identities = metadata.identities
        selected = (
            identities
            if columns is None
            else {name: identities[name] for name in columns if name in identities}
        )
        return cls(metadata.table_id, metadata.version, dict(selected), commit)


@dataclass(frozen=True)
class Changes:
    """
    Changes of a table between two versions.

    :param reason: Description of the reason.
    :param entire_table: Whether the entire table must be treated as changed.
    :param intervals: Half-open time ranges that contain all added and removed rows, in microseconds since
        1970, UTC; they may overlap.
    :param null_timestamps: Whether rows whose timestamp is null may have been added or removed.
    :param removed: Whether rows may have been removed.
    """

    reason: str
    entire_table: bool = False
    intervals: tuple[Interval, ...] = ()
    null_timestamps: bool = False
    removed: bool = False

    @property
    def has_changes(self) -> bool:
        """Whether anything changed."""
        return self.entire_table or self.null_timestamps or bool(self.intervals)


def changes_since(log: DeltaLog, last_position: LogPosition | None, column: str | None) -> Changes:
    """
    Return the time ranges of a table that changed, determined from its log.

    :param log: The table at its current version.
    :param last_position: Position of the last sync; None if there was none.
    :param column: Timestamp column; None if the timestamps are computed and cannot be traced.
    """
    if (reason := _entire_table_reason(log, last_position)) is not None:
        return Changes(reason, entire_table=True)
    assert last_position is not None  # noqa: S101
    try:
        commits = log.commits(last_position.version)
    except LogExpiredError:
        return Changes("the log since the last sync was cleaned up", entire_table=True)
    if not any(commit.data_change for commit in commits):
        return Changes("no commit changed the data")
    if column is None:
        return Changes(
            "the times are computed by select_expr and cannot be traced in the log", entire_table=True
        )
    try:
        return _changed_intervals(log, last_position, column, commits)
    except UntraceableError as error:
        return Changes(str(error), entire_table=True)


def _entire_table_reason(log: DeltaLog, last_position: LogPosition | None) -> str | None:
    if last_position is None:
        return "first sync"
    metadata = log.metadata
    if metadata.table_id != last_position.table_id:
        return "the table was dropped and created again"
    if metadata.version < last_position.version:
        return f"the table was reset from version {last_position.version} to {metadata.version}"
    changed = sorted(
        name for name, identity in last_position.columns.items() if metadata.identities.get(name) != identity
    )
    return _columns_changed(changed, metadata.identities) if changed else None


def _columns_changed(changed: Iterable[str], current_columns: Iterable[str]) -> str:
    missing = sorted(set(changed).difference(current_columns))
    if missing:
        return f"columns that are read were dropped or renamed: {', '.join(map(repr, missing))}"
    names = ", ".join(map(repr, changed))
    return f"columns that are read were replaced, or their type changed: {names}"


def _changed_intervals(
    log: DeltaLog, last_position: LogPosition, column: str, commits: Iterable[Commit]
) -> Changes:
    bounds = _FileBounds(log, last_position, column)
    intervals, null_timestamps, removed, commit_count = [], False, False, 0
    for commit in commits:
        commit_count += commit.data_change
        removed = removed or any(action.data_change for action in commit.removes)
        # Files of a compaction are included, since a later commit may remove them.
        for action in commit.adds:
            bounds.remember(action)
        for action in (*commit.adds, *commit.removes):
            if action.data_change:
                interval, includes_null = bounds.of(action)
                intervals += [interval] if interval else []
                null_timestamps = null_timestamps or includes_null
    reason = f"{commit_count} {'commit' if commit_count == 1 else 'commits'} changed the data"
    return Changes(reason, intervals=tuple(intervals), null_timestamps=null_timestamps, removed=removed)


class _FileBounds:
    """Time ranges of the rows in each file, as far as the log contains them."""

    def __init__(self, log: DeltaLog, last_position: LogPosition, column: str) -> None:
        self._log, self._last_position, self._column = log, last_position, column
        self._in_action = ActionBounds(log.metadata, column)
        self._added_bounds: dict[str, Bounds] = {}
        self._earlier_bounds: dict[str, Bounds] | None = None

    def remember(self, action: FileAction) -> None:
        """Store the bounds of an added file for the commit that removes it."""
        bounds = self._in_action.of(action)
        if bounds is not None:
            self._added_bounds[unquote(action.path)] = bounds

    def of(self, action: FileAction) -> Bounds:
        """Return the bounds of a file."""
        path = unquote(action.path)
        bounds = (
            self._added_bounds.get(path)
            or self._in_action.of(action)
            or self._bounds_at_last_sync().get(path)
        )
        if bounds is None:
            raise UntraceableError(
                f"the log has no statistics of {self._column!r} for the file {action.path}"
            )
        return bounds

    def _bounds_at_last_sync(self) -> dict[str, Bounds]:
        """Return the bounds of the files that the table had at the last sync."""
        if self._earlier_bounds is None:
            try:
                earlier_log = self._log.at(self._last_position.version)
                self._earlier_bounds = dict(_bounds_by_path(earlier_log, self._column))
            except TransientError:
                raise
            except AporiaError:
                raise UntraceableError(
                    f"version {self._last_position.version} can no longer be opened, "
                    "so removed files are unknown"
                ) from None
        return self._earlier_bounds


def _bounds_by_path(log: DeltaLog, column: str) -> Iterator[tuple[str, Bounds]]:
    table = log.files([column]).table
    names = [f"{kind}.{column}" for kind in ("min", "max", "null_count")]
    if any(name not in table.column_names for name in names):
        return
    for row in table.select(["path", "num_records", *names]).to_pylist():
        low, high, nulls = (row[name] for name in names)
        if low is not None and high is not None:
            yield unquote(row["path"]), time_bounds(low, high, nulls != 0)
        elif row["num_records"] is not None and nulls == row["num_records"]:
            yield unquote(row["path"]), (None, True)
