"""Terms of the rows whose mean is a metric of performance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from aporia_provider.monitoring.performance.mean_results import POSITIVE, UNIT, Terms
from aporia_provider.monitoring.performance.metrics.binary_metrics import confusion_of
from aporia_provider.monitoring.performance.parameters import Parameters
from aporia_provider.monitoring.performance.states.performance_state import PerformanceState

RowTerms = Callable[[Any, Parameters], Terms | None]


def _hits(count: Callable[[Any, Parameters], int]) -> RowTerms:
    """Return the terms of a proportion of the rows, which are 0 or 1."""

    def terms(state: Any, parameters: Parameters) -> Terms:
        hits = Fraction(count(state, parameters))
        return Terms(hits, hits, state.labelled, UNIT)

    return terms


def _sums(total: Callable[[Any], Fraction], squares: Callable[[Any], Fraction]) -> RowTerms:
    """Return the terms of a mean; None if their squares, or some scores, cannot be used."""

    def terms(state: Any, _: Parameters) -> Terms | None:
        if state.without_squares or getattr(state, "outside", 0):
            return None
        return Terms(total(state), squares(state), state.labelled, POSITIVE)

    return terms


def _right(state: Any, parameters: Parameters) -> int:
    counts = confusion_of(state, parameters).counts
    return counts.tp + counts.tn


def _of_binary(name: str) -> RowTerms:
    return _sums(lambda state: getattr(state, name), lambda state: state.squares.get(name, Fraction()))


_SQUARED_ERRORS = _sums(lambda state: state.squared_errors, lambda state: state.moments.get("e4", Fraction()))
_TERMS: Mapping[str, Mapping[str, RowTerms]] = {
    "binary": {
        "accuracy": _hits(_right),
        "logloss": _of_binary("log_loss"),
        "brier": _of_binary("brier"),
    },
    "multiclass": {
        "accuracy": _hits(
            lambda state, _: sum(row.get(name, 0) for name, row in (state.confusion or {}).items())
        ),
        "logloss": _sums(lambda state: state.log_loss, lambda state: state.log_loss_squares),
    },
    "multi-label": {"accuracy": _hits(lambda state, _: state.matched)},
    "regression": {
        "mse": _SQUARED_ERRORS,
        "rmse": _SQUARED_ERRORS,
        "mae": _sums(lambda state: state.absolute_errors, lambda state: state.squared_errors),
    },
}
ROOTS = frozenset(("rmse",))
"""Metrics that are the square root of the mean."""


def has_row_terms(metric: str, model_type: str) -> bool:
    """Return whether a metric is the mean of a term of each labelled row, or the square root of one."""
    return metric in _TERMS.get(model_type, {})


def row_terms(
    metric: str, model_type: str, state: PerformanceState, parameters: Mapping[str, Any]
) -> Terms | None:
    """
    Return the terms whose mean is a metric; None if there are none, or they are not known.

    :param metric: Name of the metric.
    :param model_type: Type of the model.
    :param state: State of the rows.
    :param parameters: Parameters of the metric in JSON form.
    :raises aporia_provider.errors.ValidationError: if a parameter is invalid.
    """
    find = _TERMS.get(model_type, {}).get(metric)
    if find is None or getattr(state, "too_many", None):
        return None
    return find(state, Parameters.read(parameters))
