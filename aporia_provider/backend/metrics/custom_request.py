"""Computation of one requested custom metric."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from aporia_provider.backend.metrics.metric_request import MetricRequest, Read
from aporia_provider.backend.metrics.model_states import ModelStates, VersionStates
from aporia_provider.backend.metrics.periods import Split
from aporia_provider.backend.metrics.state_selection import field_types
from aporia_provider.backend.metrics.state_series import StatesSummary
from aporia_provider.backend.store.buckets import Range
from aporia_provider.backend.store.segment_lookups import filter_name
from aporia_provider.errors import ValidationError
from aporia_provider.metric_results import MetricResult
from aporia_provider.metrics import Metric, MetricDataset, MetricDatasets, MetricsQuery
from aporia_provider.monitoring.custom_metrics import (
    Call,
    CustomMetricError,
    MetricExpression,
    bind,
    evaluate,
    parse_metric,
)
from aporia_provider.monitoring.segments import parse_condition
from aporia_provider.segment_values import SegmentValue
from aporia_provider.segments import FILTER_LABEL

CUSTOM_METRIC: Final = "custom_metric"
_SHARED = ("confidence", "minimum", "minimum_baseline")
"""Parameters that all calls of a custom metric share."""


@dataclass(frozen=True)
class CustomRequest:
    """
    A requested custom metric.

    :param rows: Request for the number of rows, whose ranges are those of the custom metric.
    :param expression: The expression of the custom metric, with the fields of the version.
    :param calls: Requests of the calls of the expression, by their keys.
    """

    rows: MetricRequest
    expression: MetricExpression
    calls: Mapping[tuple[Any, ...], MetricRequest]

    @classmethod
    def of(cls, model: ModelStates, metric: Metric, query: MetricsQuery, within: Range) -> CustomRequest:
        """
        Return the request of a custom metric.

        :raises aporia_provider.errors.NotFoundError: if there is no such custom metric.
        :raises aporia_provider.errors.ValidationError: if it cannot be computed for the version or with the
            parameters; all problems are listed.
        """
        return cls.made(model, metric, lambda each: MetricRequest.of(model, each, query, within))

    @classmethod
    def made(
        cls, model: ModelStates, metric: Metric, request: Callable[[Metric], MetricRequest]
    ) -> CustomRequest:
        """
        Return the request of a custom metric whose parts another function makes, see :meth:`of`.

        :param request: Function that returns the request of another metric of the same rows, or of those of
            the segment that it names.
        """
        parameters = metric.parameters
        if parameters.id is None:
            raise ValidationError(f"Metric {CUSTOM_METRIC!r} requires id: the name or id of a custom metric")
        name, code = model.custom_metric(parameters.id)
        counted = metric.model_copy(update={"metric": "count", "parameters": parameters.model_copy()})
        rows = request(counted)
        expression = _bound(name, code, rows.version, metric.datasets.data.dataset_type)
        if expression.filters and metric.datasets.data.segment is not None:
            raise ValidationError(
                f"Custom metric {name!r} has filters, which cannot be combined with a segment: register an "
                "intersection of the segments, and query it without filters"
            )
        shared = parameters.model_dump(include=set(_SHARED), exclude_none=True)
        calls = {call.key: request(_metric(metric, call, shared)) for call in expression.calls}
        return cls(rows, expression, calls)

    @property
    def version(self) -> VersionStates:
        """Return the version."""
        return self.rows.version

    @property
    def key(self) -> str:
        """Return a key that no states have: a custom metric reads those of several fields."""
        return f"{CUSTOM_METRIC}.{self.rows.metric.parameters.id}"

    @property
    def summary(self) -> StatesSummary:
        """Return a summary of the states of rows."""
        return self.rows.summary

    @property
    def ranges(self) -> Split | list[Range]:
        """Return the ranges to compute the metric for, in chronological order."""
        return self.rows.ranges

    def reads(self) -> Iterator[tuple[Read, int]]:
        """Yield the states that are read, and their number."""
        for request in self.calls.values():
            yield from request.reads()

    def result(self, within: Range) -> MetricResult:
        """Compute the metric for one range."""
        return evaluate(self.expression, lambda call: self.calls[call.key].result(within))

    def fresh(self) -> CustomRequest:
        """Return the request without the states that it has read."""
        calls = {key: request.fresh() for key, request in self.calls.items()}
        return replace(self, rows=self.rows.fresh(), calls=calls)


def _bound(name: str, code: str, version: VersionStates, role: str) -> MetricExpression:
    schema = version.schema
    try:
        return bind(parse_metric(code), field_types(schema), schema.model_type, version.labelled(role))
    except CustomMetricError as error:
        raise ValidationError(
            f"Custom metric {name!r} cannot be computed for the {role} dataset of version {version.name!r}",
            problems=error.faults,
        ) from None


def filter_segment(call: Call) -> SegmentValue | None:
    """Return the term of the segment of the filter of a call; None if it has no filter."""
    if call.filter is None:
        return None
    return SegmentValue(id=filter_name(parse_condition(call.filter).text), value=FILTER_LABEL)


def _metric(metric: Metric, call: Call, shared: Mapping[str, object]) -> Metric:
    """Return the metric of a call on the rows of a custom metric."""
    data = metric.datasets.data
    segment = filter_segment(call)
    if segment is not None:
        data = MetricDataset(**{**data.model_dump(exclude_unset=True), "segment": segment})
    datasets = MetricDatasets(data=data)
    return Metric(id=metric.id, metric=call.metric, parameters=call.request(**shared), datasets=datasets)
