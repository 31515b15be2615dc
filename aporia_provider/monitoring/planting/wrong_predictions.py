"""Shifts of performance: predictions that are wrong more often."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np

from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.performance.parameters import CLIP
from aporia_provider.monitoring.performance.states.binary_state import Binary
from aporia_provider.monitoring.performance.states.multiclass_state import Multiclass
from aporia_provider.monitoring.performance.states.regression_state import Regression
from aporia_provider.monitoring.performance.states.state_parts import NAMED_SUMS
from aporia_provider.monitoring.planting.proportions import as_fraction, taken
from aporia_provider.monitoring.states.exact_sums import exact_sum

OF_SCORES: Final = ("auc_roc", "logloss")
"""Metrics of multiclass models that are not computed from the confusion matrix."""


def less_accurate_binary(state: Binary, share: float, threshold: float = 0.5) -> Binary:
    """
    Return the state of rows after a share of them got the opposite label. Accuracy decreases by this share.

    Only rows that were classified correctly are changed, in proportion to the bins of their scores. The sums
    of ``log_loss`` and ``brier`` are computed with the middles of the bins.

    :param state: The state.
    :param share: Share of the labelled rows.
    :param threshold: Threshold of the scores.
    """
    histograms = state.histograms
    if state.made_with.get("bins") is not None:
        raise ValidationError("the scores have bins of unequal width")
    first = histograms.bins.place(threshold).first
    right = [*histograms.negatives[:first], *histograms.positives[first:]]
    gone = np.array(taken(right, round(share * state.labelled)), np.int64)
    if not gone.any():
        return state
    upper = np.arange(len(right)) >= first
    change = np.where(upper, -gone, gone)
    positives = np.array(histograms.positives) + change
    negatives = np.array(histograms.negatives) - change
    return replace(
        state,
        positives=tuple(positives.tolist()),
        negatives=tuple(negatives.tolist()),
        **_losses(state, _middles(histograms.bins.edges), gone, upper),
    )


def _middles(edges: Any) -> Any:
    """Return the middles of bins, of those without one the edge; clipped to probabilities."""
    ends = np.concatenate([edges[:1], edges, edges[-1:], edges[-1:]])
    return np.clip((ends[:-1] + ends[1:]) / 2, CLIP, 1 - CLIP)


def _losses(state: Binary, scores: Any, gone: Any, was_true: Any) -> dict[str, Any]:
    probability = np.where(was_true, scores, 1 - scores)
    brier = (1 - probability) ** 2, probability**2
    log_loss = -np.log(probability), -np.log1p(-probability)
    squares = dict(state.squares)
    changed: dict[str, Any] = {}
    for name, (before, after) in {"brier": brier, "log_loss": log_loss}.items():
        changed[name] = max(getattr(state, name) + exact_sum(gone * (after - before)), 0)
        squares = NAMED_SUMS.add(squares, {name: exact_sum(gone * (after**2 - before**2))})
    return {**changed, "squares": squares}


def less_accurate_multiclass(state: Multiclass, share: float) -> Multiclass:
    """
    Return the state of rows after a share of them got another label. Accuracy decreases by this share.

    Only rows that were classified correctly are changed. Their label becomes the most frequent other class.
    The histograms of scores are not changed, so this is for metrics of the confusion matrix only.

    :param state: The state.
    :param share: Share of the labelled rows.
    :raises aporia_provider.errors.ValidationError: if there are too many classes, or only one.
    """
    matrix = {name: dict(row) for name, row in (state.confusion or {}).items()}
    totals = {name: sum(row.values()) for name, row in matrix.items()}
    if state.confusion is None or len(totals) < 2:
        raise ValidationError(state.too_many or "there are fewer than two classes")
    names = sorted(totals, key=lambda name: (-totals[name], name))
    right = [matrix[name].get(name, 0) for name in names]
    for name, number in zip(names, taken(right, round(share * state.labelled)), strict=True):
        other = names[1] if name == names[0] else names[0]
        matrix[name][name] = matrix[name].get(name, 0) - number
        matrix[other][name] = matrix[other].get(name, 0) + number
    return replace(state, confusion={name: _positive_counts(row) for name, row in sorted(matrix.items())})


def _positive_counts(row: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in row.items() if count}


_POWERS = {"e4": 4, "e2y": 2, "e2y2": 2, "ey": 1, "relative": 2, "log": 4}
"""Power of the error in each moment of regression."""


def greater_errors(state: Regression, size: float) -> Regression:
    """
    Return the state of predictions whose errors are greater by a share of themselves.

    All sums are exact, except the sums of squared errors of logarithms, which are assumed to grow by the
    square of the factor.

    :param state: The state.
    :param size: The share.
    """
    factor = 1 + as_fraction(size)
    moments = {name: total * factor ** _POWERS.get(name, 0) for name, total in state.moments.items()}
    return replace(
        state,
        errors=state.errors * factor,
        absolute_errors=state.absolute_errors * factor,
        squared_errors=state.squared_errors * factor**2,
        relative_errors=state.relative_errors * factor,
        squared_log_errors=state.squared_log_errors * factor**2,
        moments=moments,
    )
