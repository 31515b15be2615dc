"""Time ranges of the rows of a file that a commit adds or removes, as far as the commit contains them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from aporia_provider.lake.log.commits import FileAction
from aporia_provider.lake.log.metadata import TableMetadata

# Writers may truncate the times in statistics to milliseconds.
_TRUNCATED_MICROSECONDS = 1_000

Interval = tuple[int, int]
Bounds = tuple[Interval | None, bool]
"""
Half-open time range in microseconds since 1970, UTC, or None if no row has a time; and whether a row may
have none.
"""


class UntraceableError(Exception):
    """Error of a commit whose time ranges cannot be determined from the log."""


class ActionBounds:
    """
    Time ranges of the rows of files.

    :param metadata: The table.
    :param column: Its timestamp column.
    """

    def __init__(self, metadata: TableMetadata, column: str) -> None:
        physical = {logical: name for name, logical in metadata.physical_names.items()}
        self._physical_name = physical.get(column, column)
        self._is_partition_column = column in metadata.partition_columns

    def of(self, action: FileAction) -> Bounds | None:
        """
        Return the bounds of a file; None if the action does not contain them.

        :raises UntraceableError: if its statistics are not times.
        """
        if self._is_partition_column:
            return self._in_partition(action.partition_values)
        stats = action.stats or {}
        low = (stats.get("minValues") or {}).get(self._physical_name)
        high = (stats.get("maxValues") or {}).get(self._physical_name)
        nulls, rows = (stats.get("nullCount") or {}).get(self._physical_name), stats.get("numRecords")
        if low is None or high is None:
            return (None, rows != 0) if rows is not None and nulls == rows else None
        return time_bounds(low, high, nulls != 0)

    def _in_partition(self, values: Mapping[str, str | None]) -> Bounds | None:
        # A removed file may lack partition values. By the protocol, an empty string is null.
        if self._physical_name not in values:
            return None
        value = values[self._physical_name] or None
        return time_bounds(value, value, value is None)


def time_bounds(low: Any, high: Any, includes_null: bool) -> Bounds:
    """
    Return the bounds of times as a log contains them.

    :raises UntraceableError: if they are not times.
    """
    if low is None or high is None:
        return None, includes_null
    return (_microseconds(low), _microseconds(high) + _TRUNCATED_MICROSECONDS), includes_null


def _microseconds(value: Any) -> int:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            # Such as years before 1 or after 9999.
            raise UntraceableError(
                f"the statistics in the log contain {value!r}, which is not a time"
            ) from None
    if not isinstance(value, datetime):
        if not isinstance(value, date):
            raise UntraceableError(f"the statistics in the log contain {value!r}, which is not a time")
        value = datetime.combine(value, time())
    aware: datetime = value if value.tzinfo else value.replace(tzinfo=UTC)
    since_epoch: timedelta = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return (since_epoch.days * 86_400 + since_epoch.seconds) * 1_000_000 + since_epoch.microseconds
