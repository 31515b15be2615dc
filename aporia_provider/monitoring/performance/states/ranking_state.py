"""State of ranking: sums over queries, for the first 1 to 12 places."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from aporia_provider.monitoring.performance.inputs.ranked_queries import Matrix, Queries, read_queries
from aporia_provider.monitoring.performance.options import Options
from aporia_provider.monitoring.performance.parameters import GREATEST_K
from aporia_provider.monitoring.performance.states.performance_state import PerformanceState
from aporia_provider.monitoring.performance.states.state_parts import SUMS, by_name, nothing_if_zero
from aporia_provider.monitoring.portable_math import exp2, exp2m1
from aporia_provider.monitoring.states.exact_sums import exact_sum
from aporia_provider.monitoring.states.state import COUNTS, TOTAL, part

_DISCOUNTS = np.array([1 / math.log2(place + 1) for place in range(1, GREATEST_K + 1)])
_PLACES = np.arange(1, GREATEST_K + 1)


@dataclass(frozen=True)
class Ranking(PerformanceState):
    """
    State of ranking, whose rows are queries.

    All sums and counts are over labelled queries, for k = 1 … 12. Queries without relevant items do not
    contribute.

    :param without_relevant: Labelled queries without an item above :attr:`Options.relevant_above`.
    :param without_gain: Labelled queries whose relevances are all zero.
    :param ndcg_linear: nDCG with the relevance as gain (Järvelin and Kekäläinen, *Cumulated gain-based
        evaluation of IR techniques*, ACM TOIS 20, 2002, with the discount log2(place + 1)).
    :param ndcg_exponential: nDCG with the gain 2^relevance - 1 (Burges et al., *Learning to rank using
        gradient descent*, ICML 2005).
    :param precision_relevant: Average precision, divided by the number of relevant items of the query.
    :param precision_reachable: Average precision, divided by min(k, relevant).
    :param reciprocal: 1 / place of the first relevant item, if it is in the first k places.
    :param recall: Proportion of the relevant items that are in the first k places.
    :param served: Relevant items in the first k places, divided by min(k, candidates).
    :param hits: Relevant items in the first k places.
    :param squared_hits: The square of the number of relevant items in the first k places.
    :param found: Queries with any relevant item in the first k places.
    :param squares: Sums of the squares of the terms of these sums, by the name of the attribute.
    """

    kind: ClassVar[str] = "ranking-performance"
    what: ClassVar[str] = "queries"

    without_relevant: int = part(TOTAL)
    without_gain: int = part(TOTAL)
    ndcg_linear: tuple[Fraction, ...] = part(SUMS)
    ndcg_exponential: tuple[Fraction, ...] = part(SUMS)
    precision_relevant: tuple[Fraction, ...] = part(SUMS)
    precision_reachable: tuple[Fraction, ...] = part(SUMS)
    reciprocal: tuple[Fraction, ...] = part(SUMS)
    recall: tuple[Fraction, ...] = part(SUMS)
    served: tuple[Fraction, ...] = part(SUMS)
    hits: tuple[int, ...] = part(COUNTS)
    squared_hits: tuple[int, ...] = part(COUNTS)
    found: tuple[int, ...] = part(COUNTS)
    squares: dict[str, tuple[Fraction, ...]] = part(by_name(SUMS))

    @classmethod
    def of(cls, predictions: Any, labels: Any, options: Options = Options()) -> Self:  # noqa: B008
        """
        Return the state of a batch of queries.

        Candidates are ranked by descending score; candidates of equal score keep their order.

        :param predictions: Arrays of scores, or of items (:attr:`Options.candidates`).
        :param labels: Arrays of the relevances of the same candidates, or of the relevant items. A query is
            unusable if a relevance is NaN, infinite or negative, if only some are null, or if their number
            differs from the number of candidates. A query of only null relevances is unlabelled.
        """
        queries = read_queries(predictions, labels, options)
        settings = {"candidates": options.candidates, "relevant_above": float(options.relevant_above)}
        relevant = queries.ranked > options.relevant_above
        return cls(
            made_with=settings,
            **queries.counts,
            **_hits(queries, relevant),
            **_with_squares({**_gains(queries), **_precisions(queries, relevant)}),
            squared=queries.counts["labelled"],
        )


def _gains(queries: Queries) -> dict[str, Matrix]:
    """Return the terms of the sums of queries with a relevance that is not zero."""
    # nDCG is a ratio: divided by the greatest relevance, gains do not overflow.
    greatest = queries.ideal[:, :1]
    some = greatest[:, 0] > 0
    greatest, ranked, ideal = greatest[some], queries.ranked[some], queries.ideal[some]
    return {
        "ndcg_linear": _share(ranked / greatest, ideal / greatest),
        "ndcg_exponential": _share(_exponential(ranked, greatest), _exponential(ideal, greatest)),
    }


def _exponential(relevances: Matrix, greatest: Matrix) -> Matrix:
    """Return (2^relevance - 1) / 2^greatest, accurate for small relevances."""
    return exp2(relevances - greatest) * -exp2m1(-relevances)


def _share(gains: Matrix, ideal: Matrix) -> Matrix:
    share: Matrix = np.cumsum(gains * _DISCOUNTS, axis=1) / np.cumsum(ideal * _DISCOUNTS, axis=1)
    return share


def _precisions(queries: Queries, relevant: NDArray[np.bool_]) -> dict[str, Matrix]:
    """Return the terms of the sums of queries with a relevant item."""
    some = queries.relevant > 0
    relevant, total = relevant[some], queries.relevant[some][:, None]
    hits = np.cumsum(relevant, axis=1)
    precisions = np.cumsum(relevant * (hits / _PLACES), axis=1)
    first = relevant & (hits == 1)
    return {
        "precision_relevant": precisions / total,
        "precision_reachable": precisions / np.minimum(total, _PLACES),
        "reciprocal": np.cumsum(first / _PLACES, axis=1),
        "recall": hits / total,
        "served": hits / np.clip(queries.lengths[some][:, None], 1, _PLACES),
    }


def _hits(queries: Queries, relevant: NDArray[np.bool_]) -> dict[str, Any]:
    hits = np.cumsum(relevant, axis=1)
    return {
        "without_gain": int(np.count_nonzero(queries.ideal[:, 0] <= 0)),
        "without_relevant": int(np.count_nonzero(queries.relevant <= 0)),
        "hits": nothing_if_zero(hits.sum(axis=0).tolist()),
        "squared_hits": nothing_if_zero((hits**2).sum(axis=0).tolist()),
        "found": nothing_if_zero(np.count_nonzero(hits, axis=0).tolist()),
    }


def _with_squares(terms: Mapping[str, Matrix]) -> dict[str, Any]:
    """Return the sums of the terms and of their squares."""
    squares = {name: _sums(values**2) for name, values in terms.items()}
    return {
        **{name: _sums(values) for name, values in terms.items()},
        "squares": {name: sums for name, sums in sorted(squares.items()) if sums},
    }


def _sums(values: NDArray[np.float64]) -> tuple[Fraction, ...]:
    return nothing_if_zero([exact_sum(column) for column in np.ascontiguousarray(values.T)])
