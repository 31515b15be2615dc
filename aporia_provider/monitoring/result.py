"""What a metric answers, whatever it is made from."""

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
"""What :func:`without` says of values that are left out."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_WHOLE = 2.0**53  # Beyond this, floats have gaps of more than one.


@dataclass(frozen=True)
class Answer:
    """
    The answer to a question about a metric.

    :param value: What to decide by; None if it is not defined or there is not enough data.
    :param status: ``ok``; ``undefined`` if there is no such number, as of a mean of nothing; or
        ``insufficient_data`` if there is too little data to decide by it.
    :param samples: How many values it is made from.
    :param baseline_samples: How many values it was compared with.
    :param noise: What the value would be on average without any drift, given both numbers of samples.
    :param excess: What the value has above the noise, at least 0: what to judge drift by.
    :param bound: How far the exact value can be from this one, at most.
    :param p_value: How likely a value as great is without drift, where there is a test.
    :param shown: The value where it is not fit to decide by: from too little data, or known too vaguely.
    :param left_out: How many rows of the range, and of the baseline that it is compared with, have something
        in place of a value that the answer cannot use, such as an infinite number or a class that was not
        declared. Missing values do not count.
    :param reason: Why there is no value, or what to know about it: what was left out, what is an estimate.
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
        """As JSON has it."""
        return asdict(self)


@dataclass(frozen=True)
class ScarceAnswer(Answer):
    """
    An answer that lacks something else than samples, which it tells those who give advice.

    :param scarce: How much there is of it, and how much the answer takes; no part of the JSON.
    """

    scarce: tuple[int, int] = (0, 0)

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {name: value for name, value in asdict(self).items() if name != "scarce"}


def undefined(reason: str, samples: int = 0) -> Answer:
    """There is no such number."""
    return Answer(None, "undefined", samples, reason=reason)


def without(found: Answer, count: int, what: str, kept: int | None = None) -> Answer:
    """
    An answer from the values that remain when some cannot be used.

    :param found: The answer.
    :param count: How many values were left out.
    :param what: What they are, in the plural.
    :param kept: How many values remain; the ``samples`` of the answer without.
    :return: The answer with the count and a reason. If more than
        :data:`~.result_limits.MOST_LEFT_OUT` of the values were left out, its value is
        only shown.
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
    """A number, if a float can hold it."""
    try:
        return Answer(float(number), samples=samples)
    except OverflowError:
        return undefined("the number is too great for a float", samples)


def in_time(found: Answer) -> Answer:
    """An answer in microseconds since 1970 as a time, with its bound in seconds."""
    if found.value is None:
        return found
    # The nearest float to the last moment of the year 9999 is the first moment after it.
    micros = _LAST if found.value == float(_LAST) else round(found.value)
    try:
        moment = _EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        reason = "the time is not in the years 1 to 9999: check the unit of the column, and odd values in it"
        return undefined(reason, found.samples)
    rounding = math.ulp(found.value) if abs(found.value) > _WHOLE else 0.0
    return replace(found, value=moment.isoformat(), bound=(found.bound + rounding) / 1_000_000)
