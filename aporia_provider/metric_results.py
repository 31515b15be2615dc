"""Results of metrics, in Python and in the JSON of the protocol."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from aporia_provider.base_model import parse_list

Status = Literal["ok", "undefined", "insufficient_data"]

_NOT_IN_JSON = "shortage"


@dataclass(frozen=True)
class MetricResult:
    """
    Result of a metric.

    :param value: Value for decisions; None if it is undefined or there is insufficient data.
    :param status: ``ok``; ``undefined`` if there is no such number, such as the mean of no values; or
        ``insufficient_data`` if it is not reliable.
    :param samples: Number of values from which it was computed.
    :param baseline_samples: Number of values in the baseline.
    :param noise: Expected value without drift, given both numbers of samples.
    :param excess: Lower bound of the value minus the noise, at least 0. The measure of drift.
    :param bound: Maximum difference between ``value`` and the exact value.
    :param low: Lower bound of an interval of the value, or of ``shown``, with the probability
        ``confidence`` (see :class:`~aporia_provider.metrics.MetricParameters`); None if there is none. The
        interval accounts for the sampling of the rows, and is widened by ``bound``.
    :param high: Upper bound of the interval.
    :param p_value: Probability of a value at least this great without drift, if there is a test.
    :param shown: Value that is not reliable, because of too little data or too wide a bound.
    :param left_out: Number of rows of the data and of the baseline with a value that cannot be used, such as
        an infinite number or an undeclared class. Missing values are not counted.
    :param reason: Why there is no value, or notes on it: values that were left out, estimates.
    :param shortage: Available and required number of samples, where there are too few. Not part of the
        JSON form.
    """

    value: Any
    status: Status = "ok"
    samples: int = 0
    baseline_samples: int | None = None
    noise: float | None = None
    excess: float | None = None
    bound: float = 0.0
    low: float | str | None = None
    high: float | str | None = None
    p_value: float | None = None
    shown: Any = None
    left_out: int = 0
    reason: str | None = None
    shortage: Annotated[tuple[int, int] | None, SkipJsonSchema()] = field(default=None, compare=False)

    @property
    def number(self) -> Any:
        """The value whether or not it is reliable; None if it is undefined."""
        return self.shown if self.value is None else self.value

    def changed(self, **changes: Any) -> Self:
        """Return a copy with other values of attributes, faster than ``dataclasses.replace`` does."""
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__, **changes)
        return copy

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        values = dict(self.__dict__)
        if not _CONTAINERS.isdisjoint(map(type, values.values())):
            values = asdict(self)
        del values[_NOT_IN_JSON]
        return values


_CONTAINERS = frozenset({dict, list, tuple})


def _error_text(value: Any) -> Any:
    """Convert mappings and lists, which other servers of the protocol return as errors, to text."""
    return json.dumps(value) if isinstance(value, dict | list) else value


def _id_text(value: Any) -> Any:
    """Convert numbers, which other servers of the protocol return as ids, to text."""
    return str(value) if isinstance(value, int) else value


@dataclass(frozen=True, kw_only=True)
class QueryResult(MetricResult):
    """
    Result of one metric of a query for one time range.

    :param id: Id of the metric in the query.
    :param model_version: Name of the version: the latest if the query names none, None if there is none.
        Other servers of the protocol do not return it.
    :param error: Reason why the metric could not be computed.
    :param segment: Segment of the query, with its ``id`` and ``value``; None for all rows.
    """

    __pydantic_config__ = ConfigDict(json_schema_serialization_defaults_required=True)

    id: Annotated[str, BeforeValidator(_id_text)]
    model_version: str | None = None
    error: Annotated[str | None, BeforeValidator(_error_text)] = None
    segment: Annotated[Any, WithJsonSchema({"anyOf": [{"type": "object"}, {"type": "null"}]})] = None

    @classmethod
    def of(
        cls,
        result: MetricResult,
        *,
        id: str,
        model_version: str | None,
        error: str | None = None,
        segment: dict[str, str] | None = None,
    ) -> QueryResult:
        """Return the result of a metric with the part of the query that it belongs to."""
        query_result = object.__new__(cls)
        own = {"id": id, "model_version": model_version, "error": error, "segment": segment}
        query_result.__dict__.update(result.__dict__, **own)
        return query_result


@dataclass(frozen=True)
class ResultRange:
    """
    A half-open time range, aligned to buckets.

    :param start: Start of the range, in ISO format.
    :param end: End of the range, exclusive, in ISO format.
    """

    start: str
    end: str


@dataclass(frozen=True)
class RangeResults:
    """
    Results of a query for one time range.

    :param time_range: The range; None for all rows.
    :param metrics: One result for each metric of the query.
    """

    time_range: ResultRange | None
    metrics: list[QueryResult]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        time_range = asdict(self.time_range) if self.time_range else None
        return {"time_range": time_range, "metrics": [result.to_json() for result in self.metrics]}


def parse_results(body: Any) -> list[RangeResults]:
    """
    Parse the JSON form of the results of a query.

    :raises aporia_provider.errors.ValidationError: if it is not a list of results.
    """
    return parse_list(body, RangeResults, "metric results")


def failed_results(results: Iterable[RangeResults]) -> list[tuple[ResultRange | None, QueryResult]]:
    """
    Return the results with an error if no other result was computed from any data, else an empty list.

    :param results: Result of :meth:`~aporia_provider.api.AporiaApi.query_metrics`.
    :return: The results, each with its time range.
    """
    every = [(item.time_range, result) for item in results for result in item.metrics]
    if any(result.error is None and result.samples for _, result in every):
        return []
    return [(time_range, result) for time_range, result in every if result.error is not None]
