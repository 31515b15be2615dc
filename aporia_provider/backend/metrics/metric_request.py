"""Computation of one requested metric."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, cast

from aporia_provider.backend.metrics.expected_request import NO_LABELLED_BASELINE, ExpectedRequest
from aporia_provider.backend.metrics.missing_rows import NO_ROWS, never_synced, without_labels, without_rows
from aporia_provider.backend.metrics.model_states import ModelStates
from aporia_provider.backend.metrics.performance_request import PerformanceRequest
from aporia_provider.backend.metrics.period_advice import Advice, advised
from aporia_provider.backend.metrics.periods import PERIODS, Split
from aporia_provider.backend.metrics.request_baseline import RequestBaseline
from aporia_provider.backend.metrics.state_selection import StateSelector, select_states
from aporia_provider.backend.metrics.state_series import Series, StatesKey, StatesSummary, total
from aporia_provider.backend.metrics.stored_states import VersionStates
from aporia_provider.backend.metrics.value_texts import counted_as
from aporia_provider.backend.store.buckets import Range
from aporia_provider.backend.store.state_sums import SPANS
from aporia_provider.backend.store.sync_tables import DAY
from aporia_provider.metric_results import MetricResult
from aporia_provider.metrics import AnswerPeriod, Metric, MetricParameters, MetricsQuery
from aporia_provider.monitoring.catalogue import metric_kinds
from aporia_provider.monitoring.confidence.quantiles import CONFIDENCE
from aporia_provider.monitoring.drift.distance_result import Minimum
from aporia_provider.monitoring.drift.field_drift import ComparedState, drift
from aporia_provider.monitoring.metric_definition import Kind
from aporia_provider.monitoring.performance.computation import state_class
from aporia_provider.monitoring.performance.parameters import Parameters
from aporia_provider.monitoring.result import insufficient
from aporia_provider.monitoring.states.state import State
from aporia_provider.monitoring.statistics.field_statistics import (
    StatisticParameters,
    statistic,
)
from aporia_provider.monitoring.statistics.row_metrics import METRICS_OF_BUCKETS, Rows, row_metric

Read = tuple[VersionStates, StatesKey]
"""Identification of states to read, and their version."""
_SPANS: dict[AnswerPeriod | None, tuple[str, ...]] = {
    None: SPANS,
    "monthly": SPANS,
    "weekly": (DAY,),
    "daily": (DAY,),
    "hourly": (),
}
"""Spans of sums that no result's range divides, by aggregation period."""


@dataclass(frozen=True)
class MetricRequest:
    """A requested metric with the version, field and states that it is computed from."""

    model: ModelStates
    metric: Metric
    period: AnswerPeriod | None
    within: Range
    version: VersionStates
    selector: StateSelector

    @classmethod
    def of(cls, model: ModelStates, metric: Metric, query: MetricsQuery, within: Range) -> MetricRequest:
        """Return the request of a metric of a dataset that exists."""
        request = cls.unchecked(model, metric, query, within)
        # Report a missing dataset before states are read.
        request.summary  # noqa: B018
        return request

    @classmethod
    def unchecked(
        cls, model: ModelStates, metric: Metric, query: MetricsQuery, within: Range
    ) -> MetricRequest:
        """Return the request of a metric, whose dataset may not exist."""
        data = metric.datasets.data
        version = model.version(data.model_version).of_term(model.term(data.segment))
        selector = select_states(metric, version)
        return cls(model, metric, query.aggregation_period, within, version, selector)

    @property
    def key(self) -> str:
        """Return the key of the states."""
        term = self.version.term
        return self.selector.key if term is None else f"{term.prefix}{self.selector.key}"

    @property
    def summary(self) -> StatesSummary:
        """Return a summary of the states, known before they are read."""
        return self.version.summary(self.states_key)

    @cached_property
    def series(self) -> Series:
        """Return the states."""
        return self.version.series(self.states_key)

    @cached_property
    def states_key(self) -> StatesKey:
        """Return the key of the states, and the range in which they are read."""
        by_bucket = self.selector.type is None and self.metric.metric in METRICS_OF_BUCKETS
        spans = () if by_bucket else _SPANS[self.period]
        return StatesKey(self._role, self.selector.key, self.within, spans)

    def fresh(self) -> MetricRequest:
        """Return the request without the states that it has read."""
        return replace(self)

    def reads(self) -> Iterator[tuple[Read, int]]:
        """Yield the states that are read, and their number."""
        yield self.data_read, self.summary.states
        if (read := self.baseline_read) is not None:
            version, key = read
            yield read, version.summary(key).states

    @property
    def data_read(self) -> Read:
        """Return what is read of the data."""
        return self.version, self.states_key

    @property
    def baseline_read(self) -> Read | None:
        """Return what is read of the baseline; None if nothing is."""
        if self._has_baseline and self.ranges:
            return self._baseline.version, self._baseline.states_key
        return None

    @cached_property
    def ranges(self) -> Split | list[Range]:
        """Return the ranges to compute the metric for, in chronological order."""
        if self.period is not None:
            periods = Split(PERIODS[self.period], self.within, self.summary.extent)
            if periods:
                return periods
        # If no row has a timestamp, there is one result for all rows.
        return [self.within]

    @property
    def _parameters(self) -> MetricParameters:
        return self.metric.parameters

    @cached_property
    def _kinds(self) -> set[Kind]:
        return metric_kinds(self.metric.metric, self.version.schema.model_type)

    @cached_property
    def _is_expected(self) -> bool:
        return "expected" in self._kinds

    @cached_property
    def _has_baseline(self) -> bool:
        if self._is_expected:
            return self._baseline.role is not None
        return "distance" in self._kinds

    @cached_property
    def _role(self) -> str:
        return self.metric.datasets.data.dataset_type

    def result(self, within: Range) -> MetricResult:
        """Compute the metric for one range."""
        result = self._with_dropped(self._computed(within), within)
        return self._with_dropped_baseline(result, within) if self._has_baseline else result

    def _with_dropped(self, result: MetricResult, within: Range) -> MetricResult:
        dropped = self.version.dropped(self.states_key)
        if not dropped:
            return result
        is_first = self.within[0] is None and within[0] == self._starts[0]
        # Of results for all rows, the first one tells which earlier periods have no result.
        needed = self.within if is_first and not dropped.overlapping(within) else within
        return dropped.marked(result, needed, bool(self.series.within(within)))

    def _with_dropped_baseline(self, result: MetricResult, within: Range) -> MetricResult:
        baseline = self._baseline
        dropped = baseline.version.dropped(baseline.states_key)
        if not dropped:
            return result
        data = f"of the baseline ({baseline.dataset.dataset_type} dataset)"
        has_states = baseline.state(within) is not None
        return dropped.marked(result, baseline.window(within), has_states, data)

    def _computed(self, within: Range) -> MetricResult:
        state = self.series.total(within)
        if "distance" in self._kinds:
            return self._drift(within, state)
        if state is None:
            return self._without_rows()
        if self.selector.type is None:
            return row_metric(self.metric.metric, cast("Rows", self.series.within(within)))
        if self._is_expected:
            return advised(self._expected(within, state), self._advice(within))
        if self.selector.performance:
            return advised(self._performance_request.result(state), self._advice(within))
        return statistic(self.metric.metric, self.selector.type_of(state), state, self._statistic_parameters)

    @cached_property
    def _statistic_parameters(self) -> StatisticParameters:
        parameters = self._parameters
        bins = self.version.bins(self._role, self.selector.key)
        confidence = CONFIDENCE if parameters.confidence is None else parameters.confidence
        return StatisticParameters(bins, parameters.quantile, self._value, confidence)

    @cached_property
    def _value(self) -> str | None:
        value = self._parameters.value
        return None if value is None else counted_as(value, total(state for _, state in self.series.states))

    def _without_rows(self) -> MetricResult:
        """Return the result for a range without rows: counts are 0 if the dataset has been synced."""
        name, version = self.metric.metric, self.version
        if not self.selector.performance or not version.is_synced(self._role):
            return without_rows(name, version, self._role, self.selector)
        compared = self._range_and_total_states()
        missing = without_labels(version, self._role, self.selector.key, compared)
        if missing is not None or self._is_expected:
            return missing or insufficient(NO_ROWS)
        result = self._performance_request.result(state_class(version.schema.model_type)())
        return insufficient(NO_ROWS) if result.status == "insufficient_data" else result

    @cached_property
    def _performance_request(self) -> PerformanceRequest:
        return PerformanceRequest(self.metric.metric, self._performance(), self._range_and_total_states)

    def _range_and_total_states(self) -> Iterator[Any]:
        """
        Yield the state of the query's range, then the state of all rows; None for a state without rows.
        """
        yield total(state for _, state in self.series.states)
        yield self.version.merged(StatesKey(self._role, self.selector.key, (None, None)))

    def _performance(self) -> dict[str, Any]:
        names = {field.name for field in fields(Parameters)}
        return self._parameters.model_dump(include=names, exclude_none=True)

    def _drift(self, within: Range, state: State | None) -> MetricResult:
        key, baseline = self.selector.key, self._baseline
        role, baseline_state = baseline.dataset.dataset_type, baseline.state(within)
        sides = ((self.version, self._role, state), (baseline.version, role, baseline_state))
        for version, side_role, compared_state in sides:
            if compared_state is None and not version.is_synced(side_role):
                return never_synced(version, side_role)
        bins = self.version.bins(self._role, key)
        compared = (
            ComparedState(baseline_state, baseline.version.bins(role, key)),
            ComparedState(state, bins),
        )
        return drift(
            self.metric.metric, *compared, zeros=self._parameters.zeros, minimum=self._minimum(within)
        )

    def _advice(self, part: Range) -> Advice:
        return Advice(self.period, part, self.within, self.summary.extent)

    def _minimum(self, part: Range) -> Minimum:
        parameters, default = self._parameters, Minimum()
        current = (
            (default.current, default.per_bin) if parameters.minimum is None else (parameters.minimum, 0)
        )
        baseline = parameters.minimum_baseline or default.baseline
        return Minimum(*current, baseline, advice=self._advice(part))

    def _expected(self, within: Range, state: Any) -> MetricResult:
        baseline = self._baseline
        if baseline.role is None:
            return insufficient(NO_LABELLED_BASELINE)
        if not baseline.version.is_synced(baseline.role):
            return never_synced(baseline.version, baseline.role)
        return self._expected_request.result(within, state)

    @cached_property
    def _expected_request(self) -> ExpectedRequest:
        return ExpectedRequest(
            self.metric.metric,
            self._performance(),
            self._parameters.minimum_baseline,
            self._baseline.state,
            moves=self._baseline.dataset.time_period is not None,
        )

    @cached_property
    def _baseline(self) -> RequestBaseline:
        return RequestBaseline(
            self.model,
            self.metric,
            self.version,
            self.selector.key,
            self.period,
            self._starts,
            self._is_expected,
        )

    @property
    def _starts(self) -> Range:
        """Return the starts of the first and the last range."""
        return self.ranges.starts if isinstance(self.ranges, Split) else (self.within[0], self.within[0])
