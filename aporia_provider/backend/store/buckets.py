"""From times that changed to buckets that have to be recomputed."""

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
    The buckets that times fall into.

    :param intervals: Half-open pairs of microseconds since 1970, UTC.
    :param seconds: Length of a bucket.
    :return: Half-open pairs of seconds, ascending and disjoint; at most 64, the closest of which were joined,
        because an engine has to look for all of them at once.
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
    """Buckets, and whether rows without a time belong to them, in words, for the log."""
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
