"""Construction of the results of metrics."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Final

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.confidence.interval import Interval
from aporia_provider.monitoring.result_limits import MOST_LEFT_OUT

INFINITE: Final = "infinite values"
UNUSABLE_VECTORS: Final = "vectors of another dimension, or with a number that is missing or infinite,"
NO_BOOLEANS: Final = "integers other than 0 and 1 in a boolean field"
"""Descriptions of values that cannot be used, for the reason that :func:`with_left_out` adds."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_FIRST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_WHOLE = 2.0**53  # Beyond this, the spacing of floats is greater than one.


def undefined(reason: str, samples: int = 0) -> MetricResult:
    """Return the result of a metric whose value is undefined."""
    return MetricResult(None, "undefined", samples, reason=reason)


def insufficient(reason: str) -> MetricResult:
    """Return the result of a metric for which there is no data."""
    return MetricResult(None, "insufficient_data", reason=reason)


def unreliable(result: MetricResult, *reasons: str | None) -> MetricResult:
    """
    Return a result marked as not reliable: its value is moved to ``shown``.

    :param result: A result with a value, reliable or not.
    :param reasons: Reasons to add to the reasons of the result.
    """
    reason = joined(result.reason, *reasons)
    return result.changed(value=None, status="insufficient_data", shown=result.number, reason=reason)


def joined(*reasons: str | None) -> str | None:
    """Return reasons as one text; None if there are none."""
    return "; ".join(filter(None, reasons)) or None


def with_left_out(result: MetricResult, count: int, noun: str, remaining: int | None = None) -> MetricResult:
    """
    Return a result with the number of values that were left out because they cannot be used.

    :param result: The result.
    :param count: Number of values that were left out.
    :param noun: Plural noun for these values.
    :param remaining: Number of remaining values. Default: ``samples`` of the result.
    :return: The result with the count and a reason. If more than :data:`~.result_limits.MOST_LEFT_OUT` of the
        values were left out, its value is only in ``shown``.
    """
    if not count:
        return result
    reason = joined(result.reason, f"{noun} are left out: {count}")
    counted = result.changed(left_out=result.left_out + count, reason=reason)
    rows = count + (result.samples if remaining is None else remaining)
    if result.value is None or count <= MOST_LEFT_OUT * rows:
        return counted
    return unreliable(counted)


def with_interval(result: MetricResult, interval: Interval | None) -> MetricResult:
    """
    Return a result with an interval, which is widened by the bound of the result.

    :param result: The result.
    :param interval: Interval that accounts for sampling; None if there is none.
    """
    if interval is None or result.number is None:
        return result
    low, high = interval.ends(result.bound)
    return result.changed(low=low, high=high)


def widened(result: MetricResult, by: float) -> MetricResult:
    """Return a result of a number without limits, with a greater bound and a wider interval."""
    low, high = (
        None if not isinstance(end, float) else end + error
        for end, error in ((result.low, -by), (result.high, by))
    )
    return result.changed(bound=result.bound + by, low=low, high=high)


def number_result(number: Fraction | float, samples: int) -> MetricResult:
    """Return the result of a metric from its number. The result is undefined if no float is large enough."""
    try:
        return MetricResult(float(number), samples=samples)
    except OverflowError:
        return _too_great(samples)


def ratio_result(numerator: int, denominator: int, samples: int) -> MetricResult:
    """Return the result of a metric from a ratio of integers, see :func:`number_result`."""
    try:
        return MetricResult(numerator / denominator, samples=samples)
    except OverflowError:
        return _too_great(samples)


def _too_great(samples: int) -> MetricResult:
    return undefined("the number is too great for a float", samples)


def as_time(result: MetricResult) -> MetricResult:
    """Convert a result in microseconds since 1970 to a time, and its bound to seconds."""
    if result.value is None:
        return result
    moment = _time_of(result.value)
    if moment is None:
        reason = "the time is not in the years 1 to 9999: check the unit of the column, and outliers in it"
        return undefined(reason, result.samples)
    rounding = math.ulp(result.value) if abs(result.value) > _WHOLE else 0.0
    # An interval that extends beyond these years ends with them.
    low, high = (
        None if not isinstance(end, float) else _time_of(min(max(end, _FIRST), _LAST))
        for end in (result.low, result.high)
    )
    return result.changed(value=moment, bound=(result.bound + rounding) / 1_000_000, low=low, high=high)


def _time_of(number: float) -> str | None:
    # The nearest float to the last microsecond of the year 9999 is the start of the next year.
    micros = _LAST if number == float(_LAST) else round(number)
    try:
        return (_EPOCH + timedelta(microseconds=micros)).isoformat()
    except OverflowError:
        return None
