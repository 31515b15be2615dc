"""Alignment of changed time intervals to buckets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

Interval = tuple[int, int]
Range = tuple[int | None, int | None]
"""Half-open range in seconds since 1970; None where it is unbounded."""

_SECOND = 1_000_000
_MAX_SECOND = 253_402_300_799
_MAX_INTERVALS = 64


def whole_buckets(intervals: Iterable[Interval], seconds: int) -> list[Interval]:
    """
    Return the buckets that overlap the given intervals.

    :param intervals: Half-open intervals in microseconds since 1970, UTC.
    :param seconds: Length of a bucket in seconds.
    :return: Half-open intervals in seconds, ascending and disjoint. At most 64 are returned, because an
        engine filters by all of them at once; intervals with the smallest gaps between them are joined.
    """
    length = seconds * _SECOND
    aligned = sorted((start // length * seconds, -(-end // length) * seconds) for start, end in intervals)
    merged: list[Interval] = []
    for start, end in aligned:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return _merge_closest(merged)


def describe_intervals(intervals: Sequence[Interval] | None, null_timestamps: bool) -> str:
    """
    Return a description of intervals for the log.

    :param intervals: Half-open intervals in seconds since 1970, UTC; None for the whole table.
    :param null_timestamps: Whether rows whose timestamp is null are included.
    """
    if intervals is None:
        return "all rows"
    ranges = [f"{_day(start)} to {_day(end)}" for start, end in intervals[:3]]
    items = [", ".join(ranges)] if ranges else []
    if len(intervals) > 3:
        items.append(f"{len(intervals) - 3} more intervals")
    if null_timestamps:
        items.append("rows without a timestamp")
    return " and ".join(items) if items else "nothing"


def _day(second: int) -> str:
    time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=min(second, _MAX_SECOND))
    return time.strftime("%Y-%m-%d %H:%M")


def _merge_closest(intervals: list[Interval]) -> list[Interval]:
    if len(intervals) <= _MAX_INTERVALS:
        return intervals
    gaps = [(later[0] - earlier[1], index) for index, (earlier, later) in enumerate(pairwise(intervals))]
    closed = {index for _, index in sorted(gaps)[: len(intervals) - _MAX_INTERVALS]}
    merged = [intervals[0]]
    for index, interval in enumerate(intervals[1:]):
        if index in closed:
            merged[-1] = (merged[-1][0], interval[1])
        else:
            merged.append(interval)
    return merged
