"""Times inside the engine: the rows of some, and the buckets that they fall into."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from aporia_provider.columns.types import quoted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = 253_402_214_400
"""The first second of the last day."""
_LITERALS = {"timestamp": "timestamp'{}+00:00'", "timestamp_ntz": "timestamp_ntz'{}'", "date": "date'{}'"}


def between(
    frame: DataFrame, timestamp_column: str, intervals: Sequence[tuple[int, int]], untimed: bool
) -> DataFrame:
    """
    The rows of some times.

    :param frame: The rows.
    :param timestamp_column: Their column of times, of any type that holds such.
    :param intervals: Half-open pairs of seconds since 1970, UTC.
    :param untimed: Whether rows without a time belong to them.
    """
    types = {item["name"]: item["type"] for item in frame.schema.jsonValue()["fields"]}
    column, literal = quoted(timestamp_column), _LITERALS[str(types[timestamp_column])]
    terms = [f"({_within(column, literal, *interval)})" for interval in intervals]
    return frame.where(" OR ".join([*terms, *([f"{column} IS NULL"] if untimed else [])]) or "false")


def microseconds(column: str) -> str:
    """Expression for the microseconds since 1970 of a column of times, as it is written."""
    return f"unix_micros(cast({column} AS timestamp))"


def bucket_start(column: str, seconds: int) -> str:
    """
    Expression for where the bucket of a time begins, in microseconds since 1970.

    In whole numbers, since a double has no room for the microseconds of a late time.

    :param column: Column of times, as it is written.
    :param seconds: Length of a bucket.
    """
    moment = microseconds(column)
    return f"{moment} - pmod({moment}, {seconds * 1_000_000})"


def _within(column: str, literal: str, start: int, end: int) -> str:
    after = f"{column} >= {_literal(literal, start)}"
    # No time is later than the year 9999, and none can be written.
    return after if end > _LAST else f"{after} AND {column} < {_literal(literal, end)}"


def _literal(template: str, seconds: int) -> str:
    if template.startswith("date"):
        return template.format((_EPOCH + timedelta(days=-(-seconds // 86_400))).date())
    time = _EPOCH + timedelta(seconds=seconds)
    return template.format(time.replace(tzinfo=None).isoformat(sep=" "))
