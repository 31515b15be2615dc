"""States and metrics of performance, by model type and name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aporia_provider.errors import ValidationError
from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.confidence.proportions import wilson
from aporia_provider.monitoring.metric_definition import LabelCount, PerformanceMetric
from aporia_provider.monitoring.performance.metrics import (
    binary_metrics,
    multiclass_metrics,
    multilabel_metrics,
    ranking_metrics,
    regression_metrics,
)
from aporia_provider.monitoring.performance.parameters import Parameters
from aporia_provider.monitoring.performance.result_construction import count_result
from aporia_provider.monitoring.performance.states.binary_state import Binary
from aporia_provider.monitoring.performance.states.multiclass_state import Multiclass
from aporia_provider.monitoring.performance.states.multilabel_state import MultiLabel
from aporia_provider.monitoring.performance.states.performance_state import PerformanceState
from aporia_provider.monitoring.performance.states.ranking_state import Ranking
from aporia_provider.monitoring.performance.states.regression_state import Regression
from aporia_provider.monitoring.result import undefined, with_interval
from aporia_provider.nearest import nearest
from aporia_provider.schema import MODEL_TYPES

STATES: Mapping[str, type[PerformanceState]] = {
    "regression": Regression,
    "binary": Binary,
    "multiclass": Multiclass,
    "multi-label": MultiLabel,
    "ranking": Ranking,
}
"""States by model type (:data:`aporia_provider.schema.MODEL_TYPES`)."""


def _label_coverage(state: PerformanceState, parameters: Parameters) -> MetricResult:
    """Return the proportion of the predictions that have a label they can be compared with."""
    if not state.rows:
        return undefined("there are no predictions")
    coverage = state.labelled / state.rows
    return with_interval(
        count_result(coverage, state.rows, state), wilson(coverage, state.rows, parameters.z)
    )


def _prediction_count(state: PerformanceState, _: Parameters) -> MetricResult:
    return count_result(float(state.rows), state.rows)


def _actuals_count(state: PerformanceState, _: Parameters) -> MetricResult:
    return count_result(float(state.labelled), state.rows, state)


_OF_ALL_TYPES = (
    LabelCount(
        "label_coverage", MODEL_TYPES, _label_coverage, "proportion of the predictions that have a label"
    ),
    LabelCount("prediction_count", MODEL_TYPES, _prediction_count, "predictions"),
    LabelCount("actuals_count", MODEL_TYPES, _actuals_count, "predictions that have a label"),
)
ALIASES: Mapping[str, str] = {
    "precision_score": "precision",
    "recall_score": "recall",
    "f1_score": "f1",
    "pr_auc": "average_precision",
    "actuals_ratio": "label_coverage",
    "hamming_loss": "hamming",
    "ndcg": "ndcg_at_k",
}
"""Other names of metrics. Those that end in ``_score``, ``actuals_ratio`` and ``ndcg`` are the protocol's."""

PERFORMANCE_METRICS = (
    *_OF_ALL_TYPES,
    *binary_metrics.METRICS,
    *multiclass_metrics.METRICS,
    *multilabel_metrics.METRICS,
    *regression_metrics.METRICS,
    *ranking_metrics.METRICS,
)
"""Definitions of all performance metrics."""
METRICS: Mapping[str, Mapping[str, PerformanceMetric]] = {
    model_type: {each.name: each for each in PERFORMANCE_METRICS if model_type in each.types}
    for model_type in MODEL_TYPES
}
"""Definitions of performance metrics by model type, then by name."""


def state_class(model_type: str) -> type[PerformanceState]:
    """
    Return the class of the states of a model type.

    :raises aporia_provider.errors.ValidationError: if there is no such model type.
    """
    if model_type not in STATES:
        raise ValidationError(f"There is no model type {model_type!r}; {nearest(model_type, STATES)}")
    return STATES[model_type]


def compute(
    name: str, state: PerformanceState, parameters: Parameters | Mapping[str, Any] | None = None
) -> MetricResult:
    """
    Return the result of a metric.

    Without labelled rows, all metrics except counts of rows have no value. The reason mentions rows whose
    prediction and label cannot be compared, even if the value is valid.

    :param name: One of :data:`METRICS` of the state's model type, or of :data:`ALIASES`.
    :param state: State of the rows; sums of states are states.
    :param parameters: Parameters of the metric, as :class:`Parameters` or in JSON form.
    :raises aporia_provider.errors.ValidationError: if the metric does not exist, or a parameter is invalid or
        missing.
    """
    model_type = next(type_name for type_name, state_type in STATES.items() if type(state) is state_type)
    metrics = METRICS[model_type]
    metric = metrics.get(ALIASES.get(name, name))
    if metric is None:
        names = ", ".join(sorted(metrics))
        raise ValidationError(f"There is no metric {name!r} of {model_type} models; available: {names}")
    parsed = parameters if isinstance(parameters, Parameters) else Parameters.read(parameters or {})
    result: MetricResult
    if metric in _OF_ALL_TYPES or state.labelled:
        result = metric.compute(state, parsed)
        return result
    reason = state.explanation or "no row is labelled"
    return MetricResult(None, "insufficient_data", left_out=state.left_out, reason=reason)
