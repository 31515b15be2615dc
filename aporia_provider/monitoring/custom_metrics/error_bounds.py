"""Bounds of the results of arithmetic on numbers that have bounds."""

from __future__ import annotations

import math
from itertools import product

from aporia_provider.monitoring.custom_metrics.expression import Operator
from aporia_provider.monitoring.custom_metrics.number_arithmetic import NoNumberError, calculate

Bounded = tuple[float, float]
"""A number, and the maximum difference from the exact number; infinite if there is no maximum."""


def bound_of(operator: Operator, left: Bounded, right: Bounded) -> float:
    """Return the bound of the result of an operation that has a result."""
    (one, error), (other, other_error) = left, right
    if not error and not other_error:
        return 0.0
    if not math.isfinite(error + other_error):
        return math.inf
    match operator:
        case "+" | "-":
            return error + other_error
        case "*":
            return abs(one) * other_error + abs(other) * error + error * other_error
        case "/":
            least = abs(other) - other_error
            return (error + abs(one / other) * other_error) / least if least > 0 else math.inf
        case "**":
            return _of_power(left, right)


def _of_power(base: Bounded, exponent: Bounded) -> float:
    """Return the greatest difference at the corners; powers of positive numbers are monotone in both."""
    if base[0] - base[1] <= 0:
        return math.inf
    number = calculate("**", base[0], exponent[0])
    corners = product(*((value - error, value + error) for value, error in (base, exponent)))
    try:
        return max(abs(calculate("**", *corner) - number) for corner in corners)
    except NoNumberError:
        return math.inf
