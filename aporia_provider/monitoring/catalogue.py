"""The catalogue of all metrics."""

from __future__ import annotations

from functools import lru_cache

from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.drift.measures import DISTANCES
from aporia_provider.monitoring.estimation.expected_metrics import EXPECTED_METRICS
from aporia_provider.monitoring.metric_definition import Kind, MetricDefinition
from aporia_provider.monitoring.performance.computation import ALIASES, PERFORMANCE_METRICS
from aporia_provider.monitoring.statistics.field_statistics import STATISTICS
from aporia_provider.monitoring.statistics.row_metrics import ROW_METRICS
from aporia_provider.nearest import nearest
from aporia_provider.version_comparisons import Better

CATALOGUE: tuple[MetricDefinition, ...] = (
    *ROW_METRICS,
    *STATISTICS,
    *DISTANCES,
    *PERFORMANCE_METRICS,
    *EXPECTED_METRICS,
)
"""Definitions of all metrics. A metric that is computed differently for different types has several."""


_BY_MODEL_TYPE: tuple[Kind, ...] = ("performance", "expected")
"""Kinds of metrics whose types are model types."""


def metric_names() -> list[str]:
    """Return the names of all metrics, including aliases, in alphabetical order."""
    return sorted({*(metric.name for metric in CATALOGUE), *ALIASES})


def metric_kinds(name: str, model_type: str) -> set[Kind]:
    """
    Return the kinds of the metrics that have this name or alias and exist for a model type.

    :raises aporia_provider.errors.ValidationError: if no such metric exists for the model type.
    """
    if kinds := _kinds(name, model_type):
        return set(kinds)
    definitions = [each for each in CATALOGUE if each.name == ALIASES.get(name, name)]
    others = list(dict.fromkeys(type_ for definition in definitions for type_ in definition.types))
    if others:
        raise ValidationError(f"Metric {name!r} is for {' and '.join(others)} models, not for {model_type}")
    applicable = {each.name for each in CATALOGUE if _applies(each, model_type)}
    aliases = (alias for alias, metric in ALIASES.items() if metric in applicable)
    raise ValidationError(f"There is no metric {name!r}; {nearest(name, sorted({*applicable, *aliases}))}")


@lru_cache(4096)
def _kinds(name: str, model_type: str) -> frozenset[Kind]:
    definitions = (metric for metric in CATALOGUE if metric.name == ALIASES.get(name, name))
    return frozenset(definition.kind for definition in definitions if _applies(definition, model_type))


def better(name: str) -> Better:
    """
    Return whether higher or lower numbers of a metric are better.

    :raises aporia_provider.errors.ValidationError: if no metric of performance has this name, or neither is.
    """
    directions = {metric.name: metric.better for metric in PERFORMANCE_METRICS}
    direction = directions.get(ALIASES.get(name, name))
    if direction is not None:
        return direction
    comparable = [each for each, is_comparable in directions.items() if is_comparable]
    if name in directions:
        raise ValidationError(f"Neither higher nor lower numbers of {name!r} are better")
    raise ValidationError(f"There is no metric of performance {name!r}; {nearest(name, comparable)}")


def _applies(metric: MetricDefinition, model_type: str) -> bool:
    return metric.kind not in _BY_MODEL_TYPE or model_type in metric.types
