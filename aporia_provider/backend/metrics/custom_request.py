"""Computation of one requested custom metric."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from aporia_provider.backend.metrics.covariances import Covariances
from aporia_provider.backend.metrics.metric_request import MetricRequest, Read
from aporia_provider.backend.metrics.model_states import ModelStates
from aporia_provider.backend.metrics.periods import Split
from aporia_provider.backend.metrics.state_series import StatesSummary
from aporia_provider.backend.metrics.states_term import StatesTerm
from aporia_provider.backend.metrics.stored_states import VersionStates
from aporia_provider.backend.store.buckets import Range
from aporia_provider.backend.store.segment_lookups import filter_name, filter_name_within
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
from aporia_provider.monitoring.result import insufficient
from aporia_provider.monitoring.segments import parse_condition
from aporia_provider.segment_values import SegmentValue
from aporia_provider.segments import FILTER_LABEL

CUSTOM_METRIC: Final = "custom_metric"
_SHARED = ("confidence", "minimum", "minimum_baseline")
"""Parameters that all calls of a custom metric share."""


@dataclass(frozen=True)
class MissingFilter:
    """
    A call whose filter is not computed within a segment.

    :param custom_metric: Name of the custom metric.
    :param filter: The filter.
    :param segment: Name of the segment.
    """

    custom_metric: str
    filter: str
    segment: str

    def reads(self) -> Iterator[tuple[Read, int]]:
        """Yield nothing: no states are read."""
        yield from ()

    def result(self, _: Range) -> MetricResult:
        """Return a result without a value, and the reason."""
        return insufficient(
            f"the filter {self.filter!r} is not computed within segment {self.segment!r}: create the custom "
            f"metric {self.custom_metric!r} with this segment among its segments"
        )

    def fresh(self) -> MissingFilter:
        """Return the request."""
        return self


@dataclass(frozen=True)
class CustomRequest:
    """
    A requested custom metric.

    :param rows: Request for the number of rows, whose ranges are those of the custom metric.
    :param expression: The expression of the custom metric, with the fields of the version.
    :param calls: Requests of the calls of the expression, by their keys.
    :param covariances: The covariances of the sums of the calls.
    """

    rows: MetricRequest
    expression: MetricExpression
    calls: Mapping[tuple[Any, ...], MetricRequest | MissingFilter]
    covariances: Covariances

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
        term = model.term(metric.datasets.data.segment)
        counted = metric.model_copy(update={"metric": "count", "parameters": parameters.model_copy()})
        rows = request(counted)
        expression = _bound(name, code, rows.version, metric.datasets.data.dataset_type)
        shared = parameters.model_dump(include=set(_SHARED), exclude_none=True)
        calls: dict[tuple[Any, ...], MetricRequest | MissingFilter] = {}
        for call in expression.calls:
            segment = filter_segment(call, term)
            if segment is not None and term is not None and not model.has_segment(segment.id):
                calls[call.key] = MissingFilter(name, str(call.filter), term.segment.name)
            else:
                calls[call.key] = request(_metric(metric, call, segment, shared))
        return cls(rows, expression, calls, Covariances.of(model, rows, expression))

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
        yield from self.covariances.reads()

    def result(self, within: Range) -> MetricResult:
        """Compute the metric for one range."""
        return evaluate(
            self.expression,
            lambda call: self.calls[call.key].result(within),
            lambda: self.covariances.interval(within),
        )

    def fresh(self) -> CustomRequest:
        """Return the request without the states that it has read."""
        calls = {key: request.fresh() for key, request in self.calls.items()}
        return replace(self, rows=self.rows.fresh(), calls=calls, covariances=replace(self.covariances))


def _bound(name: str, code: str, version: VersionStates, role: str) -> MetricExpression:
    schema = version.schema
    try:
        return bind(parse_metric(code), version.field_types, schema.model_type, version.labelled(role))
    except CustomMetricError as error:
        raise ValidationError(
            f"Custom metric {name!r} cannot be computed for the {role} dataset of version {version.name!r}",
            problems=error.faults,
        ) from None


def filter_segment(call: Call, within: StatesTerm | None) -> SegmentValue | None:
    """
    Return the term of the segment of the filter of a call; None if it has no filter.

    :param call: The call.
    :param within: Term of another segment, whose rows are filtered; None for all rows.
    """
    if call.filter is None:
        return None
    condition = parse_condition(call.filter).text
    if within is None:
        return SegmentValue(id=filter_name(condition), value=FILTER_LABEL)
    return SegmentValue(id=filter_name_within(condition, within.segment.name), value=within.label)


def _metric(metric: Metric, call: Call, segment: SegmentValue | None, shared: Mapping[str, object]) -> Metric:
    """Return the metric of a call on the rows of a custom metric."""
    data = metric.datasets.data
    if segment is not None:
        data = MetricDataset(**{**data.model_dump(exclude_unset=True), "segment": segment})
    datasets = MetricDatasets(data=data)
    return Metric(id=metric.id, metric=call.metric, parameters=call.request(**shared), datasets=datasets)
