"""Execution of metric queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from aporia_provider.backend.deadlines import OverdueError, check_deadline
from aporia_provider.backend.metrics.periods import Split, result_range, time_of, whole
from aporia_provider.backend.metrics.question import Asked, Read
from aporia_provider.backend.metrics.stored_states import Range, Sources
from aporia_provider.errors import AporiaError, ValidationError
from aporia_provider.metric_results import MetricResult, QueryResult, RangeResults
from aporia_provider.metrics import Metric, MetricsQuery
from aporia_provider.monitoring.profiles.plan import BUCKET_SECONDS

MOST_ANSWERS = 50_000
"""Maximum number of results of a query, which are all held in memory."""
MOST_STATES = 200_000
"""Maximum number of states that a query reads: one for each field and bucket."""

_ASK_LESS = "Give start and end of a shorter time range, a longer aggregation period, or fewer metrics"


def answer_all(sources: Sources, query: MetricsQuery) -> list[RangeResults]:
    """
    Execute a query.

    :param sources: The model.
    :param query: The query.
    :return: See :meth:`~aporia_provider.backend.metrics.calls.Metrics.query_metrics`.
    :raises aporia_provider.errors.ValidationError: if the aggregation period is shorter than the model's
        buckets, if the query exceeds :data:`MOST_ANSWERS` or :data:`MOST_STATES`, or if it is not complete at
        the deadline.
    """
    if query.aggregation_period == "hourly" and sources.period == "daily":
        raise ValidationError(
            "The buckets of this model are days, so there are no hourly answers; ask for daily, weekly or "
            "monthly ones"
        )
    try:
        answers = _answered(sources, query)
    except OverdueError as error:
        raise ValidationError(f"{error}, which is the limit of this server. {_ASK_LESS}") from None
    ordered = sorted(answers, key=lambda within: (within[0] is not None, within))
    return [RangeResults(result_range(within), list(answers[within].values())) for within in ordered]


def _answered(sources: Sources, query: MetricsQuery) -> dict[Range, dict[int, QueryResult]]:
    """Return results by range and position of their metric in the query."""
    plans = [_Plan(sources, metric, query) for metric in query.metrics]
    _check_number(plans)
    _check_states(plans)
    answers: dict[Range, dict[int, QueryResult]] = {}
    places: dict[str, list[int]] = {}
    for place, plan in enumerate(plans):
        places.setdefault(plan.key, []).append(place)
    for together in places.values():
        for place in together:
            plan = plans[place]
            for within, answer in plan.answers():
                answers.setdefault(within, {})[place] = answer
            plan.forget()
        # Only the states of one field are held in memory at a time.
        sources.forget()
    return {within: dict(sorted(found.items())) for within, found in answers.items()}


def _check_number(plans: Sequence[_Plan]) -> None:
    count = sum(len(plan.ranges) for plan in plans)
    if count <= MOST_ANSWERS:
        return
    asked = [plan.within if plan.within[0] is not None else plan.extent for plan in plans]
    ends = [second for within in asked for second in within if second is not None]
    start, end = time_of(min(ends)), time_of(max(ends) - 1)
    raise ValidationError(
        f"The query asks for {count:,} answers, from {start} to {end}; {MOST_ANSWERS:,} is "
        f"the limit. {_ASK_LESS}"
    )


def _check_states(plans: Sequence[_Plan]) -> None:
    reads = {read: states for plan in plans for read, states in plan.reads()}
    if (count := sum(reads.values())) > MOST_STATES:
        raise ValidationError(
            f"The query reads {count:,} states, one for each field and bucket of its data and its baselines; "
            f"{MOST_STATES:,} is the limit. Give a shorter time range or baseline, or ask for fewer fields"
        )


class _Plan:
    """
    A requested metric and the ranges to compute it for.

    :param sources: The model.
    :param metric: The requested metric.
    :param query: The query that it belongs to.
    """

    def __init__(self, sources: Sources, metric: Metric, query: MetricsQuery) -> None:
        self.metric = metric
        self.within = whole(metric.datasets.data.time_range, BUCKET_SECONDS[sources.period])
        self._asked: Asked | AporiaError
        try:
            self._asked = Asked.of(sources, metric, query, self.within)
        except AporiaError as error:
            self._asked = error

    @property
    def ranges(self) -> Split | list[Range]:
        """Return the ranges in chronological order."""
        return [self.within] if isinstance(self._asked, AporiaError) else self._asked.ranges

    @property
    def extent(self) -> Range:
        """Return the range from the first to the last bucket with rows."""
        return (None, None) if isinstance(self._asked, AporiaError) else self._asked.outline.extent

    @property
    def key(self) -> str:
        """Return the key of the states; empty if the metric is invalid."""
        return "" if isinstance(self._asked, AporiaError) else self._asked.subject.key

    def reads(self) -> Iterator[tuple[Read, int]]:
        """Yield the states that are read, and their number."""
        if isinstance(self._asked, AporiaError):
            return
        try:
            yield from self._asked.reads()
        except AporiaError:
            # The error is part of the result.
            return

    def forget(self) -> None:
        """Clear the cached states."""
        if isinstance(self._asked, Asked):
            self._asked = replace(self._asked)

    def answers(self) -> Iterator[tuple[Range, QueryResult]]:
        """Yield a result for each range; an error in one range does not affect the others."""
        for part in self.ranges:
            check_deadline()
            result, error = self._answer(part)
            yield part, QueryResult.of(result, id=self.metric.id, model_version=self._version, error=error)

    @property
    def _version(self) -> str | None:
        """Return the name of the version: the latest if the query names none, None if there is none."""
        asked = self.metric.datasets.data.model_version
        return asked if isinstance(self._asked, AporiaError) else self._asked.version.name

    def _answer(self, part: Range) -> tuple[MetricResult, str | None]:
        """Return the result for a range, and the error if there is none."""
        try:
            if isinstance(self._asked, AporiaError):
                raise self._asked
            return self._asked.answer(part), None
        except AporiaError as error:
            return MetricResult(None, "undefined"), error.message
