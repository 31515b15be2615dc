"""Metrics of monitors, each computed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from aporia_provider.backend.metrics.custom_request import CUSTOM_METRIC, CustomRequest, filter_segment
from aporia_provider.backend.metrics.metric_request import MetricRequest
from aporia_provider.backend.metrics.state_selection import StateSelector, select_states
from aporia_provider.backend.metrics.state_series import StatesKey
from aporia_provider.backend.metrics.states_term import StatesTerm
from aporia_provider.backend.monitors.monitored_model import MonitoredModel
from aporia_provider.backend.monitors.version_states import MonitoredVersion
from aporia_provider.backend.store.buckets import Range
from aporia_provider.datasets import SERVING
from aporia_provider.errors import AporiaError
from aporia_provider.metric_results import MetricResult
from aporia_provider.metrics import Metric, MetricDataset, MetricDatasets, MetricParameters, TimeRange
from aporia_provider.monitor_configuration.parts import MetricChoice
from aporia_provider.monitoring.catalogue import metric_kinds
from aporia_provider.monitoring.confidence.quantiles import CONFIDENCE
from aporia_provider.monitoring.custom_metrics import parse_metric
from aporia_provider.monitoring.statistics.field_statistics import StatisticParameters, statistic
from aporia_provider.segment_values import SegmentValue

METRIC_NAMES: Mapping[str, str] = {"histogram": "drift_score", "missing": "missing_count"}
"""Metrics of the protocol that have another name in the catalogue."""
_SUMS = frozenset(("count", "sum", "absolute_sum", "squared_sum", "absolute_error_sum", "squared_error_sum"))
_STATISTICS = frozenset(("rows", "statistic"))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Question:
    """
    A metric with its parameters.

    :param metric: Name in the catalogue.
    :param parameters: Parameters, see :class:`~aporia_provider.metrics.MetricParameters`.
    """

    metric: str
    parameters: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(cls, choice: MetricChoice) -> Question:
        """Return the metric of a monitor's configuration."""
        given = {
            "threshold": choice.threshold,
            "k": choice.metric_at_k,
            "class_name": choice.metric_per_class,
            "average": choice.average,
            "quantile": choice.quantile,
            "value": choice.value,
            "id": choice.id if choice.type == CUSTOM_METRIC else None,
        }
        parameters = tuple((name, _plain(value)) for name, value in given.items() if value is not None)
        return cls(METRIC_NAMES.get(choice.type, choice.type), parameters)

    @property
    def custom_id(self) -> str | None:
        """Name or id of the custom metric; None for other metrics."""
        return str(dict(self.parameters)["id"]) if self.metric == CUSTOM_METRIC else None

    @property
    def is_additive(self) -> bool:
        """Whether the metric of a period is the sum of those of its parts, so it grows with its length."""
        return self.metric in _SUMS or self.metric.endswith(("_count", "_count_per_class"))


@dataclass(frozen=True)
class BaselineData:
    """
    The data of a baseline.

    :param role: Role of the dataset.
    :param within: Range; None for all rows.
    :param names_segment: Whether the baseline names its rows; otherwise they are those of the same segment.
    :param term: Term of the segment that it names; None for all rows.
    """

    role: str
    within: tuple[int, int] | None = None
    names_segment: bool = False
    term: StatesTerm | None = None


@dataclass
class Measures:
    """
    Metrics of a model.

    :param model: The model.
    """

    model: MonitoredModel
    _results: dict[Any, MetricResult] = field(default_factory=dict)
    _selectors: dict[Any, StateSelector] = field(default_factory=dict)
    cache: dict[Any, Any] = field(default_factory=dict)
    """Other values that several monitors have in common."""

    def kinds(self, version: MonitoredVersion, question: Question) -> frozenset[Any]:
        """
        Return the kinds of a metric.

        :raises aporia_provider.errors.ValidationError: if it does not exist for the type of the model.
        """
        if question.metric == CUSTOM_METRIC:
            return frozenset()
        return _kinds(question.metric, version.schema.model_type)

    def code(self, question: Question) -> str | None:
        """
        Return the code of a custom metric; None for other metrics.

        :raises aporia_provider.errors.NotFoundError: if there is no such custom metric.
        """
        return self.model.custom_metric(question.custom_id)[1] if question.custom_id is not None else None

    def filters(self, question: Question, within: StatesTerm | None) -> list[StatesTerm]:
        """
        Return the terms of the filters of a custom metric; none for other metrics.

        :param question: The metric.
        :param within: Term of a segment whose rows are filtered; None for all rows.
        """
        code = self.code(question)
        if code is None:
            return []
        values = [filter_segment(call, within) for call in parse_metric(code).calls]
        known = [value for value in values if value is not None and self.model.has_segment(value.id)]
        return [term for value in known if (term := self.model.term(value)) is not None]

    def selector(self, version: MonitoredVersion, question: Question, column: str | None) -> StateSelector:
        """
        Return the states that a metric of a field is computed from.

        :raises aporia_provider.errors.ValidationError: if there is no such metric or field.
        """
        key = id(version), question.metric, column
        if key not in self._selectors:
            metric = _metric(question, column, SERVING, None)
            self._selectors[key] = select_states(metric, version)
        return self._selectors[key]

    def result(
        self,
        version: MonitoredVersion,
        question: Question,
        column: str | None,
        within: tuple[int, int] | None,
        *,
        role: str = SERVING,
        baseline: BaselineData | None = None,
        interval: bool = True,
    ) -> MetricResult:
        """
        Return the result of a metric; if it cannot be computed, it is undefined and has a reason.

        :param version: The version.
        :param question: The metric.
        :param column: Qualified name of the field; None for metrics of rows.
        :param within: Range of the data; None for all rows.
        :param role: Role of the dataset.
        :param baseline: Baseline of a distance.
        :param interval: Whether its interval is needed. Without, it is computed faster.
        """
        key = id(version), question, column, within, role, baseline, interval
        if key not in self._results:
            try:
                found = self._computed(
                    version, question, column, within or (None, None), role, baseline, interval
                )
            except AporiaError as error:
                found = MetricResult(None, "undefined", reason=error.message)
            self._results[key] = found
        return self._results[key]

    def _computed(
        self,
        version: MonitoredVersion,
        question: Question,
        column: str | None,
        within: Range,
        role: str,
        baseline: BaselineData | None,
        interval: bool,
    ) -> MetricResult:
        metric = _metric(question, column, role, baseline)
        if question.metric == CUSTOM_METRIC:
            return self._custom(version, metric, within)
        selector = self.selector(version, question, column)
        key = StatesKey(role, selector.key, within)
        found = self._statistic(version, question, selector, key, interval)
        if found is not None:
            return found
        return MetricRequest(self.model, metric, None, within, version, selector).result(within)

    def _statistic(
        self,
        version: MonitoredVersion,
        question: Question,
        selector: StateSelector,
        key: StatesKey,
        interval: bool,
    ) -> MetricResult | None:
        """
        Return a statistic of a field that has states; None for anything else.

        This is what a request would return. There is one for each field and part of a history, so requests
        would take most of the time of an evaluation.
        """
        parameters = dict(question.parameters)
        is_plain = self.kinds(version, question) <= _STATISTICS and "value" not in parameters
        if not is_plain or not selector.type or version.dropped(key):
            return None
        state = version.merged(key)
        if state is None:
            return None
        bins, confidence = version.bins(key.role, selector.key), CONFIDENCE if interval else None
        given = StatisticParameters(bins, parameters.get("quantile"), confidence=confidence)
        return statistic(question.metric, selector.type_of(state), state, given)

    def _custom(self, version: MonitoredVersion, metric: Metric, within: Range) -> MetricResult:
        def request(wanted: Metric) -> MetricRequest:
            term = self.model.term(wanted.datasets.data.segment)
            rows = version.compared(term)
            return MetricRequest(self.model, wanted, None, within, rows, select_states(wanted, rows))

        # The segment is named, since filters within it are segments of their own.
        data = metric.datasets.data.model_copy(update={"segment": value_of(version.term)})
        datasets = metric.datasets.model_copy(update={"data": data})
        named = metric.model_copy(update={"datasets": datasets})
        return CustomRequest.made(self.model, named, request).result(within)


@lru_cache(1024)
def _kinds(metric: str, model_type: str) -> frozenset[Any]:
    return frozenset(metric_kinds(metric, model_type))


@lru_cache(4096)
def _metric(question: Question, column: str | None, role: str, baseline: BaselineData | None) -> Metric:
    data = MetricDataset(dataset_type=role)
    compared = None if baseline is None else _baseline(baseline)
    parameters = MetricParameters(column=column, **dict(question.parameters))
    datasets = MetricDatasets(data=data, baseline=compared)
    return Metric(metric=question.metric, parameters=parameters, datasets=datasets)


def _baseline(baseline: BaselineData) -> MetricDataset:
    segment: dict[str, Any] = {"segment": value_of(baseline.term)} if baseline.names_segment else {}
    if baseline.within is None:
        return MetricDataset(dataset_type=baseline.role, **segment)
    start, end = (_EPOCH + timedelta(seconds=second) for second in baseline.within)
    return MetricDataset(dataset_type=baseline.role, time_range=TimeRange(start=start, end=end), **segment)


def _plain(value: Any) -> Any:
    """Return a value that is hashable."""
    return value if isinstance(value, str | bool | int | float) else str(value)


def value_of(term: StatesTerm | None) -> SegmentValue | None:
    """Return a term as queries name it."""
    return None if term is None else SegmentValue(id=term.segment.name, value=term.label)
