"""Division of the change of a metric between two periods."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aporia_provider.backend.metrics.segment_divisions import DIVISIBLE, SegmentQuestion, segment_changes
from aporia_provider.errors import AporiaError, ValidationError
from aporia_provider.explanations import ChangeExplanation, FieldChange
from aporia_provider.metric_results import QueryResult, RangeResults
from aporia_provider.metrics import MetricsQuery
from aporia_provider.nearest import nearest
from aporia_provider.schema import VersionSchema
from aporia_provider.segment_changes import SegmentChange
from aporia_provider.segment_reports import RegisteredSegment
from aporia_provider.segment_values import SegmentValue

METRICS = ("accuracy", "precision", "recall", "f1", "auc_roc", "logloss", "brier")
"""Metrics whose change is divided into inputs and labels: those with ``expected_minus_realised_…``."""
EXPLAINED = tuple(dict.fromkeys((*METRICS, *DIVISIBLE)))
"""Metrics whose change is divided, into inputs and labels or by segment."""
_MOST_FIELDS = 400
_CATEGORIES = ("features", "raw_inputs")


@dataclass(frozen=True)
class Change:
    """
    A metric in two periods.

    :param model_id: Id of the model.
    :param metric: One of :data:`EXPLAINED`.
    :param time_range: The later period: ``start`` and ``end``.
    :param baseline_range: The earlier period.
    :param model_version: Name of the version; None for the latest.
    :param dataset_type: Role of the dataset.
    :param segment: Segment of the rows in both periods: ``id`` and ``value``; None for all rows.
    """

    model_id: str
    metric: str
    time_range: Mapping[str, Any]
    baseline_range: Mapping[str, Any]
    model_version: str | None = None
    dataset_type: str = "serving"
    segment: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.metric not in EXPLAINED:
            hint = "the change of mse can" if self.metric == "rmse" else nearest(self.metric, EXPLAINED)
            raise ValidationError(f"The change of {self.metric!r} cannot be divided; {hint}")
        if self.segment is not None:
            # Otherwise the error would list each metric of each query.
            SegmentValue(**self.segment)

    @property
    def periods(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The rows of the earlier and of the later period."""
        rows = {
            "dataset_type": self.dataset_type,
            "model_version": self.model_version,
            "segment": self.segment,
        }
        return {**rows, "time_range": self.baseline_range}, {**rows, "time_range": self.time_range}

    def performance_query(self, parameters: Mapping[str, Any]) -> MetricsQuery:
        """Return a query for the metric and what was expected of it in both periods."""
        before, after = self.periods
        expected = {"metric": f"expected_minus_realised_{self.metric}", "parameters": parameters}
        realised = {"metric": self.metric, "parameters": parameters}
        metrics = [
            {"id": "before", **realised, "datasets": {"data": before}},
            {"id": "after", **realised, "datasets": {"data": after}},
        ]
        if self.metric in METRICS:
            metrics += [
                {"id": "fitted", **expected, "datasets": {"data": before, "baseline": before}},
                {"id": "applied", **expected, "datasets": {"data": after, "baseline": before}},
            ]
        return self._query(metrics)

    def segment_question(self, parameters: Mapping[str, Any]) -> SegmentQuestion:
        """Return the question whose answer is divided by segment."""
        return SegmentQuestion(self.model_id, self.metric, self.periods, parameters)

    def drift_query(self, fields: Iterable[str]) -> MetricsQuery:
        """Return a query for the drift of fields."""
        before, after = self.periods
        return self._query(
            [
                {
                    "id": name,
                    "metric": "drift_score",
                    "parameters": {"column": name},
                    "datasets": {"data": after, "baseline": before},
                }
                for name in fields
            ]
        )

    def _query(self, metrics: list[dict[str, Any]]) -> MetricsQuery:
        return MetricsQuery.from_wire({"model_id": self.model_id, "metrics": metrics})


def explain(
    query: Callable[[MetricsQuery], list[RangeResults]],
    schema_of: Callable[[str], VersionSchema | None],
    change: Change,
    parameters: Mapping[str, Any],
    importance: Mapping[str, float] | None = None,
    segments_of: Callable[[], Sequence[RegisteredSegment]] | None = None,
) -> ChangeExplanation:
    """
    Divide the change of a metric, see :meth:`.MetricsHook.explain_change`.

    With the metric m, and the metric e that is expected from the scores of a period and the labels of the
    earlier one, the part of other labels is (m - e) of the later period minus (m - e) of the earlier one. The
    rest is the part of other inputs: the change of e (Kitagawa, *Components of a difference between two
    rates*, J. Amer. Statist. Assoc. 50, 1955).

    :param query: Function that answers a query.
    :param schema_of: Function that returns the schema of a version; None if it is unknown.
    :param change: The metric and the periods.
    :param parameters: Parameters of the metric.
    :param importance: Importance by name of the feature. Default: the importance in the schema.
    :param segments_of: Function that returns the segments of the model. Default: the change is not divided by
        segment.
    :raises aporia_provider.errors.ValidationError: if the metric cannot be computed for a period.
    """
    results = _by_id(query(change.performance_query(parameters)))
    problems = dict.fromkeys(
        f"{name}: {results[name].error}" for name in ("before", "after") if results[name].error
    )
    if problems:
        raise ValidationError("The change cannot be explained", problems=list(problems))
    version = results["after"].model_version
    schema = None if version is None else schema_of(version)
    fields: tuple[FieldChange, ...] = ()
    if schema is not None:
        importances = schema.feature_importance if importance is None else importance
        fields = _fields(query, change, schema, importances or {})
    segments, notes = _segments(query, change, parameters, segments_of)
    if schema is None:
        notes.append("the schema of the version is not known, so the drift of its fields is not listed")
    divided = _divided(change.metric, results, fields, notes)
    return replace(divided, segments=segments)


def _segments(
    query: Callable[[MetricsQuery], list[RangeResults]],
    change: Change,
    parameters: Mapping[str, Any],
    segments_of: Callable[[], Sequence[RegisteredSegment]] | None,
) -> tuple[tuple[SegmentChange, ...], list[str]]:
    """Return the changes in the terms of segments, and notes about what is left out."""
    if segments_of is None:
        return (), []
    if change.segment is not None:
        return (), ["the rows are of one value of a segment, so their change is not divided by segment"]
    try:
        segments = [each for each in segments_of() if each["manual"]]
    except AporiaError as error:
        return (), [f"the change is not divided by segment: {error.message}"]
    if not segments:
        return (), []
    if change.metric not in DIVISIBLE:
        return (), [
            f"{change.metric} is not a mean of rows, so its change is not divided by segment; the change of "
            f"{', '.join(DIVISIBLE)} is"
        ]
    try:
        return segment_changes(query, change.segment_question(parameters), segments), []
    except AporiaError as error:
        # For example a deadline. The other parts of the explanation are returned nevertheless.
        return (), [f"the change is not divided by segment: {error.message}"]


def _by_id(results: Iterable[RangeResults]) -> dict[str, QueryResult]:
    return {result.id: result for item in results for result in item.metrics}


def _divided(
    metric: str, results: Mapping[str, QueryResult], fields: tuple[FieldChange, ...], notes: Sequence[str]
) -> ChangeExplanation:
    before, after = results["before"], results["after"]
    known: dict[str, Any] = {
        "metric": metric,
        "model_version": after.model_version,
        "before": before.number,
        "after": after.number,
        "samples": after.samples,
        "baseline_samples": before.samples,
        "fields": fields,
        "reason": "; ".join([*_reasons(metric, results), *notes]) or None,
    }
    if before.number is None or after.number is None:
        return ChangeExplanation(**known)
    change = float(after.number) - float(before.number)
    return ChangeExplanation(**known, change=change, **_parts(change, results))


def _reasons(metric: str, results: Mapping[str, QueryResult]) -> list[str]:
    names = {"before": "before", "after": "after", "comparison": "applied"}
    found = {name: results[id_] for name, id_ in names.items() if id_ in results}
    texts = [
        f"{name}: {result.reason}"
        for name, result in found.items()
        if result.status != "ok" and result.reason
    ]
    if metric not in METRICS or results["applied"].error:
        texts.append(f"the change of {metric} is not divided into inputs and labels for models of this type")
    return texts


def _parts(change: float, results: Mapping[str, QueryResult]) -> dict[str, Any]:
    """Return the parts of the change that are due to other inputs and to other labels, if they are known."""
    fitted, applied = results.get("fitted"), results.get("applied")
    if fitted is None or applied is None or None in (fitted.number, applied.number):
        return {}
    # Both are expected minus realised. That of the earlier period is not 0 if bins were pooled.
    other_labels = float(fitted.number) - float(applied.number)
    return {
        "other_inputs": change - other_labels,
        "other_labels": other_labels,
        "p_value": applied.p_value,
        **_interval(applied),
    }


def _interval(applied: QueryResult) -> dict[str, Any]:
    if not isinstance(applied.low, int | float) or not isinstance(applied.high, int | float):
        return {}
    return {"low": applied.low - float(applied.number), "high": applied.high - float(applied.number)}


def _fields(
    query: Callable[[MetricsQuery], list[RangeResults]],
    change: Change,
    schema: VersionSchema,
    importances: Mapping[str, float],
) -> tuple[FieldChange, ...]:
    """
    Return the fields whose drift is more than twice its noise, greatest weight first.

    Without drift, half of the fields have a distance above the noise, which is its expected value.
    """
    names = [f"{category}.{name}" for category in _CATEGORIES for name in schema.fields(category)]
    changes = []
    for start in range(0, len(names), _MOST_FIELDS):
        results = _by_id(query(change.drift_query(names[start : start + _MOST_FIELDS])))
        for name, result in results.items():
            if result.excess and result.excess > (result.noise or 0.0):
                category, _, field = name.partition(".")
                importance = importances.get(field) if category == "features" else None
                changes.append(FieldChange(field=name, drift=result.excess, importance=importance))
    return tuple(sorted(changes, key=lambda one: (-one.weight, one.field)))
