"""Division of the change of a metric between two periods."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aporia_provider.errors import ValidationError
from aporia_provider.explanations import ChangeExplanation, FieldChange
from aporia_provider.metric_results import QueryResult, RangeResults
from aporia_provider.metrics import MetricsQuery
from aporia_provider.nearest import nearest
from aporia_provider.schema import VersionSchema

METRICS = ("accuracy", "precision", "recall", "f1", "auc_roc", "logloss", "brier")
"""Metrics whose change is divided: those with a metric ``expected_minus_realised_…``."""
_MOST_FIELDS = 400
_CATEGORIES = ("features", "raw_inputs")


@dataclass(frozen=True)
class Change:
    """
    A metric in two periods.

    :param model_id: Id of the model.
    :param metric: One of :data:`METRICS`.
    :param time_range: The later period: ``start`` and ``end``.
    :param baseline_range: The earlier period.
    :param model_version: Name of the version; None for the latest.
    :param dataset_type: Role of the dataset.
    """

    model_id: str
    metric: str
    time_range: Mapping[str, Any]
    baseline_range: Mapping[str, Any]
    model_version: str | None = None
    dataset_type: str = "serving"

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise ValidationError(
                f"The change of {self.metric!r} cannot be divided; {nearest(self.metric, METRICS)}"
            )

    @property
    def periods(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The rows of the earlier and of the later period."""
        rows = {"dataset_type": self.dataset_type, "model_version": self.model_version}
        return {**rows, "time_range": self.baseline_range}, {**rows, "time_range": self.time_range}

    def performance_query(self, parameters: Mapping[str, Any]) -> MetricsQuery:
        """Return a query for the metric and what was expected of it in both periods."""
        before, after = self.periods
        expected = {"metric": f"expected_minus_realised_{self.metric}", "parameters": parameters}
        realised = {"metric": self.metric, "parameters": parameters}
        return self._query(
            [
                {"id": "before", **realised, "datasets": {"data": before}},
                {"id": "after", **realised, "datasets": {"data": after}},
                {"id": "fitted", **expected, "datasets": {"data": before, "baseline": before}},
                {"id": "applied", **expected, "datasets": {"data": after, "baseline": before}},
            ]
        )

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
) -> ChangeExplanation:
    """
    Divide the change of a metric, see :meth:`.MetricsHook.explain_change`.

    With the metric m, and the one e that is expected from the scores of a period and the labels of the
    earlier one, the part of other labels is (m - e) of the later period minus (m - e) of the earlier one. The
    rest is that of other inputs: the change of e (Kitagawa, *Components of a difference between two rates*,
    J. Amer. Statist. Assoc. 50, 1955).

    :param query: Function that answers a query.
    :param schema_of: Function that returns the schema of a version; None if it is unknown.
    :param change: The metric and the periods.
    :param parameters: Parameters of the metric.
    :param importance: Importance by name of the feature. Default: that in the schema.
    :raises aporia_provider.errors.ValidationError: if the metric cannot be computed for a period.
    """
    results = _by_id(query(change.performance_query(parameters)))
    problems = dict.fromkeys(f"{name}: {found.error}" for name, found in results.items() if found.error)
    if problems:
        raise ValidationError("The change cannot be explained", problems=list(problems))
    version = results["after"].model_version
    schema = None if version is None else schema_of(version)
    fields: tuple[FieldChange, ...] = ()
    if schema is not None:
        importances = schema.feature_importance if importance is None else importance
        fields = _fields(query, change, schema, importances or {})
    note = "the schema of the version is not known, so the drift of its fields is not listed"
    return _divided(change.metric, results, fields, None if schema else note)


def _by_id(results: Iterable[RangeResults]) -> dict[str, QueryResult]:
    return {result.id: result for item in results for result in item.metrics}


def _divided(
    metric: str, results: Mapping[str, QueryResult], fields: tuple[FieldChange, ...], note: str | None
) -> ChangeExplanation:
    before, after, fitted, applied = (results[name] for name in ("before", "after", "fitted", "applied"))
    reasons = {"before": before, "after": after, "comparison": applied}
    texts = [
        f"{name}: {found.reason}" for name, found in reasons.items() if found.status != "ok" and found.reason
    ]
    known: dict[str, Any] = {
        "metric": metric,
        "model_version": after.model_version,
        "before": before.number,
        "after": after.number,
        "samples": after.samples,
        "baseline_samples": before.samples,
        "fields": fields,
        "reason": "; ".join([*texts, *([note] if note else [])]) or None,
    }
    if None in (before.number, after.number, fitted.number, applied.number):
        return ChangeExplanation(**known)
    change = float(after.number) - float(before.number)
    # Both are expected minus realised. That of the earlier period is not 0 if bins were pooled.
    other_labels = float(fitted.number) - float(applied.number)
    return ChangeExplanation(
        **known,
        change=change,
        other_inputs=change - other_labels,
        other_labels=other_labels,
        p_value=applied.p_value,
        **_interval(applied),
    )


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
