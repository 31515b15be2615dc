"""Division of the change of a metric by the terms of segments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aporia_provider.metric_results import QueryResult, RangeResults
from aporia_provider.metrics import MetricsQuery
from aporia_provider.monitoring.confidence.interval import Interval
from aporia_provider.monitoring.confidence.quantiles import CONFIDENCE
from aporia_provider.monitoring.segments.conditions import parse_condition
from aporia_provider.monitoring.segments.disjoint_terms import are_disjoint
from aporia_provider.monitoring.verdicts.change_division import Mean, contribution, rest
from aporia_provider.monitoring.verdicts.term_changes import (
    FALSE_DISCOVERIES,
    Side,
    adjusted,
    change_interval,
    change_p_value,
)
from aporia_provider.segment_changes import SegmentChange, TermChange
from aporia_provider.segment_reports import RegisteredSegment

COUNTED: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "precision": (("tp_count",), ("tp_count", "fp_count")),
    "recall": (("tp_count",), ("tp_count", "fn_count")),
    "fp_rate": (("fp_count",), ("fp_count", "tn_count")),
    "miss_rate": (("fn_count",), ("fn_count", "tp_count")),
    "specificity": (("tn_count",), ("tn_count", "fp_count")),
}
"""Metrics that are proportions of a part of the rows of a binary model: the counts in both numbers."""
MEANS = ("accuracy", "brier", "logloss", "mae", "mse", "mean_error", "mape")
"""Metrics that are means of a term of each row."""
DIVISIBLE = (*MEANS, *COUNTED)
"""Metrics whose change is divided by segment."""
_PROPORTIONS = ("accuracy", *COUNTED)
_BATCH = 400

Term = tuple[str, str] | None
"""Id of a segment, and label; None for all rows."""
Query = Callable[[MetricsQuery], list[RangeResults]]
Pair = tuple[Side, Side]


@dataclass(frozen=True)
class SegmentQuestion:
    """
    A metric in two periods, whose change is divided.

    :param model_id: Id of the model.
    :param metric: One of :data:`DIVISIBLE`.
    :param periods: The rows of the earlier and of the later period, see
        :class:`~aporia_provider.metrics.MetricDataset`.
    :param parameters: Parameters of the metric.
    """

    model_id: str
    metric: str
    periods: tuple[Mapping[str, Any], Mapping[str, Any]]
    parameters: Mapping[str, Any]

    @property
    def confidence(self) -> float:
        """Probability of the intervals."""
        probability = self.parameters.get("confidence")
        return CONFIDENCE if probability is None else float(probability)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics that are queried."""
        top, bottom = COUNTED.get(self.metric, ((), ()))
        return (self.metric, *dict.fromkeys((*top, *bottom)))

    def answers(self, query: Query, terms: Sequence[Term]) -> dict[tuple[Term, int, str], QueryResult]:
        """Return the results of each term, period and metric."""
        requested = [(term, period, name) for term in terms for period in range(2) for name in self.metrics]
        results: dict[tuple[Term, int, str], QueryResult] = {}
        for first in range(0, len(requested), _BATCH):
            batch = requested[first : first + _BATCH]
            for item in query(self._query(batch)):
                results.update((batch[int(result.id)], result) for result in item.metrics)
        return results

    def _query(self, requested: Sequence[tuple[Term, int, str]]) -> MetricsQuery:
        metrics = []
        for number, (term, period, name) in enumerate(requested):
            data = dict(self.periods[period])
            if term is not None:
                data["segment"] = {"id": term[0], "value": term[1]}
            metrics.append(
                {
                    "id": str(number),
                    "metric": name,
                    "parameters": self.parameters,
                    "datasets": {"data": data},
                }
            )
        return MetricsQuery.from_wire({"model_id": self.model_id, "metrics": metrics})


def segment_changes(
    query: Query, question: SegmentQuestion, segments: Sequence[RegisteredSegment]
) -> tuple[SegmentChange, ...]:
    """
    Return the changes of a metric in the terms of segments, and divide its change by those that are disjoint.

    The false discovery rate is controlled over all terms of all segments.

    :param query: Function that answers a query.
    :param question: The metric and the periods.
    :param segments: The segments.
    """
    terms: list[Term] = [
        None,
        *((segment["id"], term["label"]) for segment in segments for term in segment["terms"]),
    ]
    answers = question.answers(query, terms)
    whole = _pair(question, answers, None)
    if whole is None or not all(side.mean.weight for side in whole):
        return ()
    changes = [_changes(question, answers, whole, segment) for segment in segments]
    return tuple(_named(changes))


def _changes(
    question: SegmentQuestion,
    answers: Mapping[tuple[Term, int, str], QueryResult],
    whole: Pair,
    segment: RegisteredSegment,
) -> SegmentChange:
    name, labels = segment["name"], [term["label"] for term in segment["terms"]]
    pairs = {label: _pair(question, answers, (segment["id"], label)) for label in labels}
    errors = [
        result.error
        for label in labels
        for period in range(2)
        if (result := answers[(segment["id"], label), period, question.metric]).error
    ]
    measured = {label: pair for label, pair in pairs.items() if pair is not None}
    if errors or len(measured) < len(labels):
        reason = errors[0] if errors else "there is no number"
        return SegmentChange(segment=name, divided=False, reason=f"not compared: {reason}")
    terms = [_term(name, label, pair) for label, pair in measured.items()]
    if not are_disjoint([parse_condition(term["condition"]) for term in segment["terms"]]):
        reason = "terms may overlap, so that the change is not divided"
        return SegmentChange(segment=name, divided=False, terms=tuple(terms), reason=reason)
    others = [rest(whole[index].mean, [pair[index].mean for pair in measured.values()]) for index in range(2)]
    if others[0] is None or others[1] is None:
        reason = "not divided, since the terms were not synced up to the same commit as all rows"
        return SegmentChange(segment=name, divided=False, terms=tuple(terms), reason=reason)
    means = whole[0].mean, whole[1].mean
    terms = [
        _with_contribution(term, means, (pair[0].mean, pair[1].mean))
        for term, pair in zip(terms, measured.values(), strict=True)
    ]
    if others[0].weight or others[1].weight:
        terms.append(_rest_of_rows(name, means, (others[0], others[1])))
    return SegmentChange(segment=name, divided=True, terms=tuple(terms))


def _term(segment: str, label: str, pair: Pair) -> TermChange:
    before, after = (side.mean.mean for side in pair)
    interval = change_interval(*pair)
    return TermChange(
        segment=segment,
        value=label,
        before=before,
        after=after,
        change=None if before is None or after is None else after - before,
        low=None if interval is None else interval.low,
        high=None if interval is None else interval.high,
        p_value=change_p_value(*pair),
        samples=round(pair[1].mean.weight),
        baseline_samples=round(pair[0].mean.weight),
    )


def _rest_of_rows(segment: str, whole: tuple[Mean, Mean], others: tuple[Mean, Mean]) -> TermChange:
    before, after = (other.mean for other in others)
    term = TermChange(
        segment=segment,
        value=None,
        before=before,
        after=after,
        change=None if before is None or after is None else after - before,
        samples=round(others[1].weight),
        baseline_samples=round(others[0].weight),
    )
    return _with_contribution(term, whole, others)


def _with_contribution(term: TermChange, whole: tuple[Mean, Mean], part: tuple[Mean, Mean]) -> TermChange:
    found = contribution(whole, part)
    return replace(term, contribution=found.total, other_share=found.mix, other_metric=found.own)


def _named(segments: Sequence[SegmentChange]) -> Iterator[SegmentChange]:
    p_values = iter(adjusted([term.p_value for segment in segments for term in segment.terms]))
    for segment in segments:
        terms = [
            replace(term, adjusted_p_value=p, named=p is not None and p <= FALSE_DISCOVERIES)
            for term, p in zip(segment.terms, p_values, strict=False)
        ]
        yield replace(segment, terms=tuple(sorted(terms, key=lambda term: -term.weight)))


def _pair(
    question: SegmentQuestion, answers: Mapping[tuple[Term, int, str], QueryResult], term: Term
) -> Pair | None:
    sides = [
        _side(question, {name: answers[term, index, name] for name in question.metrics}) for index in range(2)
    ]
    return None if sides[0] is None or sides[1] is None else (sides[0], sides[1])


def _side(question: SegmentQuestion, results: Mapping[str, QueryResult]) -> Side | None:
    """Return the metric of some rows in a period; None if it could not be computed."""
    result = results[question.metric]
    if any(each.error for each in results.values()):
        return None
    interval = None
    if isinstance(result.low, int | float) and isinstance(result.high, int | float):
        interval = Interval(float(result.number), result.low, result.high)
    mean = _mean(question.metric, results)
    counted = question.metric in _PROPORTIONS
    return Side(mean, interval, question.confidence, counted, result.status == "ok")


def _mean(metric: str, results: Mapping[str, QueryResult]) -> Mean:
    if metric in COUNTED:
        top, bottom = (sum(_count(results[name]) for name in names) for names in COUNTED[metric])
        return Mean(top, bottom)
    result = results[metric]
    if result.number is None:
        return Mean(0.0, 0)
    total = float(result.number) * result.samples
    return Mean(float(round(total)) if metric in _PROPORTIONS else total, result.samples)


def _count(result: QueryResult) -> float:
    return 0.0 if result.number is None else float(result.number)
