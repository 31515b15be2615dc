"""Judgement of whether a number is not lower than another by more than a margin."""

from __future__ import annotations

from aporia_provider.monitoring.confidence.interval import Interval
from aporia_provider.verdicts import Outcome


def difference(one: Interval, other: Interval) -> Interval:
    """
    Return the interval of the difference of two numbers with independent errors.

    The squares of the errors add up (Newcombe, *Interval estimation for the difference between independent
    proportions*, Stat. Med. 17, 1998, method 10; Zou and Donner, see :meth:`Interval.with_errors`).

    :param one: A number.
    :param other: The number that is subtracted.
    """
    value = one.value - other.value
    first = Interval(value, value - (one.value - one.low), value + (one.high - one.value))
    second = Interval(value, value - (other.high - other.value), value + (other.value - other.low))
    return first.with_errors(second)


def judge(improvement: Interval, margin: float) -> Outcome:
    """
    Return the outcome of a test of non-inferiority.

    :param improvement: Interval of the difference, where more is better.
    :param margin: Greatest acceptable loss, at least 0.
    :return: ``pass`` if the interval is above ``-margin``, ``fail`` if it is below, else ``insufficient``.
    """
    if improvement.low > -margin:
        return "pass"
    return "fail" if improvement.high < -margin else "insufficient"
