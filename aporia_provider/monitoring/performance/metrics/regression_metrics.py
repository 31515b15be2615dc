"""Metrics of regression, computed from states. Definitions: scikit-learn, *Regression metrics*."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.metric_definition import PerformanceMetric
from aporia_provider.monitoring.performance.parameters import Parameters
from aporia_provider.monitoring.performance.result_construction import metric_result
from aporia_provider.monitoring.performance.states.regression_state import Regression

Metric = Callable[[Regression, Parameters], MetricResult]


def _mean(total: Callable[[Regression], Fraction], root: bool = False) -> Metric:
    def metric(state: Regression, parameters: Parameters) -> MetricResult:
        mean = total(state) / state.labelled
        return metric_result(state, parameters, math.sqrt(mean) if root else mean)

    return metric


def _mape(state: Regression, parameters: Parameters) -> MetricResult:
    """Return the mean of ``|error / label|``, a ratio and not percent, over rows where it is defined."""
    used, left_out = state.labelled - state.without_ratio, state.without_ratio
    reason = f"left out {left_out} rows whose label is 0" if left_out else None
    mean = state.relative_errors / used if used else None
    return metric_result(state, parameters, mean, samples=used, reason=reason, skipped=left_out)


def _rmsle(state: Regression, parameters: Parameters) -> MetricResult:
    """Return the root of the mean squared error of ln(1 + x)."""
    used, left_out = state.labelled - state.negative, state.negative
    reason = f"left out {left_out} rows with a negative label or prediction" if left_out else None
    root = math.sqrt(state.squared_log_errors / used) if used else None
    return metric_result(state, parameters, root, samples=used, reason=reason, skipped=left_out)


def _wape(state: Regression, parameters: Parameters) -> MetricResult:
    """
    Return ``Σ|error| / Σ|label|``.

    Kolassa and Schütz, *Advantages of the MAD/mean ratio*, Foresight 6, 2007.
    """
    size = state.absolute_labels
    return metric_result(
        state,
        parameters,
        state.absolute_errors / size if size else None,
        reason=None if size else "all labels are 0",
    )


def _r2(state: Regression, parameters: Parameters) -> MetricResult:
    """Return 1 - Σerror² / Σ(label - mean label)²."""
    spread = state.squared_labels - state.labels**2 / state.labelled
    share = 1 - state.squared_errors / spread if spread else None
    return metric_result(state, parameters, share, reason=None if spread else "all labels are equal")


def _regression(name: str, metric: Metric, description: str) -> PerformanceMetric:
    return PerformanceMetric(name, ("regression",), metric, description)


METRICS = (
    _regression("mse", _mean(lambda state: state.squared_errors), "mean squared error"),
    _regression(
        "rmse", _mean(lambda state: state.squared_errors, root=True), "root of the mean squared error"
    ),
    _regression("mae", _mean(lambda state: state.absolute_errors), "mean absolute error"),
    _regression("mean_error", _mean(lambda state: state.errors), "mean of prediction − label"),
    _regression("mape", _mape, "mean of |error / label|, as a ratio"),
    _regression("wape", _wape, "sum of the absolute errors, divided by that of the absolute labels"),
    _regression("r2", _r2, "coefficient of determination"),
    _regression("rmsle", _rmsle, "root of the mean squared error of ln(1 + x)"),
)
"""Metrics of regression."""
