"""Conversion of values of performance metrics to answers."""

from __future__ import annotations

from typing import Any

from aporia_provider.monitoring.performance.metric_value import Value
from aporia_provider.monitoring.result import Answer, ScarceAnswer, Status


def of_value(value: Value) -> Answer:
    """Return the answer of a performance metric."""
    status: Status = "ok" if value.value is not None else "undefined" if value.enough else "insufficient_data"
    shown = value.shown if value.value is None else None
    made: dict[str, Any] = {
        "bound": value.bound,
        "shown": shown,
        "left_out": value.left_out,
        "reason": value.reason,
    }
    if value.scarce is not None:
        return ScarceAnswer(value.value, status, value.samples, **made, scarce=value.scarce)
    return Answer(value.value, status, value.samples, **made)
