"""Checks of the health of a model version: what is checked, how it is judged, and the report."""

from aporia_provider.health.health_report import HealthFinding, HealthReport
from aporia_provider.health.health_request import HealthRequest
from aporia_provider.health.metric_condition import MetricCondition

__all__ = ["HealthFinding", "HealthReport", "HealthRequest", "MetricCondition"]
