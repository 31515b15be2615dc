"""What comparing two distributions comes to: a distance with its noise and error, or too little data."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Self


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
    """

    value: float
    noise: float
    bound: float
    samples: int
    baseline_samples: int
    bins: int

    @property
    def excess(self) -> float:
        """What the value has above the noise, at least 0."""
        return max(0.0, self.value - self.noise)

    def divided_by(self, scale: float) -> Self:
        """
        The same distance in another unit.

        :param scale: The new unit in terms of the old one, positive.
        """
        value, noise, bound = (part / scale for part in (self.value, self.noise, self.bound))
        return dataclasses.replace(self, value=value, noise=noise, bound=bound)


@dataclass(frozen=True)
class NotEnough:
    """
    There is no distance, for lack of data.

    :param reason: What there is and what it takes.
    :param samples: How many values the focal side has.
    :param baseline_samples: How many values the baseline has.
    """

    reason: str
    samples: int
    baseline_samples: int


@dataclass(frozen=True)
class Minimum:
    """
    How much data a distance takes to be judged by.

    :param focal: The least number of values on the focal side.
    :param per_bin: The least number of them for each bin in use.
    :param baseline: The least number of values in the baseline.
    """

    focal: int = 200
    per_bin: int = 5
    baseline: int = 1000

    def shortage(self, samples: int, baseline_samples: int, bins: int = 1) -> NotEnough | None:
        """
        What is missing, if anything.

        :param samples: How many values the focal side has.
        :param baseline_samples: How many values the baseline has.
        :param bins: How many bins have values; 1 for a distance whose noise does not grow with the bins.
        """
        if baseline_samples < self.baseline:
            reason = f"the baseline has {baseline_samples} values, it takes {self.baseline}"
        elif samples < (needed := max(self.focal, self.per_bin * bins)):
            reason = f"there are {samples} values, it takes {needed}"
        else:
            return None
        return NotEnough(reason, samples, baseline_samples)


def empty(samples: int, baseline_samples: int) -> NotEnough | None:
    """The answer if one of the sides has no values at all."""
    return Minimum(1, 1, 1).shortage(samples, baseline_samples)


def rate(samples: int, baseline_samples: int) -> float:
    """The variance of a difference of two means in terms of the variance of one value: 1/n + 1/m."""
    return 1.0 / samples + 1.0 / baseline_samples
