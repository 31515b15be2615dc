"""Answers to the questions of a query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from aporia_provider.backend.deadlines import OverdueError, check_deadline
from aporia_provider.backend.metrics.periods import Split, shown, whole
from aporia_provider.backend.metrics.question import Asked, Read
from aporia_provider.backend.metrics.stored_states import Range, Sources
from aporia_provider.errors import AporiaError, ValidationError
from aporia_provider.metrics import Metric, MetricsQuery
from aporia_provider.monitoring.profiles.plan import BUCKET_SECONDS
from aporia_provider.monitoring.result import Answer

MOST_ANSWERS = 50_000
"""Limit of the answers to one query, which are all kept in memory."""
MOST_STATES = 200_000
"""Limit of the states that are read for one query: one for each field and bucket."""

_ASK_LESS = "Give start and end of a shorter time range, a longer aggregation period, or fewer metrics"


def answer_all(sources: Sources, query: MetricsQuery) -> list[dict[str, Any]]:
    """
    Answer questions about a model.

    :param sources: The model.
    :param query: The questions.
    :return: See :meth:`~aporia_provider.backend.metrics.calls.Metrics.query_metrics`.
    :raises aporia_provider.errors.ValidationError: if the buckets of the model are longer than the periods of
        the answers, there would be more answers than :data:`MOST_ANSWERS`, more states than
        :data:`MOST_STATES` would be read, or the answers are not complete at the deadline.
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
    return [{"time_range": shown(within), "metrics": list(answers[within].values())} for within in ordered]


def _answered(sources: Sources, query: MetricsQuery) -> dict[Range, dict[int, dict[str, Any]]]:
    """Answers by range, those of a range by the place of their question."""
    plans = [_Plan(sources, metric, query) for metric in query.metrics]
    _check_number(plans)
    _check_states(plans)
    answers: dict[Range, dict[int, dict[str, Any]]] = {}
    places: dict[str, list[int]] = {}
    for place, plan in enumerate(plans):
        places.setdefault(plan.key, []).append(place)
    for together in places.values():
        for place in together:
            plan = plans[place]
            for within, answer in plan.answers():
                answers.setdefault(within, {})[place] = {**plan.question(), **answer}
            plan.forget()
        # States of one field at a time are in memory.
        sources.forget()
    return {within: dict(sorted(found.items())) for within, found in answers.items()}


def _check_number(plans: Sequence[_Plan]) -> None:
    count = sum(len(plan.ranges) for plan in plans)
    if count <= MOST_ANSWERS:
        return
    asked = [plan.within if plan.within[0] is not None else plan.extent for plan in plans]
    ends = [second for within in asked for second in within if second is not None]
    times = shown((min(ends), max(ends) - 1)) or {}
    raise ValidationError(
        f"The query asks for {count:,} answers, from {times['start']} to {times['end']}; {MOST_ANSWERS:,} is "
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
    A question and the ranges to answer it for.

    :param sources: The model.
    :param metric: The question.
    :param query: The query that it is part of.
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
        """The ranges, in order."""
        return [self.within] if isinstance(self._asked, AporiaError) else self._asked.ranges

    @property
    def extent(self) -> Range:
        """From the first to the last bucket with rows."""
        return (None, None) if isinstance(self._asked, AporiaError) else self._asked.outline.extent

    @property
    def key(self) -> str:
        """What the states that it is about are kept under; empty if there are none."""
        return "" if isinstance(self._asked, AporiaError) else self._asked.subject.key

    def reads(self) -> Iterator[tuple[Read, int]]:
        """The states that are read, and how many they are."""
        if isinstance(self._asked, AporiaError):
            return
        try:
            yield from self._asked.reads()
        except AporiaError:
            # It is told in the answer.
            return

    def forget(self) -> None:
        """Release the states that were read for the answers."""
        if isinstance(self._asked, Asked):
            self._asked = replace(self._asked)

    def question(self) -> dict[str, Any]:
        """What an answer repeats of its question; a version that was left out is the one found for it."""
        asked = self.metric.datasets.data.model_version
        version = asked if isinstance(self._asked, AporiaError) else self._asked.version.name
        return {"id": self.metric.id, "model_version": version, "segment": None}

    def answers(self) -> Iterator[tuple[Range, dict[str, Any]]]:
        """An answer for each range; an error in one of them does not concern the others."""
        for part in self.ranges:
            check_deadline()
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
