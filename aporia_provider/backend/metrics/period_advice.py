"""Advice on what to change in a query that got no value for lack of samples."""

from __future__ import annotations

from dataclasses import dataclass, replace

from aporia_provider.backend.metrics.stored_states import Range
from aporia_provider.metrics import AnswerPeriod
from aporia_provider.monitoring.result import Answer, ScarceAnswer

_DAY = 86_400
_SECONDS: dict[AnswerPeriod, int] = {
    "hourly": 3_600,
    "daily": _DAY,
    "weekly": 7 * _DAY,
    "monthly": 28 * _DAY,
}
"""Least length of each period, in ascending order."""


@dataclass(frozen=True)
class Advice:
    """
    Advice on how to get an answer from too few samples, as text.

    :param period: The period of the answers; None if there is one for the whole range.
    :param part: The range of this answer.
    :param within: The range of the query; open for all rows.
    :param extent: The range of all rows, see :attr:`~.Series.extent`.
    """

    period: AnswerPeriod | None
    part: Range
    within: Range
    extent: Range

    def __call__(self, samples: int, needed: int) -> str:
        """
        Name the parameter that accepts the samples, and the period or range that has enough, if any.

        :param samples: How many samples there are, at least 1.
        :param needed: How many samples the answer takes.
        """
        start, end = self.part
        longer = None
        if start is not None and end is not None:
            longer = self._longer((end - start) * needed / samples)
        return f"set minimum={samples}" + (f", or ask for {longer}" if longer else "")

    def _longer(self, seconds: float) -> str | None:
        """The period or range that has so many seconds; None if no rows are outside of the range."""
        is_open = self.within[0] is None
        available = _length(self.extent if is_open else self.within)
        period = self._period_of(seconds)
        if seconds <= available:
            fits = period is not None and _SECONDS[period] <= available
            return f"{_NAMED.format(period)}, which has enough at this rate" if fits else _WHOLE
        if is_open:
            return None
        if self.period is None:
            return "a longer time range"
        return f"a longer time range and {_NAMED.format(period)}" if period else _LONGER

    def _period_of(self, seconds: float) -> AnswerPeriod | None:
        """The shortest period that is longer than the present one and has so many seconds."""
        present = _SECONDS[self.period] if self.period else 0
        return next(
            (name for name, length in _SECONDS.items() if length > present and length >= seconds), None
        )


_NAMED = 'aggregation_period="{}"'
_WHOLE = "one answer for the whole range, without an aggregation_period"
_LONGER = "one answer for a longer time range, without an aggregation_period"


def _length(within: Range) -> int:
    start, end = within
    return 0 if start is None or end is None else end - start


def advised(answer: Answer, minimum: int, advice: Advice) -> Answer:
    """
    The answer, whose reason says which parameter or period would do if there are too few samples.

    :param answer: The answer.
    :param minimum: How many samples it takes.
    :param advice: Advice for its range.
    """
    there, needed = answer.scarce if isinstance(answer, ScarceAnswer) else (answer.samples, minimum)
    if answer.status != "insufficient_data" or not 0 < there < needed:
        return answer
    reasons = answer.reason, advice(there, needed)
    return replace(answer, reason="; ".join(filter(None, reasons)))
