"""Completeness of the rows of a Delta table up to a time, as far as the log has evidence of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from aporia_provider.utc_times import as_utc

if TYPE_CHECKING:
    from aporia_provider.lake.log.file_statistics import FileStatistics


def missing_rows(column: str, latest: datetime | None, until: datetime, lateness: timedelta) -> str | None:
    """
    Return why rows before a time may still arrive, according to the latest time of any row.

    :param column: The timestamp column.
    :param latest: Its latest time; None if there is none.
    :param until: The rows before this time are awaited.
    :param lateness: How much later than a row an earlier one may arrive.
    :return: None if a row has a time that is at least ``lateness`` after ``until``.
    """
    if latest is not None and latest - lateness >= until:
        return None
    found = latest.isoformat() if latest is not None else "unknown"
    reason = f"the latest {column} is {found}, before {until.isoformat()}"
    return f"{reason} and the allowed lateness of {lateness}" if lateness else reason


def last_write(files: FileStatistics, column: str, until: datetime) -> datetime | None:
    """
    Return when a file that may have rows before a time was last written, by the clocks of the writers.

    Files without statistics of the column may have such rows. A file that was written by a compaction counts,
    although its rows are older.

    :return: None if there is no such file.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    written, bounds = files.table["modified"], files.file_bounds(column)
    if bounds is not None:
        moment = _bound(until, bounds[0].type)
        written = written.filter(pc.fill_null(pc.less(bounds[0], moment), True))
    milliseconds = pc.max(written.cast(pa.int64())).as_py()
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)


def recent_write(until: datetime, written: datetime, quiet_period: timedelta) -> str:
    """Return the reason that is given if rows before a time were written less than a period ago."""
    told = written.isoformat(timespec="seconds")
    return f"rows before {until.isoformat()} were written at {told}, less than {quiet_period} ago"


def _bound(until: datetime, type_: object) -> object:
    """Return a time as a value of the type of the bounds of a column."""
    import pyarrow as pa

    until = as_utc(until)
    if pa.types.is_date(type_):
        # The first moment of the day of a row is compared.
        days = 0 if until == _start_of_day(until) else 1
        return pa.scalar(until.date() + timedelta(days=days), type_)
    has_zone = getattr(type_, "tz", None) is not None
    return pa.scalar(until if has_zone else until.replace(tzinfo=None), type_)


def _start_of_day(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)
