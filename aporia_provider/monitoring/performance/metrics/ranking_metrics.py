"""Metrics of ranking, computed from states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.metric_definition import PerformanceMetric
from aporia_provider.monitoring.performance.mean_results import UNIT, Terms, mean_result
from aporia_provider.monitoring.performance.parameters import Parameters
from aporia_provider.monitoring.performance.states.ranking_state import Ranking

Metric = Callable[[Ranking, Parameters], MetricResult]


@dataclass(frozen=True)
class _Sums:
    """
    Sums over queries of a term for the first 1 to 12 places.

    :param totals: Sums of the terms.
    :param squares: Sums of their squares.
    :param empty: Number of queries without relevant items.
    :param divisor: Number by which the terms are divided.
    """

    totals: Sequence[Fraction | int]
    squares: Sequence[Fraction | int]
    empty: int
    divisor: int = 1

    @classmethod
    def of(cls, state: Ranking, name: str) -> _Sums:
        """Return the sums of an attribute of the state."""
        empty = state.without_gain if name.startswith("ndcg") else state.without_relevant
        return cls(getattr(state, name), state.squares.get(name, ()), empty)

    def terms(self, k: int, count: int) -> Terms:
        """Return the terms of the first k places."""
        total, squares = (Fraction(sums[k - 1] if sums else 0) for sums in (self.totals, self.squares))
        return Terms(total / self.divisor, squares / self.divisor**2, count, UNIT)


def _mean(state: Ranking, parameters: Parameters, sums: _Sums) -> MetricResult:
    """Return the mean over queries, with or without those that have no relevant items."""
    every = parameters.queries == "all"
    count = state.labelled - (0 if every else sums.empty)
    what = f"{sums.empty} queries without relevant items {'count as 0' if every else 'are left out'}"
    return mean_result(
        state,
        parameters,
        sums.terms(parameters.needed_k(), count),
        samples=count,
        reason=what if sums.empty else None,
    )


def _of(name: str) -> Metric:
    return lambda state, parameters: _mean(state, parameters, _Sums.of(state, name))


def _ndcg(state: Ranking, parameters: Parameters) -> MetricResult:
    """Return the mean nDCG at k, with the gain :attr:`Parameters.gain`."""
    name = "ndcg_linear" if parameters.gain == "linear" else "ndcg_exponential"
    return _of(name)(state, parameters)


def _map(state: Ranking, parameters: Parameters) -> MetricResult:
    """Return the mean average precision at k, normalized by :attr:`Parameters.normaliser`."""
    relevant = parameters.normaliser == "relevant"
    return _of("precision_relevant" if relevant else "precision_reachable")(state, parameters)


def _precision(state: Ranking, parameters: Parameters) -> MetricResult:
    """
    Return the mean proportion of the first k places that contain a relevant item.

    A list shorter than k has empty places. Evidently divides by its length instead
    (:attr:`Parameters.denominator`), and drops queries without relevant items (:attr:`Parameters.queries`).
    """
    if parameters.denominator == "served":
        return _of("served")(state, parameters)
    sums = _Sums(state.hits, state.squared_hits, state.without_relevant, parameters.needed_k())
    return _mean(state, parameters, sums)


def _accuracy(state: Ranking, parameters: Parameters) -> MetricResult:
    """
    Return the proportion of queries with a relevant item in the first k places: the hit rate.

    The protocol names the metric without a definition. The proportion of relevant places is already its
    precision at k, and top-k accuracy of classifiers (scikit-learn) is the hit rate with one relevant item.
    """
    # The square of a term that is 0 or 1 is the term.
    return _mean(state, parameters, _Sums(state.found, state.found, state.without_relevant))


def _ranking(name: str, metric: Metric, description: str, *parameters: str) -> PerformanceMetric:
    return PerformanceMetric(name, ("ranking",), metric, description, ("k", *parameters), "higher")


METRICS = (
    _ranking("accuracy_at_k", _accuracy, "proportion of queries with a relevant item in `k` places"),
    _ranking("precision_at_k", _precision, "mean proportion of the first `k` places with relevant items"),
    _ranking("recall_at_k", _of("recall"), "mean proportion of the relevant items in the first `k` places"),
    _ranking("map_at_k", _map, "mean average precision of the first `k` places"),
    _ranking("mrr_at_k", _of("reciprocal"), "mean reciprocal of the first place with a relevant item"),
    _ranking("ndcg_at_k", _ndcg, "normalised discounted cumulative gain of the first `k` places", "gain"),
)
"""Metrics of ranking."""
