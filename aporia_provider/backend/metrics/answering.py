"""From questions to answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aporia_provider.backend.metrics.fields import Subject, row_metric, subject_of
from aporia_provider.backend.metrics.periods import SECONDS, before, shown, split, whole
from aporia_provider.backend.metrics.sources import Range, Sources, States, VersionSource, total
from aporia_provider.errors import AporiaError, ValidationError
from aporia_provider.metrics import Metric, MetricDataset, MetricParameters, MetricsQuery
from aporia_provider.monitoring.answers import Answer, of_value
from aporia_provider.monitoring.field_drift import DISTANCES, Side, drift
from aporia_provider.monitoring.outcomes import Minimum
from aporia_provider.monitoring.performance import compute
from aporia_provider.monitoring.states import State
from aporia_provider.monitoring.statistics import Question, statistic

_PERFORMANCE = ("threshold", "k", "class_name", "average", "gain", "minimum")


def answer_all(sources: Sources, query: MetricsQuery) -> list[dict[str, Any]]:
    """
    Answer questions about a model.

    :param sources: The model.
    :param query: The questions.
    :return: See :meth:`~aporia_provider.backend.metrics.queries.Metrics.query_metrics`.
    """
    seconds = _period(sources, query)
    answers: dict[Range, list[dict[str, Any]]] = {}
    for metric in query.metrics:
        for within, answer in _answers(sources, metric, seconds):
            answers.setdefault(within, []).append({"id": metric.id, "segment": None, **answer})
    ordered = sorted(answers, key=lambda within: (within[0] is not None, within))
    return [{"time_range": shown(within), "metrics": answers[within]} for within in ordered]


def _period(sources: Sources, query: MetricsQuery) -> int | None:
    if query.aggregation_period is None:
        return None
    if SECONDS[query.aggregation_period] < SECONDS[sources.period]:
        raise ValidationError("The buckets of this model are days, so there are no hourly answers")
    return SECONDS[query.aggregation_period]


def _answers(sources: Sources, metric: Metric, seconds: int | None) -> Iterator[tuple[Range, dict[str, Any]]]:
    within = whole(metric.datasets.data.time_range, SECONDS[sources.period])
    try:
        asked = _Asked.of(sources, metric)
        states = asked.states(within)
        ranges = [within] if seconds is None else split((bucket for bucket, _ in states), seconds, within)
        for part in ranges:
            yield part, _or_error(asked, part, _within(states, part))
    except AporiaError as error:
        yield within, _error(error)


def _or_error(asked: _Asked, part: Range, states: States) -> dict[str, Any]:
    try:
        return {**asked.answer(part, states).to_json(), "error": None}
    except AporiaError as error:
        return _error(error)


def _error(error: AporiaError) -> dict[str, Any]:
    return {**Answer(None, "undefined").to_json(), "error": error.message}


def _within(states: States, part: Range) -> States:
    start, end = part
    if start is None or end is None:
        return states
    return [(bucket, state) for bucket, state in states if bucket is not None and start <= bucket < end]


@dataclass(frozen=True)
class _Asked:
    """A question with everything that is known about what it is about."""

    sources: Sources
    metric: Metric
    version: VersionSource
    subject: Subject

    @classmethod
    def of(cls, sources: Sources, metric: Metric) -> _Asked:
        version = sources.version(metric.datasets.data.model_version)
        return cls(sources, metric, version, subject_of(metric, version))

    @property
    def _parameters(self) -> MetricParameters:
        return self.metric.parameters

    def states(self, within: Range) -> States:
        """States that the answers are made from."""
        return self.version.states(self.metric.datasets.data.dataset_type, self.subject.key, within)

    def answer(self, within: Range, states: States) -> Answer:
        """The answer for one range, from the states in it."""
        name, state = self.metric.metric, total(state for _, state in states)
        if name in DISTANCES:
            return self._drift(within, state)
        if state is None:
            return Answer(None, "insufficient_data", reason="there are no rows in the range")
        if self.subject.type is None:
            return row_metric(name, states)
        if self.subject.performance:
            return of_value(compute(name, state, self._performance()))
        given = self._parameters
        grid = self.version.grid(self.metric.datasets.data.dataset_type, self.subject.key)
        question = Question(grid, given.quantile, given.value)
        return statistic(name, self.subject.type_of(state), state, question)

    def _performance(self) -> dict[str, Any]:
        given = {name: getattr(self._parameters, name) for name in _PERFORMANCE}
        return {name: value for name, value in given.items() if value is not None}

    def _drift(self, within: Range, state: State | None) -> Answer:
        baseline = self.metric.datasets.baseline or MetricDataset(dataset_type="training")
        name, key = baseline.model_version, self.subject.key
        version = self.version if name is None else self.sources.version(name)
        before = version.merged(baseline.dataset_type, key, self._baseline(baseline, within))
        grid = self.version.grid(self.metric.datasets.data.dataset_type, key)
        sides = Side(before, version.grid(baseline.dataset_type, key)), Side(state, grid)
        return drift(self.metric.metric, *sides, zeros=self._parameters.zeros, minimum=self._minimum())

    def _minimum(self) -> Minimum:
        given, usual = self._parameters, Minimum()
        focal = (usual.focal, usual.per_bin) if given.minimum is None else (given.minimum, 0)
        return Minimum(*focal, given.minimum_baseline or usual.baseline)

    def _baseline(self, baseline: MetricDataset, within: Range) -> Range:
        seconds = SECONDS[self.sources.period]
        if baseline.time_period is not None:
            return before(within[0], baseline, seconds)
        return whole(baseline.time_range, seconds)
