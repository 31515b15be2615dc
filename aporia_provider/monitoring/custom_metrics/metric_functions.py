"""The functions of custom metrics, derived from the catalogue of metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal

from aporia_provider.monitoring.catalogue import CATALOGUE
from aporia_provider.monitoring.metric_definition import MetricDefinition
from aporia_provider.monitoring.performance.computation import ALIASES

Group = Literal["rows", "statistic", "performance"]

GROUPS: Final[tuple[Group, ...]] = ("statistic", "rows", "performance")


@dataclass(frozen=True)
class MetricFunction:
    """
    A function of custom metrics.

    :param name: Name of the function.
    :param metric: Metric of the catalogue.
    :param group: Kind of the metric.
    :param types: Field types; for metrics of performance, model types.
    :param parameters: Parameters, except ``filter``, by their names in the language of version 3.
    :param required: Those of them that are required.
    :param description: Noun phrase.
    :param divisor: Metric of the same column by which the metric is divided; None if it is not.
    """

    name: str
    metric: str
    group: Group
    types: tuple[str, ...]
    parameters: tuple[str, ...]
    required: tuple[str, ...]
    description: str
    divisor: str | None = None


NO_NUMBERS: Final = ("histogram", "mean_vector", "confusion_matrix")
"""Metrics whose values are not numbers."""
CODE_NAMES: Final[Mapping[str, str]] = MappingProxyType({"average": "method"})
"""Parameters of metrics whose name in the language is another."""
OF_ARRAYS: Final[Mapping[str, str]] = MappingProxyType({"mean_length": "mean_items"})
"""Metrics of arrays for functions that are of characters for other types."""

_REQUIRED = ("column", "k", "value", "quantile")
# Times are no numbers, and the states of arrays have the lengths of the elements, not their numbers.
_WITHOUT = {
    **{f"{each}_length": ("boolean", "array", "dict") for each in ("min", "max")},
    "mean_length": ("boolean", "dict"),
    **dict.fromkeys(("min", "max", "mean", "median", "quantile"), ("datetime",)),
}
_DESCRIPTIONS = {
    "min_length": "minimum length in characters",
    "max_length": "maximum length in characters",
    "mean_length": "mean length in characters; of arrays, mean number of elements that are not null",
}
_OF_VERSION_1 = {
    "not_missing_count": "column_count",
    "unique_count": "unique_values",
    "prediction_count": "count",
    "value_percentage": "value_count",
}
# According to the documentation, accuracy has the parameter average, as recall does.
_EXTRA = {"accuracy": ("method",)}
_WITHOUT_COLUMN = ("actuals_count", "actuals_ratio", "label_coverage")


def _functions() -> Iterator[MetricFunction]:
    for group in GROUPS:
        names = dict.fromkeys(metric.name for metric in CATALOGUE if metric.kind == group)
        for name in names:
            definitions = [metric for metric in CATALOGUE if metric.kind == group and metric.name == name]
            if name not in NO_NUMBERS and not (group == "statistic" and name == "count"):
                yield _function(name, group, definitions)


def _function(name: str, group: Group, definitions: list[MetricDefinition]) -> MetricFunction:
    left_out = _WITHOUT.get(name, ())
    types = dict.fromkeys(type_ for each in definitions for type_ in each.types if type_ not in left_out)
    descriptions = dict.fromkeys(each.description for each in definitions if set(each.types) - set(left_out))
    taken = dict.fromkeys(parameter for definition in definitions for parameter in definition.parameters)
    parameters = (*(() if group == "rows" else ("column",)), *(CODE_NAMES.get(each, each) for each in taken))
    required = [parameter for parameter in parameters if parameter in _REQUIRED]
    if name in _WITHOUT_COLUMN:
        required.remove("column")
    if name.endswith("_per_class"):
        required.append("class_name")
    return MetricFunction(
        name,
        name,
        group,
        tuple(types),
        (*parameters, *_EXTRA.get(name, ()), *(("type",) if group == "performance" else ())),
        tuple(required),
        _DESCRIPTIONS.get(name) or "; ".join(descriptions or [definitions[0].description]),
    )


def _named(functions: Mapping[str, MetricFunction]) -> Iterator[MetricFunction]:
    for name, metric in {**ALIASES, **_OF_VERSION_1}.items():
        function = replace(functions[metric], name=name)
        if name in _WITHOUT_COLUMN:
            function = replace(function, required=())
        if name == "value_percentage":
            description = f"{function.description}, divided by the rows with a value"
            types = tuple(type_ for type_ in function.types if type_ not in ("array", "dict"))
            function = replace(function, divisor="column_count", description=description, types=types)
        yield function


_OF_CATALOGUE = {each.name: each for each in _functions()}
FUNCTIONS: Final[Mapping[str, MetricFunction]] = MappingProxyType(
    {**_OF_CATALOGUE, **{each.name: each for each in _named(_OF_CATALOGUE)}}
)
"""The functions by name."""


def reason_without(name: str) -> str | None:
    """Return why a metric of the catalogue is not a function; None if there is no such metric."""
    if name in NO_NUMBERS:
        return f"{name} is not a number"
    kinds = {metric.kind for metric in CATALOGUE if metric.name == name}
    if kinds & {"distance", "expected"}:
        return f"{name} compares with a baseline, which a custom metric does not have"
    return None
