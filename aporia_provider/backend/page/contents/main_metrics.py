"""The metric of performance that a view shows first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aporia_provider.backend.registration.profile_plans import has_performance_metrics
from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.catalogue import CATALOGUE
from aporia_provider.monitoring.metric_definition import ExpectedMetric, PerformanceMetric
from aporia_provider.nearest import nearest
from aporia_provider.schema import VersionSchema
from aporia_provider.version_comparisons import Better

_OF_SCORES = "auc_roc"
_MAIN = {
    "binary": "f1",
    "multiclass": "accuracy",
    "multi-label": "example_f1",
    "regression": "rmse",
    "ranking": "ndcg_at_k",
}
_PLACES = 10
_EXPECTED = {metric.name: metric.types for metric in CATALOGUE if isinstance(metric, ExpectedMetric)}
_PERFORMANCE = [metric for metric in CATALOGUE if isinstance(metric, PerformanceMetric) and metric.better]


@dataclass(frozen=True)
class ShownMetric:
    """
    A metric of performance.

    :param name: Name of the metric.
    :param prediction: Name of the prediction.
    :param better: Whether higher or lower numbers are better.
    :param expected: Name of the metric that is expected without labels; None if there is none.
    :param parameters: Parameters of the metric.
    """

    name: str
    prediction: str
    better: Better | None
    expected: str | None
    parameters: Mapping[str, Any]


def metric_choices(model_type: str) -> list[str]:
    """Return the metrics of a model type that need no class, and whose higher or lower numbers are better."""
    names = [metric.name for metric in _PERFORMANCE if model_type in metric.types]
    return list(dict.fromkeys(name for name in names if not name.endswith("_per_class")))


def shown_metric(schema: VersionSchema, name: str | None = None) -> ShownMetric | None:
    """
    Return the metric of performance of a version.

    The default is ``auc_roc`` for binary models with scores, ``f1`` for others, ``accuracy`` for multiclass,
    ``example_f1`` for multi-label, ``rmse`` for regression, and ``ndcg_at_k`` of ten places for ranking
    models. Of several predictions, the first is taken.

    :param schema: Schema of the version.
    :param name: Name of the metric; None for the default.
    :return: None if no prediction has metrics of performance.
    :raises aporia_provider.errors.ValidationError: if the metric is not one of :func:`metric_choices`.
    """
    choices = metric_choices(schema.model_type)
    if name is not None and name not in choices:
        raise ValidationError(f"There is no metric {name!r}; {nearest(name, choices)}")
    predictions = (each for each in schema.predictions if has_performance_metrics(schema, each))
    prediction = next(predictions, None)
    if prediction is None:
        return None
    chosen = name or _default(schema, prediction)
    better = next(metric.better for metric in _PERFORMANCE if metric.name == chosen)
    expected = f"expected_{chosen}"
    parameters: dict[str, Any] = {"column": f"predictions.{prediction}"}
    if chosen.endswith("_at_k"):
        parameters["k"] = _PLACES
    has_expected = schema.model_type in _EXPECTED.get(expected, ())
    return ShownMetric(chosen, prediction, better, expected if has_expected else None, parameters)


def _default(schema: VersionSchema, prediction: str) -> str:
    is_scored = schema.model_type == "binary" and schema.predictions[prediction].type == "numeric"
    return _OF_SCORES if is_scored else _MAIN[schema.model_type]
