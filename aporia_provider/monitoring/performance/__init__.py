"""
How good predictions were: additive states made of them and their labels, and the metrics computed from those.

::

    state = state_class("binary").of(scores, labels, Options())
    compute("recall", state + other, {"threshold": 0.5}).verdict(least=0.9)

A state is made of rows once; every metric is computed from sums of states, never from rows. States of the
same rows are equal whatever order and batches they came in, and whatever Arrow types they had.
"""

from aporia_provider.monitoring.performance.catalogue import (
    ALIASES,
    METRICS,
    STATES,
    compute,
    state_class,
)
from aporia_provider.monitoring.performance.metric_value import Value, Verdict
from aporia_provider.monitoring.performance.metrics.calibration import Group, calibration
from aporia_provider.monitoring.performance.options import Options
from aporia_provider.monitoring.performance.parameters import Parameters
from aporia_provider.monitoring.performance.states.labelled_state import Labelled

__all__ = [
    "ALIASES",
    "METRICS",
    "STATES",
    "Group",
    "Labelled",
    "Options",
    "Parameters",
    "Value",
    "Verdict",
    "calibration",
    "compute",
    "state_class",
]
