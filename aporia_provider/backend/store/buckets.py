"""Alignment of changed time intervals to buckets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

Interval = tuple[int, int]

_SECOND = 1_000_000
_LAST = 253_402_300_799
_MOST = 64


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
    joined: list[Interval] = []
    for start, end in aligned:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return _fewer(joined)


def described(intervals: Sequence[Interval] | None, untimed: bool) -> str:
    """
    Return a description of intervals for the log.

    :param intervals: Half-open intervals in seconds since 1970, UTC; None for the whole table.
    :param untimed: Whether rows whose timestamp is null are included.
    """
    if intervals is None:
        return "all of it"
    shown = [f"{_day(start)} to {_day(end)}" for start, end in intervals[:3]]
    told = [", ".join(shown)] if shown else []
    if len(intervals) > 3:
        told.append(f"{len(intervals) - 3} more spans")
    if untimed:
        told.append("rows without a time")
    return " and ".join(told) if told else "nothing"


def _day(second: int) -> str:
    time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=min(second, _LAST))
    return time.strftime("%Y-%m-%d %H:%M")


def _fewer(intervals: list[Interval]) -> list[Interval]:
    if len(intervals) <= _MOST:
        return intervals
    gaps = [(later[0] - earlier[1], place) for place, (earlier, later) in enumerate(pairwise(intervals))]
    closed = {place for _, place in sorted(gaps)[: len(intervals) - _MOST]}
    made = [intervals[0]]
    for place, interval in enumerate(intervals[1:]):
        if place in closed:
            made[-1] = (made[-1][0], interval[1])
        else:
            made.append(interval)
    return made
