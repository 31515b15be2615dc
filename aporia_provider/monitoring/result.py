"""Answers of metrics."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any, Final, Literal

from aporia_provider.monitoring.result_limits import MOST_LEFT_OUT

Status = Literal["ok", "undefined", "insufficient_data"]

INFINITE: Final = "infinite values"
UNUSABLE_VECTORS: Final = "vectors of another dimension, or with a number that is missing or infinite,"
NO_BOOLEANS: Final = "integers other than 0 and 1 in a boolean field"
"""Names of the values in the reason that :func:`without` adds."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_WHOLE = 2.0**53  # Beyond this, the spacing of floats is greater than one.


@dataclass(frozen=True)
class Answer:
    """
    Answer of a metric.

    :param value: Value for decisions; None if it is undefined or there is insufficient data.
    :param status: ``ok``; ``undefined`` if there is no such number, such as the mean of no values; or
        ``insufficient_data`` if it is not reliable.
    :param samples: Number of values from which it was computed.
    :param baseline_samples: Number of values in the baseline.
    :param noise: Expected value without drift, given both numbers of samples.
    :param excess: Lower bound of the value minus the noise, at least 0. The measure of drift.
    :param bound: Maximum difference between ``value`` and the exact value.
    :param p_value: Probability of a value at least this great without drift, if there is a test.
    :param shown: Value that is not reliable, because of too little data or too wide a bound.
    :param left_out: Number of rows of the data and of the baseline with a value that cannot be used, such as
        an infinite number or an undeclared class. Missing values are not counted.
    :param reason: Why there is no value, or notes on it: values that were left out, estimates.
    """

    value: Any
    status: Status = "ok"
    samples: int = 0
    baseline_samples: int | None = None
    noise: float | None = None
    excess: float | None = None
    bound: float = 0.0
    p_value: float | None = None
    shown: Any = None
    left_out: int = 0
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)


@dataclass(frozen=True)
class ScarceAnswer(Answer):
    """
    An answer for which a resource other than samples is insufficient, for use in advice.

    :param scarce: Available and required amount of the resource. Not part of the JSON form.
    """

    scarce: tuple[int, int] = (0, 0)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {name: value for name, value in asdict(self).items() if name != "scarce"}


def undefined(reason: str, samples: int = 0) -> Answer:
    """Return the answer of an undefined number."""
    return Answer(None, "undefined", samples, reason=reason)


def without(found: Answer, count: int, what: str, kept: int | None = None) -> Answer:
    """
    Return an answer with the number of values that were left out because they cannot be used.

    :param found: The answer.
    :param count: Number of values that were left out.
    :param what: Plural noun for these values.
    :param kept: Number of remaining values. Default: ``samples`` of the answer.
    :return: The answer with the count and a reason. If more than :data:`~.result_limits.MOST_LEFT_OUT` of the
        values were left out, its value is only in ``shown``.
    """
    if not count:
        return found
    reason = "; ".join(filter(None, (found.reason, f"{what} are left out: {count}")))
    answer = replace(found, left_out=found.left_out + count, reason=reason)
    rows = count + (found.samples if kept is None else kept)
    if found.value is None or count <= MOST_LEFT_OUT * rows:
        return answer
    return replace(answer, value=None, status="insufficient_data", shown=found.value)


def of_number(number: Fraction | float, samples: int) -> Answer:
    """Return the answer of a number, which is undefined if it is too great for a float."""
    try:
        return Answer(float(number), samples=samples)
    except OverflowError:
        return undefined("the number is too great for a float", samples)


def in_time(found: Answer) -> Answer:
    """Convert an answer in microseconds since 1970 to a time, and its bound to seconds."""
    if found.value is None:
        return found
    # The nearest float to the last microsecond of the year 9999 is the start of the next year.
    micros = _LAST if found.value == float(_LAST) else round(found.value)
    try:
        moment = _EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        reason = "the time is not in the years 1 to 9999: check the unit of the column, and odd values in it"
        return undefined(reason, found.samples)
    rounding = math.ulp(found.value) if abs(found.value) > _WHOLE else 0.0
    return replace(found, value=moment.isoformat(), bound=(found.bound + rounding) / 1_000_000)
