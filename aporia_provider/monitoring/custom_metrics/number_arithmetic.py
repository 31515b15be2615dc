"""Arithmetic of finite numbers, whose results are finite or have a reason for their absence."""

from __future__ import annotations

import math
from typing import Final

from aporia_provider.monitoring.custom_metrics.expression import Operator

ZERO_DIVISION: Final = "division by zero"
TOO_GREAT: Final = "the number is too great for a float"
NO_POWER: Final = "a negative number has no power with a fraction as exponent"


class NoNumberError(ArithmeticError):
    """Error of an operation without a result. The message is the reason."""


def calculate(operator: Operator, left: float, right: float) -> float:
    """
    Return the result of an operation, as Python computes it with floats.

    :raises NoNumberError: if there is no finite real number.
    """
    try:
        number = _calculated(operator, float(left), float(right))
    except ZeroDivisionError:
        raise NoNumberError(ZERO_DIVISION) from None
    except OverflowError:
        raise NoNumberError(TOO_GREAT) from None
    if isinstance(number, complex):
        raise NoNumberError(NO_POWER)
    if not math.isfinite(number):
        raise NoNumberError(TOO_GREAT)
    return number


def _calculated(operator: Operator, left: float, right: float) -> float | complex:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return left / right
        case "**":
            power: float | complex = left**right
            return power
