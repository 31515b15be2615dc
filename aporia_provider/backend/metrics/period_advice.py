"""Advice on how to change a query that returned no value because of too few samples."""

from __future__ import annotations

from dataclasses import dataclass, replace

from aporia_provider.backend.store.buckets import Range
from aporia_provider.metric_results import MetricResult
from aporia_provider.metrics import AnswerPeriod
from aporia_provider.monitoring.result import joined

_DAY = 86_400
_SECONDS: dict[AnswerPeriod, int] = {
    "hourly": 3_600,
    "daily": _DAY,
    "weekly": 7 * _DAY,
    "monthly": 28 * _DAY,
}
"""Minimum length of each period in seconds, ascending."""


@dataclass(frozen=True)
class Advice:
    """
    Advice on how to change a query whose result has too few samples.

    :param period: Aggregation period of the query; None if there is one result for the whole range.
    :param part: Range of this result.
    :param within: Range of the query; unbounded for all rows.
    :param extent: Range of all rows, see :attr:`~.Series.extent`.
    """

    period: AnswerPeriod | None
    part: Range
    within: Range
    extent: Range

    def __call__(self, samples: int, needed: int) -> str:
        """
        Return advice: the ``minimum`` that accepts the samples, and a period or range with enough samples, if
        any.

        :param samples: Number of samples there are, at least 1.
        :param needed: Number of samples required.
        """
        start, end = self.part
        longer = None
        if start is not None and end is not None:
            longer = self._longer((end - start) * needed / samples)
        return f"set minimum={samples}" + (f", or use {longer}" if longer else "")

    def _longer(self, seconds: float) -> str | None:
        """
        Return text that proposes a period or a time range of at least this length in seconds.

        None if even all rows are not enough.
        """
        is_open = self.within[0] is None
        available = _length(self.extent if is_open else self.within)
        period = self._period_of(seconds)
        if seconds <= available:
            fits = period is not None and _SECONDS[period] <= available
            return f"{_NAMED.format(period)}, which has enough samples at this rate" if fits else _WHOLE
        if is_open:
            return None
        if self.period is None:
            return "a longer time range"
        return f"a longer time range and {_NAMED.format(period)}" if period else _LONGER

    def _period_of(self, seconds: float) -> AnswerPeriod | None:
        """Return the shortest period longer than the current one and not shorter than the given seconds."""
        present = _SECONDS[self.period] if self.period else 0
        return next(
            (name for name, length in _SECONDS.items() if length > present and length >= seconds), None
        )


_NAMED = 'aggregation_period="{}"'
_WHOLE = "one result for the whole range, without an aggregation_period"
_LONGER = "one result for a longer time range, without an aggregation_period"


def _length(within: Range) -> int:
    start, end = within
    return 0 if start is None or end is None else end - start


def advised(result: MetricResult, advice: Advice) -> MetricResult:
    """
    Return the result, with advice appended to its reason if there are too few samples.

    :param result: Result of the metric.
    :param advice: Advice for the range of the result.
    """
    if result.shortage is None or not result.shortage[0]:
        return result
    return replace(result, reason=joined(result.reason, advice(*result.shortage)))
