"""Metrics of ranking, computed from states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.metric_definition import PerformanceMetric
from aporia_provider.monitoring.performance.parameters import Parameters
from aporia_provider.monitoring.performance.result_construction import metric_result
from aporia_provider.monitoring.performance.states.ranking_state import Ranking

Metric = Callable[[Ranking, Parameters], MetricResult]


def _mean(
    state: Ranking, parameters: Parameters, sums: Sequence[Any], empty: int, divisor: int = 1
) -> MetricResult:
    """Return the mean over queries, of which ``empty`` have no relevant items."""
    k = parameters.needed_k()
    every = parameters.queries == "all"
    count = state.labelled - (0 if every else empty)
    what = f"{empty} queries without relevant items {'count as 0' if every else 'are left out'}"
    total = Fraction(sums[k - 1] if sums else 0)
    mean = total / (divisor * count) if count else None
    return metric_result(state, parameters, mean, samples=count, reason=what if empty else None)


def _ndcg(state: Ranking, parameters: Parameters) -> MetricResult:
    """Return the mean nDCG at k, with the gain :attr:`Parameters.gain`."""
    sums = state.ndcg_linear if parameters.gain == "linear" else state.ndcg_exponential
    return _mean(state, parameters, sums, state.without_gain)


def _map(state: Ranking, parameters: Parameters) -> MetricResult:
    """Return the mean average precision at k, normalized by :attr:`Parameters.normaliser`."""
    relevant = parameters.normaliser == "relevant"
    sums = state.precision_relevant if relevant else state.precision_reachable
    return _mean(state, parameters, sums, state.without_relevant)


def _precision(state: Ranking, parameters: Parameters) -> MetricResult:
    """
    Return the mean proportion of the first k places that contain a relevant item.

    A list shorter than k has empty places. Evidently divides by its length instead
    (:attr:`Parameters.denominator`), and drops queries without relevant items (:attr:`Parameters.queries`).
    """
    if parameters.denominator == "served":
        return _mean(state, parameters, state.served, state.without_relevant)
    return _mean(state, parameters, state.hits, state.without_relevant, divisor=parameters.needed_k())


def _accuracy(state: Ranking, parameters: Parameters) -> MetricResult:
    """
    Return the proportion of queries with a relevant item in the first k places: the hit rate.

    The protocol names the metric without a definition. The proportion of relevant places is already its
    precision at k, and top-k accuracy of classifiers (scikit-learn) is the hit rate with one relevant item.
    """
    return _mean(state, parameters, state.found, state.without_relevant)


def _recall(state: Ranking, parameters: Parameters) -> MetricResult:
    """Return the mean proportion of the relevant items that are in the first k places."""
    return _mean(state, parameters, state.recall, state.without_relevant)


def _mrr(state: Ranking, parameters: Parameters) -> MetricResult:
    """Return the mean of 1 / place of the first relevant item, or of 0 if the place is beyond k."""
    return _mean(state, parameters, state.reciprocal, state.without_relevant)


def _ranking(name: str, metric: Metric, description: str, *parameters: str) -> PerformanceMetric:
    return PerformanceMetric(name, ("ranking",), metric, description, ("k", *parameters))


METRICS = (
    _ranking("accuracy_at_k", _accuracy, "proportion of queries with a relevant item in `k` places"),
    _ranking("precision_at_k", _precision, "mean proportion of the first `k` places with relevant items"),
    _ranking("recall_at_k", _recall, "mean proportion of the relevant items in the first `k` places"),
    _ranking("map_at_k", _map, "mean average precision of the first `k` places"),
    _ranking("mrr_at_k", _mrr, "mean reciprocal of the first place with a relevant item"),
    _ranking("ndcg_at_k", _ndcg, "normalised discounted cumulative gain of the first `k` places", "gain"),
)
"""Metrics of ranking."""
