"""Changes of a metric in parts of the rows, tested and controlled for false discoveries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aporia_provider.monitoring.confidence.difference_tests import mean_p_value, proportion_p_value
from aporia_provider.monitoring.confidence.interval import Interval
from aporia_provider.monitoring.confidence.non_inferiority import difference
from aporia_provider.monitoring.confidence.quantiles import student_quantile
from aporia_provider.monitoring.verdicts.change_division import Mean
from aporia_provider.monitoring.verdicts.false_discovery import adjusted_p_values

FALSE_DISCOVERIES = 0.05
"""Maximum expected proportion of the changes that are named although there is none."""


@dataclass(frozen=True)
class Side:
    """
    A metric of some rows in a period.

    :param mean: Sums from which it is computed. The total is a number of rows if ``counted``.
    :param interval: Its interval; None if there is none.
    :param confidence: Probability of the interval.
    :param counted: Whether the metric is a proportion of rows.
    :param reliable: Whether it was computed from enough samples.
    """

    mean: Mean
    interval: Interval | None
    confidence: float
    counted: bool
    reliable: bool = True

    @property
    def error(self) -> float:
        """The standard error of a mean. An end of its interval may be a limit, so the farther one is used."""
        if self.interval is None:
            return 0.0
        interval = self.interval
        half = max(interval.high - interval.value, interval.value - interval.low)
        return half / student_quantile(self.confidence, int(self.mean.weight) - 1)


def change_interval(before: Side, after: Side) -> Interval | None:
    """Return the interval of the change between independent periods; None if there is none."""
    if before.interval is None or after.interval is None:
        return None
    return difference(after.interval, before.interval)


def change_p_value(before: Side, after: Side) -> float | None:
    """Return the p-value of the hypothesis that a metric has not changed; None if it is not reliable."""
    if not (before.reliable and after.reliable):
        return None
    if before.counted:
        counts = (round(after.mean.total), round(after.mean.weight))
        return proportion_p_value(*counts, round(before.mean.total), round(before.mean.weight))
    interval = change_interval(before, after)
    if interval is None:
        return None
    sizes = int(after.mean.weight), int(before.mean.weight)
    return mean_p_value(interval.value, (after.error, before.error), sizes)


def adjusted(p_values: Sequence[float | None]) -> list[float | None]:
    """
    Return p-values adjusted by the procedure of Benjamini and Hochberg; None where there is none.

    :param p_values: P-values of all parts of the rows.
    """
    known_values = [p_value for p_value in p_values if p_value is not None]
    results = iter(adjusted_p_values(known_values).tolist())
    return [None if p_value is None else float(next(results)) for p_value in p_values]
