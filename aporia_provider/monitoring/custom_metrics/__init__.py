"""
Custom metrics: arithmetic on metrics, written in the language of the platform.

A code is parsed by :func:`parse_metric`, checked against a schema by :func:`bind`, and evaluated by
:func:`evaluate`. Nothing of a code is executed.
"""

from aporia_provider.monitoring.custom_metrics.call_sums import CallSums, sums_of
from aporia_provider.monitoring.custom_metrics.code_faults import CustomMetricError
from aporia_provider.monitoring.custom_metrics.code_parser import parse_metric
from aporia_provider.monitoring.custom_metrics.delta_method import delta_interval
from aporia_provider.monitoring.custom_metrics.evaluation_of_expressions import evaluate
from aporia_provider.monitoring.custom_metrics.expression import Call, MetricExpression
from aporia_provider.monitoring.custom_metrics.field_binding import bind, checked_metric, metric_faults

__all__ = [
    "Call",
    "CallSums",
    "CustomMetricError",
    "MetricExpression",
    "bind",
    "checked_metric",
    "delta_interval",
    "evaluate",
    "metric_faults",
    "parse_metric",
    "sums_of",
]
