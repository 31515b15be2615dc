"""Time ranges aligned to buckets, and their division into aggregation periods."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aporia_provider.backend.store.buckets import Range
from aporia_provider.backend.store.calendar_months import month_of, month_start
from aporia_provider.errors import ValidationError
from aporia_provider.metric_results import ResultRange
from aporia_provider.metrics import MetricDataset, TimeRange
from aporia_provider.monitoring.profiles.plan import BUCKET_SECONDS

_UNITS = {"h": 3_600, "d": 86_400, "w": 7 * 86_400}
_MONDAY = 4 * 86_400  # 1970-01-05; 1970-01-01 was a Thursday.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Period:
    """
    A division of time (UTC) into numbered parts.

    :param number: Function that returns the number of the part that a time, in seconds since 1970, belongs
        to.
    :param start: Function that returns the start of a part, in seconds since 1970.
    """

    number: Callable[[int], int]
    start: Callable[[int], int]


def _even(seconds: int, first: int = 0) -> Period:
    return Period(lambda second: (second - first) // seconds, lambda number: number * seconds + first)


PERIODS = {
    **{name: _even(seconds) for name, seconds in BUCKET_SECONDS.items()},
    "weekly": _even(_UNITS["w"], _MONDAY),
    "monthly": Period(month_of, month_start),
}
"""
Aggregation periods of results (:data:`~aporia_provider.metrics.AnswerPeriod`). Weeks follow ISO 8601 and
start on Monday, months are Gregorian; both start at 00:00 UTC.
"""


@dataclass(frozen=True)
class Split:
    """
    The periods that overlap a range, in chronological order, clipped to ``within``.

    :param period: The division into periods.
    :param within: The requested range; unbounded for all rows.
    :param extent: Range from the first to the last bucket with rows, used if ``within`` is unbounded.
    """

    period: Period
    within: Range
    extent: Range

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[Range]:
        return map(self._part, self._numbers)

    @property
    def starts(self) -> Range:
        """Return the starts of the first and the last period. There has to be at least one."""
        return self._part(self._numbers[0])[0], self._part(self._numbers[-1])[0]

    @property
    def _numbers(self) -> range:
        start, end = self.extent if self.within[0] is None else self.within
        if start is None or end is None:
            return range(0)
        return range(self.period.number(start), self.period.number(end - 1) + 1)

    def _part(self, number: int) -> Range:
        (first, last), start = self.within, self.period.start
        begin, end = start(number), start(number + 1)
        return begin if first is None else max(begin, first), end if last is None else min(end, last)


def align_to_buckets(time_range: TimeRange | None, seconds: int) -> Range:
    """
    Return a time range extended to whole buckets.

    :param time_range: The time range; None for all rows.
    :param seconds: Length of a bucket in seconds.
    """
    if time_range is None:
        return None, None
    start, end = (
        (moment - _EPOCH) // timedelta(microseconds=1) for moment in (time_range.start, time_range.end)
    )
    length = seconds * 1_000_000
    return start // length * seconds, -(-end // length) * seconds


def moving_window(moment: int | None, window: MetricDataset, seconds: int) -> tuple[int, int]:
    """
    Return the window of a baseline that precedes the data.

    :param moment: Start of the data in seconds since 1970.
    :param window: Baseline with ``time_period`` and ``skip_period``.
    :param seconds: Length of a bucket in seconds.
    :raises aporia_provider.errors.ValidationError: if the data has no start, or the window does not consist
        of whole buckets.
    """
    if moment is None:
        raise ValidationError("A baseline with time_period requires a time_range or an aggregation_period")
    length, skipped = _seconds(window.time_period), _seconds(window.skip_period)
    if length % seconds or skipped % seconds:
        raise ValidationError("The buckets of this model are days: time_period must be in days or weeks")
    return moment - skipped - length, moment - skipped


def result_range(within: Range) -> ResultRange | None:
    """Return a range as part of a result; None if it is unbounded."""
    start, end = within
    return None if start is None or end is None else ResultRange(time_of(start), time_of(end))


def time_of(second: int) -> str:
    """
    Return a time in ISO format, clipped to the years that :class:`datetime` supports.

    :param second: Seconds since 1970.
    """
    try:
        return (_EPOCH + timedelta(seconds=second)).isoformat()
    except OverflowError:
        return (_FIRST if second < 0 else _LAST).isoformat()


def _seconds(period: str | None) -> int:
    return int(period[:-1]) * _UNITS[period[-1]] if period else 0
