"""The fields that a monitor judges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aporia_provider.errors import ValidationError
from aporia_provider.monitor_configuration import MonitorConfiguration
from aporia_provider.monitoring.metric_definition import CATEGORY_TYPES, NUMBER_TYPES
from aporia_provider.nearest import nearest
from aporia_provider.schema import VersionSchema

_DEFAULTS = {
    "data_drift": ("raw_inputs", "features"),
    "prediction_drift": ("predictions",),
    "missing_values": ("raw_inputs", "features", "predictions"),
    "values_range": ("raw_inputs", "features", "predictions"),
    "new_values": ("raw_inputs", "features", "predictions"),
    "metric_change": ("raw_inputs", "features"),
}
_TYPES: dict[str, tuple[str, ...]] = {
    "values_range": ("numeric",),
    "new_values": ("categorical", "string", "boolean", "array"),
}
_OF_ROWS = ("model_activity", "model_staleness", "custom_metric", "code_based_metric")
_ROWS = ("count", "null_ids", "duplicate_ids", "null_timestamps", "future_timestamps")


@dataclass(frozen=True)
class Subject:
    """
    What a verdict is about.

    :param field: Qualified name of the field, such as ``features.age``; None for rows.
    :param type: Type of the field, see :data:`~aporia_provider.schema.FIELD_TYPES`; empty if unknown.
    """

    field: str | None
    type: str = ""

    @property
    def kind(self) -> str:
        """Kind of the field: ``numeric``, ``categorical`` or ``vector``."""
        if self.type in NUMBER_TYPES:
            return "numeric"
        return "categorical" if self.type in CATEGORY_TYPES or not self.type else "vector"


ROWS = Subject(None)


def subjects_of(configuration: MonitorConfiguration, schema: VersionSchema) -> list[Subject]:
    """
    Return the fields that a monitor judges; the rows, if its metric has no field.

    Without names, these are all fields of the categories that the type of the monitor is for.

    :raises aporia_provider.errors.ValidationError: if the version has no such fields; all are listed.
    """
    type_, metric = configuration.type, configuration.metric
    if type_ in _OF_ROWS or metric.field == "_id":
        return [ROWS]
    named = configuration.identification.fields
    if named:
        return _named_subjects(named, schema)
    if metric.field is not None:
        return [_find(metric.field, schema)]
    if type_ == "performance_degradation":
        # The metric finds the only prediction with labels itself.
        return [ROWS]
    if metric.type in _ROWS:
        return [ROWS]
    subjects = [each for category in _DEFAULTS.get(type_, ()) for each in _category(category, schema)]
    allowed = _TYPES.get(type_)
    return [subject for subject in subjects if allowed is None or subject.type in allowed]


def _named_subjects(named: dict[str, list[str]], schema: VersionSchema) -> list[Subject]:
    subjects: list[Subject] = []
    problems: list[str] = []
    for category, names in named.items():
        subjects_by_name = {_name(each): each for each in _category(category, schema)}
        for name in names:
            plain = name.removeprefix(f"{category}.")
            if plain in subjects_by_name:
                subjects.append(subjects_by_name[plain])
            else:
                problems.append(f"{category}: there is no {plain!r}; {nearest(plain, subjects_by_name)}")
    if problems:
        raise ValidationError("The version does not have the fields of the monitor", problems=problems)
    return subjects


def _find(name: str, schema: VersionSchema) -> Subject:
    every = [
        each for category in ("features", "raw_inputs", "predictions") for each in _category(category, schema)
    ]
    subject = next((each for each in every if name in (each.field, _name(each))), None)
    if subject is None:
        raise ValidationError(f"metric.field: there is no field {name!r}; {nearest(name, map(_name, every))}")
    return subject


def _category(category: str, schema: VersionSchema) -> Iterator[Subject]:
    if category == "actuals":
        yield from (Subject(f"labels.{name}", "") for name in schema.predictions)
    else:
        for name, field in schema.fields(category).items():
            yield Subject(f"{category}.{name}", field.type)


def _name(subject: Subject) -> str:
    return (subject.field or "").partition(".")[2]
