"""Computation of one requested metric."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, cast

from aporia_provider.backend.metrics.expected_request import (
    NO_LABELLED_BASELINE,
    ExpectedRequest,
    labelled_role,
)
from aporia_provider.backend.metrics.model_states import (
    ModelStates,
    Series,
    StatesKey,
    StatesSummary,
    VersionStates,
    total,
)
from aporia_provider.backend.metrics.performance_request import PerformanceRequest
from aporia_provider.backend.metrics.period_advice import Advice, advised
from aporia_provider.backend.metrics.periods import PERIODS, Split, align_to_buckets, moving_window
from aporia_provider.backend.metrics.state_selection import StateSelector, select_states
from aporia_provider.backend.metrics.value_texts import counted_as
from aporia_provider.backend.store.buckets import Range
from aporia_provider.backend.store.state_sums import SPANS
from aporia_provider.backend.store.sync_tables import DAY, PERFORMANCE
from aporia_provider.metric_results import MetricResult
from aporia_provider.metrics import AnswerPeriod, Metric, MetricDataset, MetricParameters, MetricsQuery
from aporia_provider.monitoring.catalogue import metric_kinds
from aporia_provider.monitoring.confidence.quantiles import CONFIDENCE
from aporia_provider.monitoring.drift.distance_result import Minimum
from aporia_provider.monitoring.drift.field_drift import ComparedState, drift
from aporia_provider.monitoring.metric_definition import Kind
from aporia_provider.monitoring.performance.computation import state_class
from aporia_provider.monitoring.performance.parameters import Parameters
from aporia_provider.monitoring.profiles.plan import BUCKET_SECONDS
from aporia_provider.monitoring.result import insufficient
from aporia_provider.monitoring.states.state import State
from aporia_provider.monitoring.statistics.field_statistics import (
    StatisticParameters,
    find_statistic,
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

_DAY_SECONDS = BUCKET_SECONDS["daily"]
_NO_ROWS = "there are no rows in the range"
_NOT_COMPARED = "no prediction has been compared with a label"
_UNLABELLED = (
    "no actuals are connected: connect them with ConnectActualsOperator or version.connect_actuals of "
    "aporia_provider.sdk, or name the columns of the labels when the dataset is connected"
)


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
        data = metric.datasets.data
        version = model.version(data.model_version)
        selector = select_states(metric, version)
        request = cls(model, metric, query.aggregation_period, within, version, selector)
        # Report a missing dataset before states are read.
        request.summary  # noqa: B018
        return request

    @property
    def summary(self) -> StatesSummary:
        """Return a summary of the states, known before they are read."""
        return self.version.summary(self._states_key)

    @cached_property
    def series(self) -> Series:
        """Return the states."""
        return self.version.series(self._states_key)

    @cached_property
    def _states_key(self) -> StatesKey:
        by_bucket = self.selector.type is None and self.metric.metric in METRICS_OF_BUCKETS
        spans = () if by_bucket else _SPANS[self.period]
        return StatesKey(self._role, self.selector.key, self.within, spans)

    def reads(self) -> Iterator[tuple[Read, int]]:
        """Yield the states that are read, and their number."""
        yield (self.version, self._states_key), self.summary.states
        if self._has_baseline and self.ranges:
            version, key = self._baseline_version, self._baseline_key
            yield (version, key), version.summary(key).states

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

    @property
    def _is_expected(self) -> bool:
        return "expected" in self._kinds

    @property
    def _has_baseline(self) -> bool:
        if self._is_expected:
            return self._baseline_role is not None
        return "distance" in self._kinds

    @property
    def _role(self) -> str:
        return self.metric.datasets.data.dataset_type

    def result(self, within: Range) -> MetricResult:
        """Compute the metric for one range."""
        result = self._with_dropped(self._computed(within), within)
        return self._with_dropped_baseline(result, within) if self._has_baseline else result

    def _with_dropped(self, result: MetricResult, within: Range) -> MetricResult:
        dropped = self.version.dropped(self._states_key)
        if not dropped:
            return result
        is_first = self.within[0] is None and within[0] == self._starts[0]
        # Of results for all rows, the first one tells which earlier periods have no result.
        needed = self.within if is_first and not dropped.overlapping(within) else within
        return dropped.marked(result, needed, bool(self.series.within(within)))

    def _with_dropped_baseline(self, result: MetricResult, within: Range) -> MetricResult:
        dropped = self._baseline_version.dropped(self._baseline_key)
        if not dropped:
            return result
        data = f"of the baseline ({self._baseline_dataset.dataset_type} dataset)"
        has_states = self._baseline(within) is not None
        return dropped.marked(result, self._baseline_window(within), has_states, data)

    def _computed(self, within: Range) -> MetricResult:
        states = self.series.within(within)
        name, state = self.metric.metric, total(state for _, state in states)
        if "distance" in self._kinds:
            return self._drift(within, state)
        if state is None:
            return self._without_rows()
        if self.selector.type is None:
            return row_metric(name, cast("Rows", states))
        if self._is_expected:
            return advised(self._expected(within, state), self._advice(within))
        if self.selector.performance:
            return advised(self._performance_request.result(state), self._advice(within))
        parameters = self._parameters
        bins = self.version.bins(self._role, self.selector.key)
        confidence = CONFIDENCE if parameters.confidence is None else parameters.confidence
        statistic_parameters = StatisticParameters(bins, parameters.quantile, self._value, confidence)
        return statistic(name, self.selector.type_of(state), state, statistic_parameters)

    @cached_property
    def _value(self) -> str | None:
        value = self._parameters.value
        return None if value is None else counted_as(value, total(state for _, state in self.series.states))

    def _without_rows(self) -> MetricResult:
        """Return the result for a range without rows: counts are 0 if the dataset has been synced."""
        name, type_ = self.metric.metric, self.selector.type
        if not self.version.is_synced(self._role):
            return _never_synced(self.version, self._role)
        if type_ is None:
            return row_metric(name, [])
        if self.selector.performance:
            return self._without_predictions()
        if not type_:
            return insufficient(_NO_ROWS)
        find_statistic(name, type_)
        return MetricResult(0) if name == "count" or name.endswith("_count") else insufficient(_NO_ROWS)

    def _without_predictions(self) -> MetricResult:
        name, labelled = self.selector.key.removeprefix(f"{PERFORMANCE}."), self.version.labelled(self._role)
        if labelled and name not in labelled:
            others = ", ".join(map(repr, labelled))
            return insufficient(
                f"prediction {name!r} has no labels in the {self._role} dataset; those that have are {others}"
            )
        if not any(self._range_and_total_states()):
            return insufficient(_NOT_COMPARED if labelled else _UNLABELLED)
        if self._is_expected:
            return insufficient(_NO_ROWS)
        result = self._performance_request.result(state_class(self.version.schema.model_type)())
        return insufficient(_NO_ROWS) if result.status == "insufficient_data" else result

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
        key, role = self.selector.key, self._baseline_dataset.dataset_type
        baseline_state = self._baseline(within)
        sides = ((self.version, self._role, state), (self._baseline_version, role, baseline_state))
        for version, side_role, compared_state in sides:
            if compared_state is None and not version.is_synced(side_role):
                return _never_synced(version, side_role)
        bins = self.version.bins(self._role, key)
        compared = (
            ComparedState(baseline_state, self._baseline_version.bins(role, key)),
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
        if self._baseline_role is None:
            return insufficient(NO_LABELLED_BASELINE)
        if not self._baseline_version.is_synced(self._baseline_role):
            return _never_synced(self._baseline_version, self._baseline_role)
        return self._expected_request.result(within, state)

    @cached_property
    def _expected_request(self) -> ExpectedRequest:
        return ExpectedRequest(
            self.metric.metric,
            self._performance(),
            self._parameters.minimum_baseline,
            self._baseline,
            moves=self._baseline_dataset.time_period is not None,
        )

    @cached_property
    def _baseline_role(self) -> str | None:
        """Return the role of the baseline; None if the metric requires labels and no dataset has any."""
        given = self.metric.datasets.baseline
        if given is not None:
            return given.dataset_type
        if not self._is_expected:
            return "training"
        return labelled_role(self.version, self.selector.key.removeprefix(f"{PERFORMANCE}."))

    @property
    def _baseline_dataset(self) -> MetricDataset:
        """Return the baseline."""
        return self.metric.datasets.baseline or MetricDataset(dataset_type=self._baseline_role or "training")

    @property
    def _baseline_version(self) -> VersionStates:
        name = self._baseline_dataset.model_version
        return self.version if name is None else self.model.version(name)

    @property
    def _baseline_range(self) -> Range:
        """Return the range of the baseline; of a moving baseline, from the first window to the last."""
        baseline, seconds = self._baseline_dataset, BUCKET_SECONDS[self.model.period]
        if baseline.time_period is None:
            return align_to_buckets(baseline.time_range, seconds)
        first, last = (moving_window(start, baseline, seconds) for start in self._starts)
        return first[0], last[1]

    def _baseline(self, within: Range) -> State | None:
        version, key = self._baseline_version, self._baseline_key
        start, end = self._baseline_window(within)
        if start is None or end is None or self._baseline_dataset.time_period is None:
            return version.merged(key)
        # All windows are read at once, since most of them overlap.
        return version.series(key).moving.within(start, end)

    def _baseline_window(self, within: Range) -> Range:
        """Return the range of the baseline of a result."""
        baseline = self._baseline_dataset
        if baseline.time_period is None:
            return self._baseline_range
        return moving_window(within[0], baseline, BUCKET_SECONDS[self.model.period])

    @property
    def _baseline_key(self) -> StatesKey:
        baseline = self._baseline_dataset
        spans = SPANS if baseline.time_period is None else self._window_spans
        return StatesKey(baseline.dataset_type, self.selector.key, self._baseline_range, spans)

    @property
    def _window_spans(self) -> tuple[str, ...]:
        """Return the spans of sums that no window of a moving baseline divides."""
        windows = [moving_window(start, self._baseline_dataset, 1) for start in self._starts]
        are_days = all(second % _DAY_SECONDS == 0 for window in windows for second in window)
        return (DAY,) if are_days and self.period != "hourly" else ()

    @property
    def _starts(self) -> Range:
        """Return the starts of the first and the last range."""
        return self.ranges.starts if isinstance(self.ranges, Split) else (self.within[0], self.within[0])


def _never_synced(version: VersionStates, role: str) -> MetricResult:
    return insufficient(
        f"the {role} dataset of version {version.name!r} has never been synced: sync it with "
        f"SyncDatasetOperator, SyncHook or dags/monitor_models.py, or with version.sync({role!r}) of "
        "aporia_provider.sdk"
    )
