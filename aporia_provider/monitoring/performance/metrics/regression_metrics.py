"""Metrics of regression, computed from states. Definitions: scikit-learn, *Regression metrics*."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.confidence.interval import Interval
from aporia_provider.monitoring.confidence.means import Squares, ratio_interval
from aporia_provider.monitoring.metric_definition import PerformanceMetric
from aporia_provider.monitoring.performance.mean_results import (
    ANY,
    BELOW_ONE,
    POSITIVE,
    Limits,
    Terms,
    mean_result,
)
from aporia_provider.monitoring.performance.parameters import Parameters
from aporia_provider.monitoring.performance.result_construction import metric_result
from aporia_provider.monitoring.performance.states.regression_state import Regression
from aporia_provider.version_comparisons import Better

Metric = Callable[[Regression, Parameters], MetricResult]

# Least ratio of the centred fourth moment of the labels to that about zero, since fourth powers are rounded.
_LEAST_PART = Fraction(1, 2**40)


def _mean(
    total: Callable[[Regression], Fraction],
    squares: Callable[[Regression], Fraction],
    *,
    root: bool = False,
    limits: Limits = POSITIVE,
) -> Metric:
    def metric(state: Regression, parameters: Parameters) -> MetricResult:
        terms = Terms(total(state), squares(state), state.labelled, limits)
        return mean_result(state, parameters, terms, root=root)

    return metric


def _squared_errors(state: Regression) -> Fraction:
    return state.squared_errors


def _fourth_powers(state: Regression) -> Fraction:
    return _moment(state, "e4")


def _moment(state: Regression, name: str) -> Fraction:
    return state.moments.get(name, Fraction())


def _mape(state: Regression, parameters: Parameters) -> MetricResult:
    """Return the mean of ``|error / label|``, a ratio and not percent, over rows where it is defined."""
    used, left_out = state.labelled - state.without_ratio, state.without_ratio
    reason = f"left out {left_out} rows whose label is 0" if left_out else None
    terms = Terms(state.relative_errors, _moment(state, "relative"), used)
    return mean_result(state, parameters, terms, samples=used, reason=reason, skipped=left_out)


def _rmsle(state: Regression, parameters: Parameters) -> MetricResult:
    """Return the root of the mean squared error of ln(1 + x)."""
    used, left_out = state.labelled - state.negative, state.negative
    reason = f"left out {left_out} rows with a negative label or prediction" if left_out else None
    terms = Terms(state.squared_log_errors, _moment(state, "log"), used)
    return mean_result(state, parameters, terms, root=True, samples=used, reason=reason, skipped=left_out)


def _total(total: Callable[[Regression], Fraction]) -> Metric:
    return lambda state, parameters: metric_result(state, parameters, total(state))


def _wape(state: Regression, parameters: Parameters) -> MetricResult:
    """
    Return ``Σ|error| / Σ|label|``.

    Kolassa and Schütz, *Advantages of the MAD/mean ratio*, Foresight 6, 2007.
    """
    size = state.absolute_labels
    if not size:
        return metric_result(state, parameters, None, reason="all labels are 0")
    errors = Squares(state.absolute_errors, state.squared_errors)
    labels = Squares(size, state.squared_labels)
    interval = ratio_interval(errors, labels, _moment(state, "ey"), state.labelled, parameters.confidence)
    return _with_interval(state, parameters, errors.total / size, interval, POSITIVE)


def _r2(state: Regression, parameters: Parameters) -> MetricResult:
    """Return 1 - Σerror² / Σ(label - mean label)²."""
    spread = state.squared_labels - state.labels**2 / state.labelled
    if not spread:
        return metric_result(state, parameters, None, reason="all labels are equal")
    share = 1 - state.squared_errors / spread
    return _with_interval(state, parameters, share, _of_r2(state, spread, parameters.confidence), BELOW_ONE)


def _of_r2(state: Regression, spread: Fraction, confidence: float) -> Interval | None:
    """
    Return the interval of R²; None if it is not accurate, since the labels are too far from zero.

    R² does not depend on the mean of the labels in first order, so the error is the error of a ratio of
    means.
    """
    mean = state.labels / state.labelled
    y2, y3, y4 = state.squared_labels, _moment(state, "y3"), _moment(state, "y4")
    fourth = y4 - 4 * mean * y3 + 6 * mean**2 * y2 - 3 * state.labelled * mean**4
    if fourth <= y4 * _LEAST_PART:
        return None
    products = _moment(state, "e2y2") - 2 * mean * _moment(state, "e2y") + mean**2 * state.squared_errors
    errors = Squares(state.squared_errors, _moment(state, "e4"))
    ratio = ratio_interval(errors, Squares(spread, fourth), products, state.labelled, confidence)
    return None if ratio is None else Interval(1 - ratio.value, 1 - ratio.high, 1 - ratio.low)


def _with_interval(
    state: Regression, parameters: Parameters, number: Fraction, interval: Interval | None, limits: Limits
) -> MetricResult:
    reason = state.without_squares
    within = None if interval is None or reason else interval.within(*limits)
    return metric_result(state, parameters, number, interval=within, reason=reason)


def _regression(
    name: str, metric: Metric, description: str, better: Better | None = "lower"
) -> PerformanceMetric:
    return PerformanceMetric(name, ("regression",), metric, description, better=better)


METRICS = (
    _regression("mse", _mean(_squared_errors, _fourth_powers), "mean squared error"),
    _regression("rmse", _mean(_squared_errors, _fourth_powers, root=True), "root of the mean squared error"),
    _regression("mae", _mean(lambda state: state.absolute_errors, _squared_errors), "mean absolute error"),
    _regression(
        "mean_error",
        _mean(lambda state: state.errors, _squared_errors, limits=ANY),
        "mean of prediction − label",
        better=None,
    ),
    _regression(
        "absolute_error_sum",
        _total(lambda state: state.absolute_errors),
        "sum of the absolute errors",
        better=None,
    ),
    _regression("squared_error_sum", _total(_squared_errors), "sum of the squared errors", better=None),
    _regression("mape", _mape, "mean of |error / label|, as a ratio"),
    _regression("wape", _wape, "sum of the absolute errors, divided by the sum of the absolute labels"),
    _regression("r2", _r2, "coefficient of determination", "higher"),
    _regression("rmsle", _rmsle, "root of the mean squared error of ln(1 + x)"),
)
"""Metrics of regression."""
