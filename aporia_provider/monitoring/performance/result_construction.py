"""Construction of the results of performance metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.confidence.interval import Interval
from aporia_provider.monitoring.performance.parameters import Parameters
from aporia_provider.monitoring.performance.states.performance_state import PerformanceState
from aporia_provider.monitoring.result import joined, unreliable, with_interval
from aporia_provider.monitoring.result_limits import MOST_LEFT_OUT, WIDEST_BOUND


def metric_result(
    state: PerformanceState,
    parameters: Parameters,
    number: Fraction | float | None,
    *,
    bound: float = 0.0,
    scale: float = 1.0,
    interval: Interval | None = None,
    reason: str | None = None,
    samples: int | None = None,
    skipped: int = 0,
) -> MetricResult:
    """
    Return the result of a metric from its number.

    It is not reliable if the number was computed from too few samples; if its bound is above
    :data:`~.result_limits.WIDEST_BOUND`; if more than :data:`~.result_limits.MOST_LEFT_OUT` of the rows with
    a prediction and a label are left out, or have several different labels with the same timestamp; or if the
    state is not reliable (:attr:`~.performance_state.PerformanceState.doubt`).

    :param state: State from which it was computed.
    :param parameters: Parameters with the required number of samples.
    :param number: The number; None if it is undefined for ``reason``.
    :param bound: Maximum difference from the exact number.
    :param scale: Greatest possible number, such as 1 for a rate. The limit of the bound is multiplied by it.
    :param interval: Interval of the number that accounts for sampling, at :attr:`.Parameters.confidence`.
    :param reason: Note about the number.
    :param samples: Number of labelled rows from which it was computed. Default: all.
    :param skipped: Number of labelled rows for which the metric is undefined.
    """
    used = state.labelled if samples is None else samples
    left_out = state.left_out + skipped
    try:
        value = None if number is None else float(number)
    except OverflowError:
        value, reason = None, "the number is too great for a float"
    bound = 0.0 if value is None else bound
    objections = [
        f"only {used} samples; {parameters.minimum} are needed" if used < parameters.minimum else None,
        _too_many_left_out(left_out, state.labelled + state.left_out),
        _too_wide(bound, scale),
        _too_many_ties(state.ties, state.labelled + state.left_out),
        state.doubt,
    ]
    result = MetricResult(
        value,
        "undefined" if value is None else "ok",
        used,
        bound=bound,
        left_out=left_out,
        reason=joined(*objections, reason, state.explanation),
        shortage=(used, parameters.minimum) if used < parameters.minimum else None,
    )
    result = with_interval(result, None if value is None else interval)
    return unreliable(result) if any(objections) else result


def from_classes(result: MetricResult, rarer: int, parameters: Parameters) -> MetricResult:
    """
    Return the result of a metric of two classes, not reliable if there are too few labels of one.

    :param result: The result.
    :param rarer: Number of labels of the rarer class, at least 1.
    :param parameters: Parameters with the required number of labels.
    """
    least = parameters.labels_of_each
    if rarer >= least:
        return result
    # If there are too few samples as well, collecting these may take even longer.
    needed = max(least, -(-rarer * parameters.minimum // result.samples))
    objected = unreliable(result, f"only {rarer} labels of one class; {least} are needed")
    return replace(objected, shortage=(rarer, needed))


def with_value(result: MetricResult, value: Any) -> MetricResult:
    """
    Return a result with another value, reliable or not as before.

    :param result: A result with a value, which may be only in ``shown``.
    :param value: The value.
    """
    return replace(result, **{"shown" if result.value is None else "value": value})


def _too_many_left_out(left_out: int, rows: int) -> str | None:
    if left_out <= MOST_LEFT_OUT * rows:
        return None
    return f"{left_out} of {rows} rows with a prediction and a label are left out"


def _too_many_ties(ties: int, rows: int) -> str | None:
    if ties <= MOST_LEFT_OUT * rows:
        return None
    return f"of {rows} rows with a prediction and a label, {ties} have different labels with one timestamp"


def _too_wide(bound: float, scale: float) -> str | None:
    if bound <= WIDEST_BOUND * scale:
        return None
    return (
        f"the bound {bound:.3g} is too wide, since many scores are in one bin (the bins are derived from the "
        "scores of the training dataset, if one is connected; a threshold on the edge of a bin is exact)"
    )


def undefined_if(
    hindered: Callable[[Any], str | None], metric: Callable[[Any, Parameters], MetricResult]
) -> Callable[[Any, Parameters], MetricResult]:
    """
    Return a metric that is undefined for some states.

    :param hindered: Function that returns why the metric is undefined for a state; None if it is defined.
    :param metric: The metric for all other states.
    """

    def with_check(state: PerformanceState, parameters: Parameters) -> MetricResult:
        reason = hindered(state)
        if reason is not None:
            return metric_result(state, parameters, None, reason=reason)
        return metric(state, parameters)

    return with_check


def count_result(number: float | None, samples: int, state: PerformanceState | None = None) -> MetricResult:
    """
    Return the result of a count of rows, which requires no minimum number of samples.

    :param number: The count.
    :param samples: Number of rows.
    :param state: State with the faults, if the count depends on which rows can be compared.
    """
    if state is None:
        return MetricResult(number, samples=samples)
    return MetricResult(number, samples=samples, left_out=state.left_out, reason=state.explanation)
