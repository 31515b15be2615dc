"""Results of metrics that are means of a term of each row."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.confidence.interval import Interval
from aporia_provider.monitoring.confidence.means import mean_interval
from aporia_provider.monitoring.performance.parameters import Parameters
from aporia_provider.monitoring.performance.result_construction import metric_result
from aporia_provider.monitoring.performance.states.performance_state import PerformanceState
from aporia_provider.monitoring.result import joined

Limits = tuple[float, float]

ANY: Limits = (-math.inf, math.inf)
POSITIVE: Limits = (0.0, math.inf)
UNIT: Limits = (0.0, 1.0)
BELOW_ONE: Limits = (-math.inf, 1.0)


@dataclass(frozen=True)
class Terms:
    """
    Sums of a term of each row.

    :param total: Sum of the terms.
    :param squares: Sum of their squares.
    :param count: Number of rows.
    :param limits: Least and greatest possible mean.
    """

    total: Fraction
    squares: Fraction
    count: int
    limits: Limits = POSITIVE

    def interval(self, confidence: float) -> Interval | None:
        """Return the interval of the mean; None for fewer than two rows."""
        interval = mean_interval(self.total, self.squares, self.count, confidence) if self.count else None
        return None if interval is None else interval.within(*self.limits)


def mean_result(
    state: PerformanceState,
    parameters: Parameters,
    terms: Terms,
    *,
    root: bool = False,
    reason: str | None = None,
    **given: Any,
) -> MetricResult:
    """
    Return the result of the mean of a term of each row. It is undefined without rows.

    :param state: State from which the terms are computed.
    :param parameters: Parameters with the required number of samples and the confidence.
    :param terms: The terms.
    :param root: Whether the metric is the square root of the mean.
    :param reason: Note about the number.
    :param given: Other parameters of :func:`~.result_construction.metric_result`.
    """
    mean = terms.total / terms.count if terms.count else None
    interval = None if state.without_squares else terms.interval(parameters.confidence)
    number: Fraction | float | None = mean
    if root:
        number = None if mean is None else math.sqrt(mean)
        interval = None if interval is None else interval.mapped(math.sqrt)
    note = joined(reason, state.without_squares)
    return metric_result(state, parameters, number, interval=interval, reason=note, **given)
