"""Calibration of predicted probabilities."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.performance.mean_results import Terms
from aporia_provider.monitoring.performance.options import Options
from aporia_provider.monitoring.performance.parameters import Parameters
from aporia_provider.monitoring.performance.result_construction import metric_result
from aporia_provider.monitoring.performance.states.binary_state import Binary, Histograms

GROUPS = 10
"""Number of groups of scores, of equal width."""
_LIMITS = np.arange(GROUPS + 1) / GROUPS


@dataclass(frozen=True)
class Group:
    """
    A group of labelled rows with similar scores.

    :param low: Lower limit of the scores.
    :param high: Upper limit, exclusive except for the last group.
    :param rows: Number of rows.
    :param score: Mean score.
    :param share: Proportion of rows whose label is true.
    :param bound: Maximum difference between :attr:`score` and the exact mean: half the width of the bins.
    """

    low: float
    high: float
    rows: int
    score: float
    share: float
    bound: float = 0.0


def calibration(state: Binary) -> list[Group]:
    """
    Return the reliability diagram: the groups of scores that have rows, in ascending order.

    It is empty if the scores are not probabilities, or not binned from 0 to 1.
    """
    if _reason(state):
        return []
    histograms = state.histograms
    edges = np.append(histograms.bins.edges, histograms.bins.edges[-1])
    # The last of these bins contains only the greatest edge. The outer bins contain no rows.
    true, rows = (np.array(counts, dtype=np.int64)[1:-1] for counts in _counts(histograms))
    middles, halves = (edges[:-1] + edges[1:]) / 2, (edges[1:] - edges[:-1]) / 2
    groups = np.minimum(np.searchsorted(_LIMITS, edges[:-1], side="right") - 1, GROUPS - 1)
    sums = (np.bincount(groups, weights, GROUPS) for weights in (rows, true, rows * middles, rows * halves))
    every = enumerate(zip(*(sums_by_group.tolist() for sums_by_group in sums), strict=True))
    return [
        Group(number / GROUPS, (number + 1) / GROUPS, int(count), score / count, hits / count, half / count)
        for number, (count, hits, score, half) in every
        if count
    ]


def _counts(histograms: Histograms) -> tuple[Sequence[int], Sequence[int]]:
    return histograms.positives, list(map(operator.add, histograms.positives, histograms.negatives))


def calibration_error(state: Binary, parameters: Parameters) -> MetricResult:
    """
    Return the expected calibration error.

    It is the mean of ``|score - proportion of true labels|`` over the groups, weighted by rows. Naeini,
    Cooper and Hauskrecht, *Obtaining well calibrated probabilities using Bayesian binning*, AAAI 2015.
    """
    reason = _reason(state)
    if reason:
        return metric_result(state, parameters, None, reason=reason)
    groups = calibration(state)
    total = sum(group.rows * abs(group.score - group.share) for group in groups)
    bound = sum(group.rows * group.bound for group in groups)
    return metric_result(state, parameters, total / state.labelled, bound=bound / state.labelled)


def calibration_bias(state: Binary, parameters: Parameters) -> MetricResult:
    """Return the mean score minus the proportion of true labels: by how much the model overestimates."""
    if state.outside:
        return metric_result(state, parameters, None, reason=_reason(state))
    # The square of a score minus a label is a term of the Brier score, and has always been kept.
    terms = Terms(state.scores - state.true, state.brier, state.labelled, (-1.0, 1.0))
    interval = terms.interval(parameters.confidence)
    return metric_result(state, parameters, terms.total / state.labelled, interval=interval)


def _reason(state: Binary) -> str | None:
    if state.outside:
        return f"{state.outside} scores are not probabilities from 0 to 1"
    edges = state.made_with.get("edges", Options().edges)
    if tuple(edges) != (0.0, 1.0) or not _are_nested(state.histograms):
        return "the scores are not binned from 0 to 1"
    return None


def _are_nested(histograms: Histograms) -> bool:
    """Return whether each bin with rows belongs to a single group."""
    indices = np.searchsorted(histograms.bins.edges, _LIMITS, side="left")
    on_edge = histograms.bins.edges[indices] == _LIMITS
    rows = np.array(_counts(histograms)[1])[indices]
    return bool((on_edge | (rows == 0)).all())
