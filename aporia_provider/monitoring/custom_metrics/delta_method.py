"""
Intervals of expressions of several calls.

The variance of the expression is the variance of its linear approximation at the sums (the delta method),
from the covariances of the sums.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from aporia_provider.monitoring.confidence.interval import Interval
from aporia_provider.monitoring.confidence.means import error_interval
from aporia_provider.monitoring.custom_metrics.call_sums import CallSums
from aporia_provider.monitoring.custom_metrics.expression import (
    CallResult,
    Constant,
    MetricExpression,
    Operator,
)
from aporia_provider.monitoring.custom_metrics.number_arithmetic import NoNumberError, calculate
from aporia_provider.monitoring.states.sums_state import SumsState

Slopes = np.ndarray[tuple[int], np.dtype[np.float64]]
"""Derivatives of a step with respect to each of the sums."""


def delta_interval(
    expression: MetricExpression, calls: CallSums, state: SumsState, confidence: float
) -> Interval | None:
    """
    Return the interval of an expression, with the number of rows as given.

    :param expression: The expression.
    :param calls: Its calls as sums.
    :param state: The sums and their products.
    :param confidence: Probability that the interval contains the expression of the expected sums.
    :return: None if there are fewer than two rows, or the expression has no finite derivative at the sums.
    """
    if state.rows < 2:
        return None
    try:
        value, slopes = _derived(expression, calls, state)
    except (NoNumberError, OverflowError, ZeroDivisionError):
        return None
    if not np.isfinite(slopes).all():
        return None
    variance = _variance(slopes, state)
    return error_interval(Fraction(value), variance, state.rows, confidence) if variance is not None else None


def _variance(slopes: Slopes, state: SumsState) -> Fraction | None:
    """Return the variance of the linear approximation. Sums of fractions are exact, so it is not negative."""
    exact = [Fraction(slope) for slope in slopes.tolist()]
    pairs = ((one, other) for one in range(len(exact)) for other in range(len(exact)))
    total = sum(
        (exact[one] * exact[other] * state.covariance(one, other) for one, other in pairs), Fraction(0)
    )
    # The products are rounded.
    return max(total, Fraction(0)) * state.rows


def _derived(expression: MetricExpression, calls: CallSums, state: SumsState) -> tuple[float, Slopes]:
    of_calls = [_of_call(places, state) for places in calls.calls]
    steps: list[tuple[float, Slopes]] = []
    for step in expression.steps:
        if isinstance(step, Constant):
            steps.append((step.number, np.zeros(len(state.sums))))
        elif isinstance(step, CallResult):
            steps.append(of_calls[step.call])
        else:
            steps.append(_operated(step.operator, steps[step.left], steps[step.right]))
    return steps[-1]


def _of_call(places: Sequence[int | None], state: SumsState) -> tuple[float, Slopes]:
    top, bottom = places
    slopes = np.zeros(len(state.sums))
    assert top is not None  # noqa: S101
    number = float(state.sums[top])
    if bottom is None:
        slopes[top] = 1.0
        return number, slopes
    divisor = float(state.sums[bottom])
    slopes[top] = 1 / divisor
    slopes[bottom] -= number / divisor**2
    return number / divisor, slopes


def _operated(
    operator: Operator, left: tuple[float, Slopes], right: tuple[float, Slopes]
) -> tuple[float, Slopes]:
    (one, by_one), (other, by_other) = left, right
    number = calculate(operator, one, other)
    match operator:
        case "+":
            return number, by_one + by_other
        case "-":
            return number, by_one - by_other
        case "*":
            return number, other * by_one + one * by_other
        case "/":
            return number, by_one / other - (one / other**2) * by_other
        case "**":
            return number, _slopes_of_power(left, right, number)


def _slopes_of_power(base: tuple[float, Slopes], exponent: tuple[float, Slopes], number: float) -> Slopes:
    (value, by_base), (power, by_exponent) = base, exponent
    slopes = np.zeros(len(by_base))
    if by_base.any():
        slopes += power * calculate("**", value, power - 1) * by_base
    if by_exponent.any():
        if value <= 0:
            raise NoNumberError("the logarithm of a number that is not positive")
        slopes += math.log(value) * number * by_exponent
    return slopes
