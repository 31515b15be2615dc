"""Comparison of the values of a segment with the value of all rows."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aporia_provider.backend.page.contents.drift_map import drift_level
from aporia_provider.backend.page.contents.page_parts import Measured
from aporia_provider.backend.page.contents.segment_metrics import SegmentMetric
from aporia_provider.metric_results import MetricResult
from aporia_provider.query_types import GREATEST_CONFIDENCE, LEAST_CONFIDENCE

_LEVELS: Final = (0.025, 0.05, 0.1, 0.2, 0.4)
_ERROR: Final = 0.05
"""Probability that any value of a segment is found to be worse by chance."""


@dataclass(frozen=True)
class Shortfall:
    """
    Difference by which the value of a segment is worse than the value of all rows.

    :param least: Lower bound, negative if the value may be better; None if there is no interval.
    :param level: 0 if the difference may be due to chance, else up to
        :data:`~.drift_map.MAX_LEVEL`; None if there is no interval.
    :param estimate: The difference itself; None without a number.
    """

    least: float | None = None
    level: int | None = None
    estimate: float | None = None

    @property
    def place(self) -> tuple[bool, float]:
        """Sorting key: the greatest certain shortfall first, and values without an interval last."""
        shortfall = self.estimate if self.least is None else self.least
        return self.least is None, -(shortfall if shortfall is not None else -math.inf)


def confidence_for(values: int) -> float:
    """
    Return the probability of the intervals by which several values are compared with all rows.

    :param values: Number of values.
    """
    confidence = 1 - 2 * _ERROR / max(1, values)
    return min(GREATEST_CONFIDENCE, max(LEAST_CONFIDENCE, confidence))


def shortfall(metric: SegmentMetric, result: MetricResult, whole: MetricResult | None) -> Shortfall:
    """
    Return how much worse a value is than the value of all rows, which is assumed to be exact.

    :param metric: The metric.
    :param result: The value.
    :param whole: The value of all rows.
    """
    if metric.comparison == "baseline":
        excess = result.excess if result.status == "ok" else None
        return Shortfall(excess, drift_level(result, metric.type), Measured.of(result).value)
    measured = Measured.of(result)
    reference = None if whole is None else Measured.of(whole).value
    if measured.value is None or reference is None or not measured.reliable or metric.comparison == "none":
        return Shortfall()
    directions = {"higher": (-1,), "lower": (1,)}.get(metric.comparison, (-1, 1))
    estimate = max(sign * (measured.value - reference) for sign in directions)
    if measured.low is None or measured.high is None:
        return Shortfall(estimate=estimate)
    bounds = {-1: reference - measured.high, 1: measured.low - reference}
    least = max(bounds[sign] for sign in directions)
    return Shortfall(least, _level(least, reference), estimate)


def _level(least: float, reference: float) -> int:
    if least <= 0:
        return 0
    share = least / abs(reference) if reference else math.inf
    return 1 + bisect_left(_LEVELS, share)


def common_note(results: Sequence[Measured]) -> str | None:
    """Return the note that all results have; None if there is none."""
    notes = {result.note for result in results}
    return notes.pop() if len(notes) == 1 else None
