"""P-values of statistics, from a sample of statistics without a change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from aporia_provider.monitoring.verdicts.fitted_tails import ParetoTail, StudentTail, Tail

Floats = NDArray[np.float64]

_EXPONENT: Final = 0.4  # The tail is fitted to this power of the number of statistics,
_FEWEST: Final = 10  # but to no fewer,
_MOST: Final = 1 / 3  # and to no more than this share of them.
_TYPICAL: Final = 1.0  # The tail does not start below a typical statistic.


@dataclass(frozen=True)
class NullSample:
    """
    Sorted statistics without a change, and a tail fitted to the greatest of them.

    Up to the start of the tail, the p-value is the rank in the sample. Beyond, where a rank could not be less
    than one by the size of the sample, the p-value is computed from the tail.

    :param ordered: The statistics in ascending order.
    :param start: Statistic at which the tail starts.
    :param reached: P-value at the start of the tail.
    :param tail: Distribution of the statistics beyond, in relation to ``start``.
    """

    ordered: Floats
    start: float
    reached: float
    tail: Tail

    @classmethod
    def of(cls, statistics: Floats, kind: type[ParetoTail] | type[StudentTail]) -> Self:
        """
        Fit the tail.

        :param statistics: Finite statistics that are not negative, in relation to a typical one; at least
            three.
        :param kind: Kind of the tail.
        """
        ordered = np.sort(statistics, axis=None)
        size = len(ordered)
        fitted = min(max(_FEWEST, int(size**_EXPONENT)), int(size * _MOST))
        start = max(float(ordered[size - fitted - 1]), _TYPICAL)
        greatest = np.maximum(ordered[size - fitted :], start)
        return cls(ordered, start, (1 + fitted) / (1 + size), kind.of(greatest, start))

    def p_values(self, statistics: Floats) -> Floats:
        """Return the probabilities of statistics at least as great; NaN of NaN."""
        size = len(self.ordered)
        ranks = size - np.searchsorted(self.ordered, statistics, side="left")
        beyond = np.maximum(statistics / self.start, 1.0)
        p = np.where(beyond > 1, self.reached * self.tail.survival(beyond), (1 + ranks) / (1 + size))
        return np.where(np.isnan(statistics), np.nan, p)

    def quantile(self, p: float) -> float:
        """Return the least statistic whose p-value is at most ``p``."""
        if p >= self.reached:
            size = len(self.ordered)
            return float(self.ordered[max(0, size + 1 - int(p * (1 + size)))])
        return self.start * self.tail.quantile(p / self.reached)
