"""Answers to the questions of a query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from aporia_provider.backend.metrics.advice import Advice, advised
from aporia_provider.backend.metrics.fields import Subject, row_metric, subject_of
from aporia_provider.backend.metrics.judging import Judging
from aporia_provider.backend.metrics.named import counted_as
from aporia_provider.backend.metrics.periods import PERIODS, SECONDS, Split, before, shown, whole
from aporia_provider.backend.metrics.sources import Range, Series, Sources, VersionSource, total
from aporia_provider.backend.sync_tables import PERFORMANCE
from aporia_provider.errors import AporiaError, ValidationError
from aporia_provider.metrics import AnswerPeriod, Metric, MetricDataset, MetricParameters, MetricsQuery
from aporia_provider.monitoring.answers import Answer
from aporia_provider.monitoring.field_drift import DISTANCES, Side, drift
from aporia_provider.monitoring.outcomes import Minimum
from aporia_provider.monitoring.performance.catalogue import state_class
from aporia_provider.monitoring.performance.parameters import Parameters
from aporia_provider.monitoring.states import State
from aporia_provider.monitoring.statistics import Question, find_statistic, statistic

MOST_ANSWERS = 50_000
"""Limit of the answers to one query, which are all kept in memory."""

_PERFORMANCE = ("threshold", "k", "class_name", "average", "gain", "minimum")
_NO_ROWS = "there are no rows in the range"


def answer_all(sources: Sources, query: MetricsQuery) -> list[dict[str, Any]]:
    """
    Answer questions about a model.

    :param sources: The model.
    :param query: The questions.
    :return: See :meth:`~aporia_provider.backend.metrics.queries.Metrics.query_metrics`.
    :raises aporia_provider.errors.ValidationError: if the buckets of the model are longer than the periods of
        the answers, or there would be more answers than :data:`MOST_ANSWERS`.
    """
    if SECONDS.get(query.aggregation_period or "", SECONDS["daily"]) < SECONDS[sources.period]:
        raise ValidationError(
            "The buckets of this model are days, so there are no hourly answers; ask for daily, weekly or "
            "monthly ones"
        )
    plans = [_Plan(sources, metric, query) for metric in query.metrics]
    _check_number(plans)
    answers: dict[Range, list[dict[str, Any]]] = {}
    for plan in plans:
        for within, answer in plan.answers():
            answers.setdefault(within, []).append({**plan.question(), **answer})
    ordered = sorted(answers, key=lambda within: (within[0] is not None, within))
    return [{"time_range": shown(within), "metrics": answers[within]} for within in ordered]


def _check_number(plans: Sequence[_Plan]) -> None:
    count = sum(len(plan.ranges) for plan in plans)
    if count <= MOST_ANSWERS:
        return
    asked = [plan.within if plan.within[0] is not None else plan.extent for plan in plans]
    ends = [second for within in asked for second in within if second is not None]
    times = shown((min(ends), max(ends) - 1)) or {}
    raise ValidationError(
        f"The query asks for {count:,} answers, from {times['start']} to {times['end']}; {MOST_ANSWERS:,} is "
        "the limit. Give start and end of a shorter time range, a longer aggregation period, or fewer metrics"
    )


class _Plan:
    """
    A question and the ranges to answer it for.

    :param sources: The model.
    :param metric: The question.
    :param query: The query that it is part of.
    """

    def __init__(self, sources: Sources, metric: Metric, query: MetricsQuery) -> None:
        self.metric = metric
        self.within = whole(metric.datasets.data.time_range, SECONDS[sources.period])
        self._asked: _Asked | AporiaError
        try:
            self._asked = _Asked.of(sources, metric, query, self.within)
        except AporiaError as error:
            self._asked = error

    @property
    def ranges(self) -> Split | list[Range]:
        """The ranges, in order."""
        return [self.within] if isinstance(self._asked, AporiaError) else self._asked.ranges

    @property
    def extent(self) -> Range:
        """From the first to the last bucket with rows."""
        return (None, None) if isinstance(self._asked, AporiaError) else self._asked.series.extent

    def question(self) -> dict[str, Any]:
        """What an answer repeats of its question; a version that was left out is the one found for it."""
        asked = self.metric.datasets.data.model_version
        version = asked if isinstance(self._asked, AporiaError) else self._asked.version.name
        return {"id": self.metric.id, "model_version": version, "segment": None}

    def answers(self) -> Iterator[tuple[Range, dict[str, Any]]]:
        """An answer for each range; an error in one of them does not concern the others."""
        for part in self.ranges:
            yield part, self._answer(part)

    def _answer(self, part: Range) -> dict[str, Any]:
        if isinstance(self._asked, AporiaError):
            return _error(self._asked)
        try:
            return {**self._asked.answer(part).to_json(), "error": None}
        except AporiaError as error:
            return _error(error)


def _error(error: AporiaError) -> dict[str, Any]:
    return {**Answer(None, "undefined").to_json(), "error": error.message}


@dataclass(frozen=True)
class _Asked:
    """A question together with the version, field and states that it is about."""

    sources: Sources
    metric: Metric
    period: AnswerPeriod | None
    within: Range
    version: VersionSource
    subject: Subject
    series: Series

    @classmethod
    def of(cls, sources: Sources, metric: Metric, query: MetricsQuery, within: Range) -> _Asked:
        data = metric.datasets.data
        version = sources.version(data.model_version)
        subject = subject_of(metric, version)
        series = version.series(data.dataset_type, subject.key, within)
        return cls(sources, metric, query.aggregation_period, within, version, subject, series)

    @cached_property
    def ranges(self) -> Split | list[Range]:
        """The ranges to answer it for, in order."""
        if self.period is not None:
            periods = Split(PERIODS[self.period], self.within, self.series.extent)
            if periods:
                return periods
        # Where no row has a time, there is one answer for all of them.
        return [self.within]

    @property
    def _parameters(self) -> MetricParameters:
        return self.metric.parameters

    @property
    def _role(self) -> str:
        return self.metric.datasets.data.dataset_type

    def answer(self, within: Range) -> Answer:
        """The answer for one range."""
        states = self.series.within(within)
        name, state = self.metric.metric, total(state for _, state in states)
        if name in DISTANCES:
            return self._drift(within, state)
        if state is None:
            return self._without_rows()
        if self.subject.type is None:
            return row_metric(name, states)
        if self.subject.performance:
            minimum = self._parameters.minimum or Parameters.minimum
            return advised(self._judging.answer(state), minimum, self._advice(within))
        given = self._parameters
        grid = self.version.grid(self._role, self.subject.key)
        question = Question(grid, given.quantile, self._value)
        return statistic(name, self.subject.type_of(state), state, question)

    @cached_property
    def _value(self) -> str | None:
        value = self._parameters.value
        return None if value is None else counted_as(value, total(state for _, state in self.series.states))

    def _without_rows(self) -> Answer:
        """The answer for a range without rows: counts are 0, if rows have been looked for at all."""
        name, type_ = self.metric.metric, self.subject.type
        if not self.version.is_synced(self._role):
            return _no_data("the dataset has never been synced")
        if type_ is None:
            return row_metric(name, [])
        if self.subject.performance:
            return self._without_predictions()
        if not type_:
            return _no_data(_NO_ROWS)
        find_statistic(name, type_)
        return Answer(0) if name == "count" or name.endswith("_count") else _no_data(_NO_ROWS)

    def _without_predictions(self) -> Answer:
        name, labelled = self.subject.key.removeprefix(f"{PERFORMANCE}."), self.version.labelled(self._role)
        if labelled and name not in labelled:
            others = ", ".join(map(repr, labelled))
            return _no_data(
                f"prediction {name!r} has no labels in the {self._role} dataset; those that have are {others}"
            )
        if not any(self._judged()):
            return _no_data("no prediction has been compared with a label yet")
        answer = self._judging.answer(state_class(self.version.schema.model_type)())
        return _no_data(_NO_ROWS) if answer.status == "insufficient_data" else answer

    @cached_property
    def _judging(self) -> Judging:
        return Judging(self.metric.metric, self._performance(), self._judged)

    def _judged(self) -> Iterator[Any]:
        """The state of the range of the query, then that of all rows; None without any."""
        yield total(state for _, state in self.series.states)
        yield self.version.merged(self._role, self.subject.key, (None, None))

    def _performance(self) -> dict[str, Any]:
        given = {name: getattr(self._parameters, name) for name in _PERFORMANCE}
        return {name: value for name, value in given.items() if value is not None}

    def _drift(self, within: Range, state: State | None) -> Answer:
        baseline = self.metric.datasets.baseline or MetricDataset(dataset_type="training")
        name, key = baseline.model_version, self.subject.key
        version = self.version if name is None else self.sources.version(name)
        before = self._baseline(version, baseline, within)
        grid = self.version.grid(self._role, key)
        sides = Side(before, version.grid(baseline.dataset_type, key)), Side(state, grid)
        return drift(self.metric.metric, *sides, zeros=self._parameters.zeros, minimum=self._minimum(within))

    def _advice(self, part: Range) -> Advice:
        return Advice(self.period, part, self.within, self.series.extent)

    def _minimum(self, part: Range) -> Minimum:
        given, usual = self._parameters, Minimum()
        focal = (usual.focal, usual.per_bin) if given.minimum is None else (given.minimum, 0)
        baseline = given.minimum_baseline or usual.baseline
        return Minimum(*focal, baseline, advice=self._advice(part))

    def _baseline(self, version: VersionSource, baseline: MetricDataset, within: Range) -> State | None:
        role, key, seconds = baseline.dataset_type, self.subject.key, SECONDS[self.sources.period]
        if baseline.time_period is None:
            return version.merged(role, key, whole(baseline.time_range, seconds))
        window = before(within[0], baseline, seconds)
        # The windows of all ranges are read at once, since most of them overlap.
        first, last = (before(start, baseline, seconds) for start in self._starts)
        series = version.series(role, key, (first[0], last[1]))
        state: State | None = total(state for _, state in series.within(window))
        return state

    @property
    def _starts(self) -> Range:
        """Where the first and the last of the ranges start."""
        return self.ranges.starts if isinstance(self.ranges, Split) else (self.within[0], self.within[0])


def _no_data(reason: str) -> Answer:
    return Answer(None, "insufficient_data", reason=reason)
