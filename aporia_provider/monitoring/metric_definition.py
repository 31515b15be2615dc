"""Entries of the metric catalogue: name, applicable types, parameters, implementation and description."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from aporia_provider.version_comparisons import Better

Kind = Literal["rows", "statistic", "distance", "performance", "expected"]

NUMBER_TYPES = ("numeric", "datetime", "text")
"""Field types that are profiled as numbers. For text, the numbers are the lengths of the values."""
CATEGORY_TYPES = ("categorical", "string", "boolean", "array", "dict")
"""
Field types that are profiled as categories. For arrays, the categories are the elements; for dicts, the keys.
"""
VECTOR_TYPES = ("vector", "tensor")
"""Field types that are profiled as vectors."""


@dataclass(frozen=True)
class MetricDefinition:
    """
    Definition of a metric. A metric that is computed differently for different types has several definitions.

    :param name: Name of the metric.
    :param types: Field types that the definition applies to; for a performance metric, model types.
    :param compute: Function that computes the metric.
    :param description: Noun phrase for the documentation.
    :param parameters: Attributes of :class:`~aporia_provider.metrics.MetricParameters` that the metric uses,
        in addition to :attr:`shared_parameters`, which all metrics of its class use.
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
    shared_parameters = ("column", "confidence")


@dataclass(frozen=True)
class DriftDistance(MetricDefinition):
    """
    A distance between the distribution of a field and its baseline.

    :param compared: What :attr:`compute` compares. ``bins``: counts of the same bins. ``categories``: counts
        of the same categories, never of the two bins for known and new values (see
        :func:`~.category_comparison.compare`). ``histograms``: histograms of numbers, with the baseline's
        standard deviation as a third argument. ``vectors``: mean vectors.
    """

    kind = "distance"
    shared_parameters = ("column", "minimum", "minimum_baseline")

    compared: Literal["bins", "categories", "histograms", "vectors"] = "bins"


@dataclass(frozen=True)
class PerformanceMetric(MetricDefinition):
    """
    A metric of predictions and labels, computed from their state and parameters.

    :param better: Whether higher or lower numbers are better; None if neither is.
    """

    kind = "performance"
    shared_parameters: ClassVar[tuple[str, ...]] = ("column", "minimum", "confidence")

    better: Better | None = None


class LabelCount(PerformanceMetric):
    """A metric that counts predictions and labels, and requires no minimum of them."""

    shared_parameters = ("column",)


class ExpectedMetric(MetricDefinition):
    """
    A metric of predictions without labels, computed from their state, the state of a baseline with labels,
    and parameters.
    """

    kind = "expected"
    shared_parameters = ("column", "minimum", "minimum_baseline", "confidence")
