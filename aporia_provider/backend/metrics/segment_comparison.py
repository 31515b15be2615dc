"""Comparison of a rate of two terms of a segment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aporia_provider.backend.metrics.segment_divisions import COUNTED
from aporia_provider.errors import ValidationError
from aporia_provider.metric_results import QueryResult, RangeResults
from aporia_provider.metrics import MetricsQuery
from aporia_provider.monitoring.confidence.interval import Interval
from aporia_provider.monitoring.confidence.non_inferiority import difference
from aporia_provider.monitoring.confidence.proportion_ratios import ratio_of_proportions
from aporia_provider.monitoring.confidence.proportions import wilson
from aporia_provider.monitoring.confidence.quantiles import CONFIDENCE, normal_quantile
from aporia_provider.nearest import nearest
from aporia_provider.segment_comparisons import FOUR_FIFTHS, SegmentComparison
from aporia_provider.verdicts import Outcome

_CELLS = ("tp_count", "fp_count", "fn_count", "tn_count")
RATES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "accuracy": (("tp_count", "tn_count"), _CELLS),
    "positive_rate": (("tp_count", "fp_count"), _CELLS),
    **COUNTED,
}
"""
Rates of binary models: the counts in their numerators and denominators. ``positive_rate`` is the proportion
of the labelled rows that are predicted positive.
"""


@dataclass(frozen=True)
class TermPair:
    """
    Two terms of a segment, and the rows with which they are compared.

    :param model_id: Id of the model.
    :param segment: Name or id of the segment.
    :param value: Label of a term.
    :param reference: Label of the term with which it is compared.
    :param rows: Rows of both, see :class:`~aporia_provider.metrics.MetricDataset`.
    """

    model_id: str
    segment: str
    value: str
    reference: str
    rows: Mapping[str, Any]

    def query(self, parameters: Mapping[str, Any]) -> MetricsQuery:
        """Return a query for the confusion counts of both terms."""
        metrics = [
            {
                "id": f"{index} {cell}",
                "metric": cell,
                "parameters": parameters,
                "datasets": {"data": {**self.rows, "segment": {"id": self.segment, "value": label}}},
            }
            for index, label in enumerate((self.value, self.reference))
            for cell in _CELLS
        ]
        return MetricsQuery.from_wire({"model_id": self.model_id, "metrics": metrics})


def compare_terms(
    query: Callable[[MetricsQuery], list[RangeResults]],
    pair: TermPair,
    metric: str,
    parameters: Mapping[str, Any],
) -> SegmentComparison:
    """
    Compare a rate of two terms, see :meth:`.Metrics.compare_segments`.

    :param query: Function that answers a query.
    :param pair: The terms.
    :param metric: One of :data:`RATES`.
    :param parameters: Parameters of the metric.
    :raises aporia_provider.errors.ValidationError: if the metric is not a rate, or cannot be computed.
    """
    if metric not in RATES:
        raise ValidationError(
            f"{metric!r} is not a rate whose counts are known; {nearest(metric, RATES)} "
            f"The rates are {', '.join(RATES)}"
        )
    results = {each.id: each for item in query(pair.query(parameters)) for each in item.metrics}
    if problems := list(dict.fromkeys(result.error for result in results.values() if result.error)):
        raise ValidationError("The terms cannot be compared", problems=problems)
    counts = [_counts(metric, results, index) for index in range(2)]
    probability = parameters.get("confidence")
    z = normal_quantile(CONFIDENCE if probability is None else float(probability))
    measured = {
        "metric": metric,
        "segment": pair.segment,
        "value": pair.value,
        "reference": pair.reference,
        "samples": counts[0][1],
        "reference_samples": counts[1][1],
    }
    doubts = dict.fromkeys(
        result.reason for result in results.values() if result.status != "ok" and result.reason is not None
    )
    return _judge(measured, counts, z, list(doubts))


def _counts(metric: str, results: Mapping[str, QueryResult], index: int) -> tuple[int, int]:
    top, bottom = RATES[metric]
    numbers = {cell: round(results[f"{index} {cell}"].number or 0) for cell in _CELLS}
    return sum(numbers[cell] for cell in top), sum(numbers[cell] for cell in bottom)


def _judge(
    measured: Mapping[str, Any], counts: list[tuple[int, int]], z: float, doubts: list[str]
) -> SegmentComparison:
    (count, size), (other_count, other_size) = counts
    if not size or not other_size:
        reason = "; ".join([*doubts, "there are no rows in the denominator of the rate"])
        return SegmentComparison(outcome="insufficient", reason=reason, **measured)
    rates = [wilson(top / bottom, bottom, z) for top, bottom in counts]
    between = difference(*rates)
    compared: dict[str, Any] = {
        **measured,
        "rate": rates[0].value,
        "reference_rate": rates[1].value,
        "difference": between.value,
        "low": between.low,
        "high": between.high,
    }
    if not other_count:
        reason = "; ".join([*doubts, "the rate of the reference is 0, so there is no ratio"])
        return SegmentComparison(outcome="insufficient", reason=reason, **compared)
    ratio = ratio_of_proportions(count, size, other_count, other_size, z)
    return SegmentComparison(
        outcome="insufficient" if doubts else four_fifths(ratio),
        ratio=ratio.value,
        ratio_low=ratio.low,
        ratio_high=ratio.high,
        reason="; ".join(doubts) or None,
        **compared,
    )


def four_fifths(ratio: Interval) -> Outcome:
    """Return the outcome of the four-fifths rule in both directions, see :class:`.SegmentComparison`."""
    if ratio.low >= FOUR_FIFTHS and ratio.high <= 1 / FOUR_FIFTHS:
        return "pass"
    return "fail" if ratio.high < FOUR_FIFTHS or ratio.low > 1 / FOUR_FIFTHS else "insufficient"
