"""Intervals of expressions of one call: the numbers at both ends of the interval of its result."""

from __future__ import annotations

from dataclasses import dataclass

from aporia_provider.monitoring.custom_metrics.expression import Operator
from aporia_provider.monitoring.custom_metrics.number_arithmetic import NoNumberError, calculate


@dataclass(frozen=True)
class Trend:
    """
    A step as a monotone function of the result of one call.

    :param call: Position of the call; None if the step is a constant.
    :param at_low: Number of the step at the lower end of the call's interval.
    :param at_high: Number of the step at the upper end.
    :param linear: Whether the function is linear.
    """

    call: int | None
    at_low: float
    at_high: float
    linear: bool = True

    @property
    def is_constant(self) -> bool:
        """Whether the step is a constant."""
        return self.call is None

    @property
    def sign(self) -> int:
        """1 if the numbers are positive, -1 if negative, 0 if neither."""
        return (min(self.at_low, self.at_high) > 0) - (max(self.at_low, self.at_high) < 0)


def combined(operator: Operator, left: Trend, right: Trend) -> Trend | None:
    """Return the trend of an operation; None if it is not known to be monotone."""
    calls = {each.call for each in (left, right) if each.call is not None}
    if len(calls) > 1 or not _is_monotone(operator, left, right):
        return None
    try:
        at_low = calculate(operator, left.at_low, right.at_low)
        at_high = calculate(operator, left.at_high, right.at_high)
    except NoNumberError:
        return None
    linear = left.linear and right.linear and (operator in "+-" or _scales(operator, left, right))
    return Trend(next(iter(calls), None), at_low, at_high, linear)


def _scales(operator: Operator, left: Trend, right: Trend) -> bool:
    """Return whether an operation multiplies by a constant."""
    return (operator == "*" and (left.is_constant or right.is_constant)) or (
        operator == "/" and right.is_constant
    )


def _is_monotone(operator: Operator, left: Trend, right: Trend) -> bool:
    if left.is_constant and right.is_constant:
        return True
    if not left.is_constant and not right.is_constant:
        # The difference of two increasing functions may be neither increasing nor decreasing.
        return operator in ("+", "-") and left.linear and right.linear
    if operator == "/":
        return right.is_constant or right.sign != 0
    if operator == "**":
        return _is_monotone_power(left, right)
    return True


def _is_monotone_power(base: Trend, exponent: Trend) -> bool:
    if base.is_constant:
        return base.at_low > 0
    power = exponent.at_low
    if base.sign > 0:
        return True
    if power < 0 or not power.is_integer():
        return base.sign < 0 and power.is_integer()
    return base.sign < 0 or power % 2 == 1 or min(base.at_low, base.at_high) >= 0
