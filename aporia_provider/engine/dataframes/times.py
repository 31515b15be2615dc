"""Filters on timestamps and computation of buckets, executed by the engine."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from aporia_provider.columns.types import quoted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_DAY = 253_402_214_400
"""Start of the last day of the year 9999, in seconds since 1970."""
_LITERALS = {"timestamp": "timestamp'{}+00:00'", "timestamp_ntz": "timestamp_ntz'{}'", "date": "date'{}'"}


def rows_in_intervals(
    frame: DataFrame, timestamp_column: str, intervals: Sequence[tuple[int, int]], null_timestamps: bool
) -> DataFrame:
    """
    Return the rows of some time ranges.

    :param frame: The rows.
    :param timestamp_column: Timestamp column of type timestamp, timestamp_ntz or date.
    :param intervals: Half-open ranges in seconds since 1970, UTC.
    :param null_timestamps: Whether to include rows whose timestamp is null.
    """
    types = {item["name"]: item["type"] for item in frame.schema.jsonValue()["fields"]}
    column, literal = quoted(timestamp_column), _LITERALS[str(types[timestamp_column])]
    conditions = [f"({_range_condition(column, literal, *interval)})" for interval in intervals]
    return frame.where(
        " OR ".join([*conditions, *([f"{column} IS NULL"] if null_timestamps else [])]) or "false"
    )


def microseconds(column: str) -> str:
    """
    Return the expression for the microseconds since 1970 of a timestamp column.

    :param column: The column as written in SQL.
    """
    return f"unix_micros(cast({column} AS timestamp))"


def bucket_start(column: str, seconds: int) -> str:
    """
    Return the expression for the start of the bucket of a timestamp, in microseconds since 1970.

    It uses integers, since a double cannot represent the microseconds of a late time.

    :param column: Timestamp column as written in SQL.
    :param seconds: Length of a bucket in seconds.
    """
    time = microseconds(column)
    return f"{time} - pmod({time}, {seconds * 1_000_000})"


def _range_condition(column: str, literal: str, start: int, end: int) -> str:
    condition = f"{column} >= {_literal(literal, start)}"
    # No timestamp is after the year 9999, and no literal can be.
    return condition if end > _LAST_DAY else f"{condition} AND {column} < {_literal(literal, end)}"


def _literal(template: str, seconds: int) -> str:
    if template.startswith("date"):
        return template.format((_EPOCH + timedelta(days=-(-seconds // 86_400))).date())
    time = _EPOCH + timedelta(seconds=seconds)
    return template.format(time.replace(tzinfo=None).isoformat(sep=" "))
