"""Execution of metric queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aporia_provider.backend.deadlines import DeadlineExceededError, check_deadline
from aporia_provider.backend.metrics.custom_request import CUSTOM_METRIC, CustomRequest
from aporia_provider.backend.metrics.metric_request import MetricRequest, Read
from aporia_provider.backend.metrics.model_states import ModelStates
from aporia_provider.backend.metrics.periods import Split, align_to_buckets, result_range, time_of
from aporia_provider.backend.metrics.shared_reads import prepare_reads
from aporia_provider.backend.store.buckets import Range
from aporia_provider.errors import AporiaError, ValidationError
from aporia_provider.metric_results import MetricResult, QueryResult, RangeResults
from aporia_provider.metrics import Metric, MetricsQuery
from aporia_provider.monitoring.profiles.plan import BUCKET_SECONDS

MAX_RESULTS = 50_000
"""Maximum number of results of a query, which are all held in memory."""
MAX_STATES = 200_000
"""Maximum number of states that a query reads: one for each field and bucket."""

_ASK_LESS = "Give start and end of a shorter time range, a longer aggregation period, or fewer metrics"


def execute_query(model: ModelStates, query: MetricsQuery) -> list[RangeResults]:
    """
    Execute a query.

    :param model: The model.
    :param query: The query.
    :return: See :meth:`~aporia_provider.backend.metrics.calls.Metrics.query_metrics`.
    :raises aporia_provider.errors.ValidationError: if the aggregation period is shorter than the model's
        buckets, if the query exceeds :data:`MAX_RESULTS` or :data:`MAX_STATES`, or if it is not complete at
        the deadline.
    """
    if query.aggregation_period == "hourly" and model.period == "daily":
        raise ValidationError(
            "The buckets of this model are days, so there are no hourly results; query daily, weekly or "
            "monthly ones"
        )
    try:
        results = _execute(model, query)
    except DeadlineExceededError as error:
        raise ValidationError(f"{error}, which is the limit of this server. {_ASK_LESS}") from None
    ordered = sorted(results, key=lambda within: (within[0] is not None, within))
    return [RangeResults(result_range(within), list(results[within].values())) for within in ordered]


def _execute(model: ModelStates, query: MetricsQuery) -> dict[Range, dict[int, QueryResult]]:
    """Return the results by range, then by the position of their metric in the query."""
    plans = [_MetricPlan(model, metric, query) for metric in query.metrics]
    prepare_reads(read for plan in plans for read in plan.data_reads())
    for plan in plans:
        plan.check()
    _check_number(plans)
    prepare_reads(read for plan in plans for read in plan.baseline_reads())
    _check_states(plans)
    results: dict[Range, dict[int, QueryResult]] = {}
    places: dict[str, list[int]] = {}
    for place, plan in enumerate(plans):
        places.setdefault(plan.key, []).append(place)
    for places_of_field in places.values():
        for place in places_of_field:
            plan = plans[place]
            for within, result in plan.results():
                results.setdefault(within, {})[place] = result
            plan.forget()
        # Only the states of one field are held in memory at a time.
        model.forget()
    return {within: dict(sorted(results_of_range.items())) for within, results_of_range in results.items()}


def _check_number(plans: Sequence[_MetricPlan]) -> None:
    count = sum(len(plan.ranges) for plan in plans)
    if count <= MAX_RESULTS:
        return
    ranges = [plan.within if plan.within[0] is not None else plan.extent for plan in plans]
    ends = [second for within in ranges for second in within if second is not None]
    start, end = time_of(min(ends)), time_of(max(ends) - 1)
    raise ValidationError(
        f"The query has {count:,} results, from {start} to {end}; {MAX_RESULTS:,} is the limit. {_ASK_LESS}"
    )


def _check_states(plans: Sequence[_MetricPlan]) -> None:
    reads = {read: states for plan in plans for read, states in plan.reads()}
    if (count := sum(reads.values())) > MAX_STATES:
        raise ValidationError(
            f"The query reads {count:,} states, one for each field and bucket of its data and its baselines; "
            f"{MAX_STATES:,} is the limit. Give a shorter time range or baseline, or fewer fields"
        )


class _MetricPlan:
    """
    A requested metric and the ranges to compute it for.

    :param model: The model.
    :param metric: The requested metric.
    :param query: The query that it belongs to.
    """

    def __init__(self, model: ModelStates, metric: Metric, query: MetricsQuery) -> None:
        self.metric = metric
        self.within = align_to_buckets(metric.datasets.data.time_range, BUCKET_SECONDS[model.period])
        self._request: MetricRequest | CustomRequest | AporiaError
        make = CustomRequest.of if metric.metric == CUSTOM_METRIC else MetricRequest.unchecked
        try:
            self._request = make(model, metric, query, self.within)
        except AporiaError as error:
            self._request = error

    def data_reads(self) -> Iterator[Read]:
        """Yield what is read of the data, if the metric is not a custom one."""
        if isinstance(self._request, MetricRequest):
            yield self._request.data_read

    def baseline_reads(self) -> Iterator[Read]:
        """Yield what is read of the baseline, likewise."""
        if not isinstance(self._request, MetricRequest):
            return
        try:
            read = self._request.baseline_read
        except AporiaError:
            # The error is part of the result.
            return
        if read is not None:
            yield read

    def check(self) -> None:
        """Note an error if there is no such dataset."""
        if isinstance(self._request, MetricRequest):
            try:
                self._request.summary  # noqa: B018
            except AporiaError as error:
                self._request = error

    @property
    def ranges(self) -> Split | list[Range]:
        """Return the ranges in chronological order."""
        return [self.within] if isinstance(self._request, AporiaError) else self._request.ranges

    @property
    def extent(self) -> Range:
        """Return the range from the first to the last bucket with rows."""
        return (None, None) if isinstance(self._request, AporiaError) else self._request.summary.extent

    @property
    def key(self) -> str:
        """Return the key of the states; empty if the metric is invalid."""
        return "" if isinstance(self._request, AporiaError) else self._request.key

    def reads(self) -> Iterator[tuple[Read, int]]:
        """Yield the states that are read, and their number."""
        if isinstance(self._request, AporiaError):
            return
        try:
            yield from self._request.reads()
        except AporiaError:
            # The error is part of the result.
            return

    def forget(self) -> None:
        """Clear the cached states."""
        if not isinstance(self._request, AporiaError):
            self._request = self._request.fresh()

    def results(self) -> Iterator[tuple[Range, QueryResult]]:
        """Yield a result for each range; an error in one range does not affect the others."""
        id, version, segment = self.metric.id, self._version, self.metric.datasets.data.segment
        for part in self.ranges:
            check_deadline()
            result, error = self._result(part)
            dumped = None if segment is None else segment.model_dump()
            yield (
                part,
                QueryResult.of(result, id=id, model_version=version, error=error, segment=dumped),
            )

    @property
    def _version(self) -> str | None:
        """
        Return the name of the version, which is the latest one if the query does not name a version.

        If the metric is invalid, return the name in the query, or None.
        """
        named_version = self.metric.datasets.data.model_version
        return named_version if isinstance(self._request, AporiaError) else self._request.version.name

    def _result(self, part: Range) -> tuple[MetricResult, str | None]:
        """Return the result for a range, and the error message; None if there is no error."""
        try:
            if isinstance(self._request, AporiaError):
                raise self._request
            return self._request.result(part), None
        except AporiaError as error:
            return MetricResult(None, "undefined"), error.message
