"""The standard monitors of a model."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from aporia_provider.errors import ValidationError
from aporia_provider.models import Monitor
from aporia_provider.monitor_definitions.definition import MonitorDefinition
from aporia_provider.schema import VersionSchema

PREFIX = "Standard: "
"""Start of the names of standard monitors."""
_PERFORMANCE = {
    "binary": ("auc_roc", "accuracy"),
    "multiclass": ("accuracy", "accuracy"),
    "multi-label": ("accuracy", "accuracy"),
    "regression": ("rmse", "rmse"),
    "ranking": ("ndcg_at_k", "ndcg_at_k"),
}
"""Metric of performance by type of the model: with, and without, a numeric prediction."""
_RANKS = {"metricAtK": 10}
_CATEGORICAL = ("categorical", "string", "boolean", "array")
_NEW_VALUES_RATIO = 0.05


@dataclass
class StandardMonitors:
    """
    The standard monitors of a model.

    :param monitors: The monitors.
    :param left_out: Why there is no monitor of a kind, by the name of the monitor.
    """

    monitors: list[Monitor] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


def standard_monitors(
    model_id: str,
    schema: VersionSchema,
    roles: Collection[str],
    *,
    false_alarms_a_year: float | str = 1.0,
    max_version_age: str | None = None,
    tables: Collection[str] | None = None,
) -> StandardMonitors:
    """
    Return monitors of activity, freshness of tables, missing values, drift, performance, calibration, new
    values and age.

    Those that learn from the history share ``false_alarms_a_year`` equally.

    :param model_id: Id of the model.
    :param schema: Schema of its latest version.
    :param roles: Roles of the datasets that are connected to it.
    :param false_alarms_a_year: Number of false alarms a year of all learned monitors together, for each
        version that receives data.
    :param max_version_age: Age of the latest version above which it is stale, such as ``8w``.
    :param tables: Roles of the datasets that are Delta tables; None if this is not known.
    :raises aporia_provider.errors.ValidationError: if a parameter is not valid.
    """
    rate = _rate(false_alarms_a_year)
    standard = StandardMonitors()
    learned = [*_of_tables(tables, standard.left_out), *_learned(schema, roles, standard.left_out)]
    share = rate / len(learned)
    definitions = [{**each, "false_alarms_a_year": share} for each in learned]
    definitions += _limited(schema, roles, max_version_age, standard.left_out)
    for definition in definitions:
        name = f"{PREFIX}{definition.pop('name')}"
        standard.monitors.append(MonitorDefinition(name=name, **definition).to_monitor(model_id))
    return standard


def _rate(value: float | str) -> float:
    """Return a rate, which a template may have rendered as text."""
    try:
        rate = float(value)
    except (TypeError, ValueError):
        rate = math.nan
    if not (math.isfinite(rate) and rate > 0):
        raise ValidationError(f"false_alarms_a_year: {value!r} is not a number above 0")
    return rate


def _of_tables(tables: Collection[str] | None, left_out: dict[str, str]) -> Iterator[dict[str, Any]]:
    if tables is None:
        left_out["freshness"] = "the server does not return which datasets are Delta tables"
    elif not {"serving", "actuals"} & set(tables):
        left_out["freshness"] = "neither the serving dataset nor the actuals are a Delta table"
    else:
        yield {"name": "freshness", "type": "table_freshness", "version": "latest", "severity": "HIGH"}


def _learned(
    schema: VersionSchema, roles: Collection[str], left_out: dict[str, str]
) -> Iterator[dict[str, Any]]:
    yield {"name": "activity", "type": "model_activity", "severity": "HIGH"}
    yield {"name": "missing values", "type": "missing_values", "only_increase": True}
    if schema.features or schema.raw_inputs:
        yield {"name": "data drift", "type": "data_drift"}
    yield {"name": "prediction drift", "type": "prediction_drift"}
    if "actuals" not in roles:
        left_out["performance"] = "the latest version has no actuals dataset"
        return
    yield from _labelled(schema, roles, left_out)


def _labelled(
    schema: VersionSchema, roles: Collection[str], left_out: dict[str, str]
) -> Iterator[dict[str, Any]]:
    predictions = schema.fields("predictions")
    scores = [name for name, each in predictions.items() if each.type == "numeric"]
    metric = _PERFORMANCE[schema.model_type][0 if scores else 1]
    parameters = _RANKS if schema.model_type == "ranking" else {}
    yield {
        "name": "performance",
        "type": "performance_degradation",
        "metric": metric,
        "parameters": parameters,
        "predictions": [*scores, *predictions][:1],
        "severity": "HIGH",
    }
    if schema.model_type != "binary" or not scores:
        left_out["calibration"] = "the model has no scores of two classes"
    elif not {"testing", "training"} & set(roles):
        left_out["calibration"] = "the latest version has no testing and no training dataset"
    else:
        yield {
            "name": "calibration",
            "type": "performance_degradation",
            "metric": "expected_minus_realised_positives",
            "predictions": scores[:1],
        }


def _limited(
    schema: VersionSchema, roles: Collection[str], max_version_age: str | None, left_out: dict[str, str]
) -> Iterator[dict[str, Any]]:
    fields = {
        category: [name for name, each in schema.fields(category).items() if each.type in _CATEGORICAL]
        for category in ("raw_inputs", "features")
    }
    named = {category: names for category, names in fields.items() if names}
    if "training" not in roles:
        left_out["new values"] = "the latest version has no training dataset"
    elif not named:
        left_out["new values"] = "the latest version has no categorical inputs"
    else:
        ratio = _NEW_VALUES_RATIO
        yield {"name": "new values", "type": "new_values", "max_new_values_ratio": ratio, **named}
    if max_version_age is None:
        left_out["staleness"] = "max_version_age is not given"
    else:
        yield {"name": "staleness", "type": "model_staleness", "max_age": max_version_age, "severity": "LOW"}
