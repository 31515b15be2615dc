"""Comparison of a metric of two versions of a model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from aporia_provider.errors import ValidationError
from aporia_provider.metric_results import QueryResult, RangeResults
from aporia_provider.metrics import MetricsQuery
from aporia_provider.monitoring.catalogue import better
from aporia_provider.monitoring.confidence.detectable_effects import minimum_detectable_effect, rows_needed
from aporia_provider.monitoring.confidence.interval import Interval
from aporia_provider.monitoring.confidence.non_inferiority import difference, judge
from aporia_provider.monitoring.confidence.quantiles import CONFIDENCE, normal_quantile
from aporia_provider.version_comparisons import Better, VersionComparison

_ROLES = ("testing", "serving")
_LABELS = "actuals_count"


@dataclass(frozen=True)
class VersionPair:
    """
    Two versions of a model, and the rows with which they are compared.

    :param model_id: Id of the model.
    :param champion: Name of the version in use.
    :param challenger: Name of the version that may replace it.
    :param dataset_type: Role of the datasets. Default: ``testing`` if both versions have labels there, else
        ``serving``.
    :param time_range: ``start`` and ``end``; None for all rows.
    :param segment: Segment of the rows: its ``id`` and the ``value`` of a term; None for all rows.
    """

    model_id: str
    champion: str
    challenger: str
    dataset_type: str | None = None
    time_range: Mapping[str, Any] | None = None
    segment: Mapping[str, Any] | None = None

    @property
    def roles(self) -> tuple[str, ...]:
        """Roles that are queried."""
        return _ROLES if self.dataset_type is None else (self.dataset_type,)

    def query(self, metric: str, parameters: Mapping[str, Any]) -> MetricsQuery:
        """Return a query for the metric and the number of labels of both versions."""
        column = {"column": parameters.get("column")}
        questions = [
            {
                "id": f"{role} {name} {index}",
                "metric": name,
                "parameters": column if name == _LABELS else parameters,
                "datasets": {"data": self._dataset(role, version)},
            }
            for role in self.roles
            for name in (metric, _LABELS)
            for index, version in enumerate((self.champion, self.challenger))
        ]
        return MetricsQuery.from_wire({"model_id": self.model_id, "metrics": questions})

    def _dataset(self, role: str, version: str) -> dict[str, Any]:
        rows = {"dataset_type": role, "model_version": version, "time_range": self.time_range}
        return rows if self.segment is None else {**rows, "segment": self.segment}


def compare(
    query: Callable[[MetricsQuery], list[RangeResults]],
    pair: VersionPair,
    metric: str,
    margin: float,
    parameters: Mapping[str, Any],
) -> VersionComparison:
    """
    Compare a metric of two versions, see :meth:`.Metrics.compare_versions`.

    :param query: Function that answers a query.
    :param pair: The versions.
    :param metric: Name of the metric.
    :param margin: Greatest acceptable loss.
    :param parameters: Parameters of the metric.
    :raises aporia_provider.errors.ValidationError: if the margin or the metric cannot be used, or the metric
        cannot be computed for a version.
    """
    if isinstance(margin, bool) or not 0 <= margin < math.inf:
        raise ValidationError(f"margin must be a number of at least 0, not {margin!r}")
    direction = better(metric)
    results = query(pair.query(metric, parameters))
    by_id = {result.id: result for item in results for result in item.metrics}
    role = _role(pair, by_id)
    sides = [by_id[f"{role} {metric} {index}"] for index in range(2)]
    _raise(pair, sides)
    confidence = parameters.get("confidence")
    comparison = _judge(
        metric, direction, margin, role, sides, CONFIDENCE if confidence is None else confidence
    )
    return replace(comparison, segment=None if pair.segment is None else dict(pair.segment))


def _role(pair: VersionPair, results: Mapping[str, QueryResult]) -> str:
    """Return the first role in which both versions have labels; the last one if there is none."""
    labelled = (
        role for role in pair.roles if all(results[f"{role} {_LABELS} {index}"].value for index in range(2))
    )
    return next(labelled, pair.roles[-1])


def _raise(pair: VersionPair, sides: list[QueryResult]) -> None:
    names = (pair.champion, pair.challenger)
    problems = [f"{name}: {side.error}" for name, side in zip(names, sides, strict=True) if side.error]
    if problems:
        raise ValidationError("The versions cannot be compared", problems=problems)


def _judge(
    metric: str, direction: Better, margin: float, role: str, sides: list[QueryResult], confidence: float
) -> VersionComparison:
    champion, challenger = sides
    shared_fields = {
        "metric": metric,
        "better": direction,
        "margin": margin,
        "dataset_type": role,
        "champion": champion.number,
        "challenger": challenger.number,
        "champion_samples": champion.samples,
        "challenger_samples": challenger.samples,
    }
    intervals = [_interval(side) for side in sides]
    reasons = [_reason(name, side) for name, side in zip(("champion", "challenger"), sides, strict=True)]
    reason = "; ".join(filter(None, reasons)) or None
    if intervals[0] is None or intervals[1] is None:
        return VersionComparison(outcome="insufficient", reason=reason, **shared_fields)
    better_, worse = (intervals[1], intervals[0]) if direction == "higher" else (intervals[0], intervals[1])
    improvement = difference(better_, worse)
    reliable = all(side.status == "ok" for side in sides)
    return VersionComparison(
        outcome=judge(improvement, margin) if reliable else "insufficient",
        improvement=improvement.value,
        low=improvement.low,
        high=improvement.high,
        reason=reason,
        **shared_fields,
        **_planning(intervals[0], intervals[1], sides, margin, confidence),
    )


def _interval(result: QueryResult) -> Interval | None:
    if not isinstance(result.low, int | float) or not isinstance(result.high, int | float):
        return None
    return Interval(float(result.number), result.low, result.high)


def _reason(name: str, result: QueryResult) -> str | None:
    """Return why a result cannot be judged, or a note on it; None if there is neither."""
    without = None if _interval(result) else "there is no interval"
    texts = list(dict.fromkeys(filter(None, (result.reason, without))))
    return f"{name}: {', '.join(texts)}" if texts else None


def _planning(
    champion: Interval, challenger: Interval, sides: list[QueryResult], margin: float, confidence: float
) -> dict[str, Any]:
    """Return the detectable difference, and the number of rows that are needed."""
    width = 2 * normal_quantile(confidence)
    variances = [
        ((one.high - one.low) / width) ** 2 * side.samples
        for one, side in zip((champion, challenger), sides, strict=True)
    ]
    alpha = 1 - confidence
    return {
        "detectable": minimum_detectable_effect(
            variances[1], sides[1].samples, sides[0].samples, baseline_variance=variances[0], alpha=alpha
        ),
        "rows_needed": rows_needed(variances[1], margin, baseline_variance=variances[0], alpha=alpha),
    }
