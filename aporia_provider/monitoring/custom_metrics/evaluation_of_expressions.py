"""Evaluation of custom metrics from the results of their calls."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from aporia_provider.errors import ValidationError
from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.custom_metrics.error_bounds import Bounded, bound_of
from aporia_provider.monitoring.custom_metrics.expression import (
    Call,
    CallResult,
    Constant,
    MetricExpression,
    Operation,
)
from aporia_provider.monitoring.custom_metrics.interval_trends import Trend, combined
from aporia_provider.monitoring.custom_metrics.number_arithmetic import NoNumberError, calculate
from aporia_provider.monitoring.result import joined, undefined

NO_COVARIANCES = "there is no interval, since the covariances of the sums are not kept"
NO_DERIVATIVE = "there is no interval, since the expression has no linear approximation at the sums"

Interval = tuple[float, float] | str
"""Ends of an interval, or why there is none."""
NO_BOUND = "the bounds of the calls allow any number"
NOT_MONOTONE = (
    "there is no interval, since the expression does not rise or fall over the interval of its call"
)


def evaluate(
    expression: MetricExpression,
    answer: Callable[[Call], MetricResult],
    interval: Callable[[], Interval] = lambda: NO_COVARIANCES,
) -> MetricResult:
    """
    Return the result of a custom metric.

    If a call has no value, or one that is not reliable, there is insufficient data. If the arithmetic has no
    number, such as a division by zero, the result is undefined. An expression that is a single call has the
    result of the call.

    :param expression: The expression.
    :param answer: Function that returns the result of a call.
    :param interval: Function that returns the interval of an expression of several calls.
    :raises aporia_provider.errors.ValidationError: if it raises one; the message names the call.
    """
    results = [_checked(_answered(call, answer)) for call in expression.calls]
    if isinstance(expression.steps[-1], CallResult) and len(results) == 1:
        return results[0]
    missing = [place for place, result in enumerate(results) if result.number is None]
    if missing:
        return _without(expression, results)
    return _Evaluation(expression, results, interval).result()


def _answered(call: Call, answer: Callable[[Call], MetricResult]) -> MetricResult:
    try:
        return answer(call)
    except ValidationError as error:
        raise ValidationError(f"{call.text}: {error.message}") from error


def _checked(result: MetricResult) -> MetricResult:
    """Return a result without a number that arithmetic cannot use."""
    number = result.number
    if number is None or _is_finite(number):
        return result
    return replace(undefined(f"{number!r} is not a finite number", result.samples), left_out=result.left_out)


def _is_finite(number: object) -> bool:
    if not isinstance(number, int | float) or isinstance(number, bool):
        return False
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def _notes(expression: MetricExpression, results: Sequence[MetricResult]) -> list[str]:
    return [
        f"{call.text}: {result.reason or 'there is no value'}"
        for call, result in zip(expression.calls, results, strict=True)
        if result.reason or result.value is None
    ]


def _without(expression: MetricExpression, results: Sequence[MetricResult]) -> MetricResult:
    return _summed(results, joined(*_notes(expression, results)))


def _summed(results: Sequence[MetricResult], reason: str | None) -> MetricResult:
    """Return a result without a value: the samples of the operands, and what they leave out."""
    return MetricResult(
        None,
        "insufficient_data",
        min((result.samples for result in results), default=0),
        left_out=max((result.left_out for result in results), default=0),
        reason=reason,
    )


class _Evaluation:
    def __init__(
        self,
        expression: MetricExpression,
        results: Sequence[MetricResult],
        interval: Callable[[], Interval],
    ) -> None:
        self._expression = expression
        self._results = results
        self._of_several = interval

    def result(self) -> MetricResult:
        base = _summed(self._results, None)
        reasons = _notes(self._expression, self._results)
        try:
            number, bound = self._numbers()[-1]
        except NoNumberError as error:
            return replace(base, status="undefined", reason=joined(str(error), *reasons))
        low, high, note = self._interval()
        reason = joined(*reasons, note)
        ends = replace(base, low=low, high=high, bound=bound, reason=reason)
        if not math.isfinite(bound):
            return replace(ends, shown=number, bound=0.0, reason=joined(NO_BOUND, reason))
        if any(result.value is None for result in self._results):
            return replace(ends, shown=number)
        return replace(ends, value=number, status="ok")

    def _numbers(self) -> list[Bounded]:
        numbers: list[Bounded] = []
        for step in self._expression.steps:
            match step:
                case Constant(number):
                    numbers.append((number, 0.0))
                case CallResult(call):
                    result = self._results[call]
                    numbers.append((float(result.number), result.bound))
                case Operation(operator, left, right):
                    one, other = numbers[left], numbers[right]
                    value = calculate(operator, one[0], other[0])
                    numbers.append((value, bound_of(operator, one, other)))
        return numbers

    def _interval(self) -> tuple[float | None, float | None, str | None]:
        """Return the interval, and why there is none although the calls have intervals."""
        if len(self._results) > 1:
            found = self._of_several()
            return (None, None, found) if isinstance(found, str) else (*found, None)
        low, high = (self._results[0].low, self._results[0].high) if self._results else (None, None)
        if not isinstance(low, int | float) or not isinstance(high, int | float):
            return None, None, None
        trend = self._trend(float(low), float(high))
        if trend is None:
            return None, None, NOT_MONOTONE
        return min(trend.at_low, trend.at_high), max(trend.at_low, trend.at_high), None

    def _trend(self, low: float, high: float) -> Trend | None:
        trends: list[Trend | None] = []
        for step in self._expression.steps:
            match step:
                case Constant(number):
                    trends.append(Trend(None, number, number))
                case CallResult(call):
                    trends.append(Trend(call, low, high))
                case Operation(operator, left, right):
                    one, other = trends[left], trends[right]
                    trends.append(combined(operator, one, other) if one and other else None)
        return trends[-1]
