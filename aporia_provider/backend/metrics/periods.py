"""Ranges of time in whole buckets."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from aporia_provider.backend.metrics.sources import Range
from aporia_provider.errors import ValidationError
from aporia_provider.metrics import MetricDataset, TimeRange

SECONDS = {"hourly": 3_600, "daily": 86_400}
_UNITS = {"h": 3_600, "d": 86_400, "w": 7 * 86_400}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def whole(time_range: TimeRange | None, seconds: int) -> Range:
    """
    The buckets that a range of time touches.

    :param time_range: The range; None for all rows.
    :param seconds: Length of a bucket.
    """
    if time_range is None:
        return None, None
    start, end = (
        (moment - _EPOCH) // timedelta(microseconds=1) for moment in (time_range.start, time_range.end)
    )
    length = seconds * 1_000_000
    return start // length * seconds, -(-end // length) * seconds


def split(buckets: Iterable[int | None], seconds: int, within: Range) -> list[Range]:
    """
    The periods that buckets fall into, in order; rows without a time fall into none.

    :param buckets: First seconds of buckets.
    :param seconds: Length of a period, at least that of a bucket.
    :param within: The range that the buckets are from; the periods at its ends are cut there.
    """
    starts = {bucket // seconds * seconds for bucket in buckets if bucket is not None}
    return [_cut(start, start + seconds, within) for start in sorted(starts)]


def _cut(start: int, end: int, within: Range) -> Range:
    first, last = within
    return start if first is None else max(start, first), end if last is None else min(end, last)


def before(moment: int | None, window: MetricDataset, seconds: int) -> Range:
    """
    A window that moves with the data.

    :param moment: Where the data starts.
    :param window: ``time_period`` and ``skip_period``.
    :param seconds: Length of a bucket.
    :raises aporia_provider.errors.ValidationError: if the data has no start, or the window is not made of
        whole buckets.
    """
    if moment is None:
        raise ValidationError("A baseline that moves takes data with a time_range, or an aggregation_period")
    length, skipped = _seconds(window.time_period), _seconds(window.skip_period)
    if length % seconds or skipped % seconds:
        raise ValidationError("The buckets of this model are days: a baseline that moves takes days or weeks")
    return moment - skipped - length, moment - skipped


def shown(within: Range) -> dict[str, str] | None:
    """A range as JSON has it; what no calendar shows is the first or the last moment that it does show."""
    start, end = within
    if start is None or end is None:
        return None
    return {"start": _text(start), "end": _text(end)}


def _text(second: int) -> str:
    try:
        return (_EPOCH + timedelta(seconds=second)).isoformat()
    except OverflowError:
        return (_FIRST if second < 0 else _LAST).isoformat()


def _seconds(period: str | None) -> int:
    return int(period[:-1]) * _UNITS[period[-1]] if period else 0
