"""Areas under the curves of a binary classifier, computed from histograms, with the error due to binning."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.confidence.areas import (
    AreaError,
    area_interval,
    average_precision_error,
    delong,
)
from aporia_provider.monitoring.performance.parameters import Parameters
from aporia_provider.monitoring.performance.result_construction import from_classes, metric_result
from aporia_provider.monitoring.performance.states.binary_state import Binary

BinCounts = Iterable[tuple[int, int, bool]]
"""For each bin in the order of scores: true labels, false labels, and whether all scores in it are equal."""


@dataclass(frozen=True)
class Area:
    """
    Area under a curve.

    :param number: The area; None if all labels are of one class.
    :param bound: Maximum difference from the exact area.
    :param true: Number of true labels.
    :param false: Number of false labels.
    """

    number: float | None
    bound: float
    true: int
    false: int


def area_under_roc(bins: BinCounts) -> Area:
    """
    Return the proportion of pairs of a true and a false label whose scores are in the right order.

    Pairs in one bin count half (Hanley and McNeil, *The meaning and use of the area under a ROC curve*,
    Radiology 143, 1982), so the error is at most half of them.
    """
    ordered, tied, positives, below = 0, 0, 0, 0
    for true, false, exact in bins:
        ordered += true * (2 * below + false)
        tied += 0 if exact else true * false
        positives += true
        below += false
    pairs = 2 * positives * below
    if not pairs:
        return Area(None, 0.0, positives, below)
    return Area(ordered / pairs, tied / pairs, positives, below)


def roc_area(state: Binary, parameters: Parameters) -> MetricResult:
    """Return the area under the ROC curve."""
    area = area_under_roc(_bins(state))
    if area.number is None:
        return _one_class(state, parameters)
    histograms = state.histograms
    error = delong(histograms.positives, histograms.negatives)
    return _both_classes(state, parameters, area.number, area.bound, error)


def average_precision(state: Binary, parameters: Parameters) -> MetricResult:
    """
    Return the area under the precision-recall curve: Σ (increase of recall) · precision (scikit-learn).

    The thresholds are the bin edges. The exact precision of a true label is smallest if all false labels of
    its bin precede it, and greatest if none does; the bound is computed from the sums of both.
    """
    if not state.true or not state.false:
        return _one_class(state, parameters)
    area, least, most, above_true, above_false = 0.0, 0.0, 0.0, 0, 0
    for true, false, exact in reversed(list(_bins(state))):
        seen_true, seen_false = above_true + true, above_false + false
        step = true * seen_true / (seen_true + seen_false) if true else 0.0
        area += step
        least += step if exact else _least(true, above_true, seen_false)
        most += step if exact or not true else true * seen_true / (seen_true + above_false)
        above_true, above_false = seen_true, seen_false
    bound = max(most - area, area - least) / state.true
    histograms = state.histograms
    error = average_precision_error(histograms.positives, histograms.negatives)
    return _both_classes(state, parameters, area / state.true, bound, error)


def _least(true: int, above: int, false: int) -> float:
    """
    Return a lower bound of Σ f(j) = (above + j) / (above + j + false), j = 1 … true.

    It is the integral from ½, since f is concave.
    """
    return true - false * math.log1p(true / (above + false + 0.5))


def _bins(state: Binary) -> Iterator[tuple[int, int, bool]]:
    histograms = state.histograms
    decisions = state.decided == state.labelled
    for true, false, single in zip(
        histograms.positives, histograms.negatives, histograms.bins.single, strict=True
    ):
        yield true, false, decisions or single


def _one_class(state: Binary, parameters: Parameters) -> MetricResult:
    return metric_result(
        state, parameters, None, reason=f"all labels are {'true' if state.true else 'false'}"
    )


def _both_classes(
    state: Binary, parameters: Parameters, number: float, bound: float, error: AreaError | None
) -> MetricResult:
    rarer = min(state.true, state.false)
    interval = None if error is None else area_interval(number, error, rarer, parameters.confidence)
    answer = metric_result(state, parameters, number, bound=bound, interval=interval)
    return from_classes(answer, rarer, parameters)
