"""What comparing two distributions comes to: a distance with its noise and error, or too little data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from aporia_provider.monitoring.result_limits import WIDEST_BOUND


@dataclass(frozen=True)
class Distance:
    """
    How far two distributions are apart.

    :param value: The distance.
    :param noise: The value to be expected if nothing has changed.
    :param bound: The value from the rows themselves is at most this far from ``value``. For distances that
        are defined on bins it is zero, unless the two sides were counted on different bins.
    :param samples: How many values the focal side has.
    :param baseline_samples: How many values the baseline has.
    :param bins: How many bins have values on either side.
    :param widest: A bound above this is wide, see :attr:`vague`.
    """

    value: float
    noise: float
    bound: float
    samples: int
    baseline_samples: int
    bins: int
    widest: float = field(default=WIDEST_BOUND, kw_only=True)

    @property
    def excess(self) -> float:
        """What the value has above the noise wherever it is within its bound, at least 0."""
        return max(0.0, self.value - self.bound - self.noise)

    @property
    def vague(self) -> bool:
        """
        Whether the bound makes the value useless.

        A wide bound does if it is more than half of the value, except where even the greatest value within
        the bound is no more than the noise, and so no drift.
        """
        wide = self.bound > self.widest
        return wide and 2 * self.bound > self.value and self.value + self.bound > self.noise

    def divided_by(self, scale: float) -> Self:
        """
        The same distance in another unit.

        :param scale: The new unit in terms of the old one, positive.
        """
        parts = ("value", "noise", "bound", "widest")
        return dataclasses.replace(self, **{name: getattr(self, name) / scale for name in parts})


@dataclass(frozen=True)
class NotEnough:
    """
    There is too little data to judge a distance by.

    :param reason: What there is, what it takes and what to do.
    :param samples: How many values the focal side has.
    :param baseline_samples: How many values the baseline has.
    :param distance: The distance nevertheless; ``None`` if one side has no values at all, or too few for it.
    """

    reason: str
    samples: int
    baseline_samples: int
    distance: Distance | None = None


def _usual_advice(samples: int, _: int) -> str:
    return f"set minimum={samples}, or ask for a longer time range"


@dataclass(frozen=True)
class Minimum:
    """
    How much data a distance takes to be judged by.

    :param focal: The least number of values on the focal side.
    :param per_bin: The least number of them for each bin in use.
    :param baseline: The least number of values in the baseline.
    :param advice: Makes the text that says what to do about too few values on the focal side, from their
        number and the least number.
    """

    focal: int = 200
    per_bin: int = 5
    baseline: int = 1000
    advice: Callable[[int, int], str] = field(default=_usual_advice, kw_only=True)

    def shortage(self, samples: int, baseline_samples: int, bins: int = 1) -> NotEnough | None:
        """
        What is missing, if anything, and what to ask instead.

        :param samples: How many values the focal side has, at least 1.
        :param baseline_samples: How many values the baseline has, at least 1.
        :param bins: How many bins have values; 1 for a distance whose noise does not grow with the bins.
        """
        needed = max(self.focal, self.per_bin * bins)
        reasons = []
        if samples < needed:
            reasons.append(_FEW_VALUES.format(samples, needed, self.advice(samples, needed)))
        if baseline_samples < self.baseline:
            reasons.append(_SMALL_BASELINE.format(baseline_samples, self.baseline))
        reason = "; ".join(reasons)
        return NotEnough(reason, samples, baseline_samples) if reason else None

    def judged(self, distance: Distance, bins: int = 1) -> Distance | NotEnough:
        """The distance if there is enough data to judge it by; for ``bins``, see :meth:`shortage`."""
        short = self.shortage(distance.samples, distance.baseline_samples, bins)
        return dataclasses.replace(short, distance=distance) if short else distance


_FEW_VALUES = "there are {} values, a verdict takes {}: {}"
_SMALL_BASELINE = (
    "the baseline has {0} values, a verdict takes {1}: choose a larger baseline, or set minimum_baseline={0}"
)


def empty(samples: int, baseline_samples: int) -> NotEnough | None:
    """The answer if one of the sides has no values at all."""
    sides = [name for name, count in (("range", samples), ("baseline", baseline_samples)) if not count]
    if not sides:
        return None
    return NotEnough(f"there are no values in the {' and in the '.join(sides)}", samples, baseline_samples)


def rate(samples: int, baseline_samples: int) -> float:
    """The variance of a difference of two means in terms of the variance of one value: 1/n + 1/m."""
    return 1.0 / samples + 1.0 / baseline_samples
