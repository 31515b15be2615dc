"""Result of a comparison of two distributions: a distance with its noise and error, or insufficient data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from aporia_provider.monitoring.result_limits import WIDEST_BOUND


@dataclass(frozen=True)
class Distance:
    """
    Distance between two distributions.

    :param value: The distance.
    :param noise: Its expected value without drift.
    :param bound: Maximum difference between ``value`` and the distance computed from the rows. It is zero for
        distances defined on bins, unless the two sides were counted in different bins.
    :param samples: Number of current values.
    :param baseline_samples: Number of values in the baseline.
    :param bins: Number of bins with values on either side.
    :param max_reliable_bound: A greater bound is wide, see :attr:`is_unreliable`.
    """

    value: float
    noise: float
    bound: float
    samples: int
    baseline_samples: int
    bins: int
    max_reliable_bound: float = field(default=WIDEST_BOUND, kw_only=True)

    @property
    def excess(self) -> float:
        """Lower bound of the value minus the noise, at least 0."""
        return max(0.0, self.value - self.bound - self.noise)

    @property
    def is_unreliable(self) -> bool:
        """
        Whether the bound makes the value unusable.

        This is the case if the bound is wide and more than half of the value, unless value plus bound is at
        most the noise: then there is no drift in spite of the bound.
        """
        wide = self.bound > self.max_reliable_bound
        return wide and 2 * self.bound > self.value and self.value + self.bound > self.noise

    def divided_by(self, scale: float) -> Self:
        """
        Return the distance in another unit.

        :param scale: Size of the new unit, in the old unit. Must be positive.
        """
        attributes = ("value", "noise", "bound", "max_reliable_bound")
        return dataclasses.replace(self, **{name: getattr(self, name) / scale for name in attributes})


@dataclass(frozen=True)
class InsufficientData:
    """
    Result of a comparison with insufficient data.

    :param reason: Available data, required data and advice.
    :param samples: Number of current values.
    :param baseline_samples: Number of values in the baseline.
    :param distance: The distance from this data; None if a side has no values, or too few to compute it.
    """

    reason: str
    samples: int
    baseline_samples: int
    distance: Distance | None = None


def _usual_advice(samples: int, _: int) -> str:
    return f"set minimum={samples}, or use a longer time range"


@dataclass(frozen=True)
class Minimum:
    """
    Minimum data for a distance to be reliable.

    :param current: Minimum number of current values.
    :param per_bin: Minimum number of current values for each bin in use.
    :param baseline: Minimum number of values in the baseline.
    :param advice: Function that returns the advice for too few current values, from their number and the
        minimum.
    """

    current: int = 200
    per_bin: int = 5
    baseline: int = 1000
    advice: Callable[[int, int], str] = field(default=_usual_advice, kw_only=True)

    def shortage(self, samples: int, baseline_samples: int, bins: int = 1) -> InsufficientData | None:
        """
        Return a result whose reason names the missing data, with advice; None if there is enough data.

        :param samples: Number of current values, at least 1.
        :param baseline_samples: Number of values in the baseline, at least 1.
        :param bins: Number of bins in use; 1 for a distance whose noise does not increase with it.
        """
        needed = max(self.current, self.per_bin * bins)
        reasons = []
        if samples < needed:
            reasons.append(_FEW_VALUES.format(samples, needed, self.advice(samples, needed)))
        if baseline_samples < self.baseline:
            reasons.append(_SMALL_BASELINE.format(baseline_samples, self.baseline))
        reason = "; ".join(reasons)
        return InsufficientData(reason, samples, baseline_samples) if reason else None

    def checked(self, distance: Distance, bins: int = 1) -> Distance | InsufficientData:
        """
        Return the distance if there is enough data, else :class:`InsufficientData`; for ``bins``, see
        :meth:`shortage`.
        """
        short = self.shortage(distance.samples, distance.baseline_samples, bins)
        return dataclasses.replace(short, distance=distance) if short else distance


_FEW_VALUES = "there are {} values, but {} are required: {}"
_SMALL_BASELINE = (
    "the baseline has {0} values, but {1} are required: use a larger one, or set minimum_baseline={0}"
)


def empty(samples: int, baseline_samples: int) -> InsufficientData | None:
    """Return the result of a comparison if one of the sides has no values, else None."""
    sides = [name for name, count in (("range", samples), ("baseline", baseline_samples)) if not count]
    if not sides:
        return None
    return InsufficientData(
        f"there are no values in the {' and in the '.join(sides)}", samples, baseline_samples
    )


def rate(samples: int, baseline_samples: int) -> float:
    """Return 1/n + 1/m: the variance of a difference of two means, relative to the variance of one value."""
    return 1.0 / samples + 1.0 / baseline_samples
