"""Conditions of segments: their language, and the rows that they select."""

from aporia_provider.monitoring.segments.conditions import (
    Condition,
    ConditionError,
    checked_condition,
    condition_faults,
    parse_condition,
    resolve,
)
from aporia_provider.monitoring.segments.evaluation import rows_of

__all__ = [
    "Condition",
    "ConditionError",
    "checked_condition",
    "condition_faults",
    "parse_condition",
    "resolve",
    "rows_of",
]
