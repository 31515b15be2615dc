"""
Performance of predictions: additive states of predictions and labels, and metrics computed from them.

::

    state = state_class("binary").of(scores, labels, Options())
    compute("recall", state + other, {"threshold": 0.5}).value

A state is computed from rows once; metrics are computed from sums of states, never from rows. States of the
same rows are equal, independent of the order of the rows, the batches and the Arrow types.
"""

from aporia_provider.monitoring.performance.computation import (
    ALIASES,
    METRICS,
    STATES,
    compute,
    state_class,
)
from aporia_provider.monitoring.performance.metrics.calibration import Group, calibration
from aporia_provider.monitoring.performance.options import Options
from aporia_provider.monitoring.performance.parameters import Parameters
from aporia_provider.monitoring.performance.states.performance_state import PerformanceState

__all__ = [
    "ALIASES",
    "METRICS",
    "STATES",
    "Group",
    "Options",
    "Parameters",
    "PerformanceState",
    "calibration",
    "compute",
    "state_class",
]
