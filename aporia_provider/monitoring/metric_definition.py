"""Entries of the metric catalogue: name, applicable types, parameters, implementation and description."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

Kind = Literal["rows", "statistic", "distance", "performance"]

NUMBER_TYPES = ("numeric", "datetime", "text")
"""Types of the fields that are profiled as numbers; of text, the lengths."""
CATEGORY_TYPES = ("categorical", "string", "boolean", "array", "dict")
"""Types of the fields that are profiled as categories; of arrays and dicts, the elements and keys."""
VECTOR_TYPES = ("vector", "tensor")
"""Types of the fields that are profiled as vectors."""


@dataclass(frozen=True)
class MetricDefinition:
    """
    A metric, or its definition for some types if it differs between types.

    :param name: Name of the metric.
    :param types: Field types that it applies to; of a performance metric, model types.
    :param compute: Function that computes it.
    :param description: Noun phrase for the documentation.
    :param parameters: Attributes of :class:`~aporia_provider.metrics.MetricParameters` that it has in
        addition to :attr:`shared_parameters`, those of all metrics of its class.
    """

    kind: ClassVar[Kind]
    shared_parameters: ClassVar[tuple[str, ...]] = ()

    name: str
    types: tuple[str, ...]
    compute: Callable[..., Any]
    description: str
    parameters: tuple[str, ...] = ()


class RowMetric(MetricDefinition):
    """A metric of rows, computed from the states of the rows by bucket."""

    kind = "rows"


class FieldStatistic(MetricDefinition):
    """A statistic of a field, computed from its state and a :class:`~.row_statistics.StatisticParameters`."""

    kind = "statistic"
    shared_parameters = ("column",)


@dataclass(frozen=True)
class DriftDistance(MetricDefinition):
    """
    A distance of a field to its baseline.

    :param compared: What the function compares: counts of ``bins``; counts of ``categories``, without
        bins for new values; ``histograms`` of numbers, and the baseline's standard deviation; or
        mean ``vectors``.
    """

    kind = "distance"
    shared_parameters = ("column", "minimum", "minimum_baseline")

    compared: Literal["bins", "categories", "histograms", "vectors"] = "bins"


class PerformanceMetric(MetricDefinition):
    """A metric of predictions and labels, computed from their state and parameters."""

    kind = "performance"
    shared_parameters: ClassVar[tuple[str, ...]] = ("column", "minimum")


class LabelCount(PerformanceMetric):
    """A metric that counts predictions and labels, and requires no minimum of them."""

    shared_parameters = ("column",)
