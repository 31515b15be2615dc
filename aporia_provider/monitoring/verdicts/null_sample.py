"""P-values of statistics, from a sample of statistics without a change."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_EXPONENT: Final = 0.4  # The tail is fitted to this power of the number of statistics,
_FEWEST: Final = 10  # but to no fewer,
_MOST: Final = 1 / 3  # and to no more than this share of them.
_TYPICAL: Final = 1.0  # The tail does not start below a typical statistic,
_LEAST_EXCESS: Final = 0.1  # and its mean excess in relation to its start is no less.


@dataclass(frozen=True)
class NullSample:
    """
    Sorted statistics without a change, and the tail fitted to the greatest of them.

    Up to the start of the tail, the p-value is the rank in the sample. Beyond, a rank could not be less than
    one by the size of the sample. There, the p-value is that of the predictive distribution of a generalized
    Pareto distribution, which includes the error of its fit.

    :param ordered: The statistics in ascending order.
    :param start: Statistic at which the tail starts.
    :param fitted: Number of statistics beyond it.
    :param excess: Mean excess of these: of the logarithms if ``shape`` is None.
    :param shape: Shape of the tail: 1/3 for that of Student's distribution with three degrees of freedom.
        None: it is fitted (Hill, *A simple general approach to inference about the tail of a distribution*,
        Annals of Statistics 3, 1975), for which the sample must be large.
    """

    ordered: Floats
    start: float
    fitted: int
    excess: float
    shape: float | None

    @classmethod
    def of(cls, statistics: Floats, shape: float | None = None) -> Self:
        """
        Fit the tail.

        :param statistics: Finite statistics that are not negative, in relation to a typical one; at least
            three.
        :param shape: Shape of the tail; None: it is fitted.
        """
        ordered = np.sort(statistics, axis=None)
        size = len(ordered)
        fitted = min(max(_FEWEST, int(size**_EXPONENT)), int(size * _MOST))
        start = max(float(ordered[size - fitted - 1]), _TYPICAL)
        beyond = np.maximum(ordered[size - fitted :] / start, 1.0)
        excess = float((np.log(beyond) if shape is None else beyond - 1).mean())
        return cls(ordered, start, fitted, max(excess, _LEAST_EXCESS), shape)

    def p_values(self, statistics: Floats) -> Floats:
        """Return the probabilities of statistics at least as great; NaN of NaN."""
        size = len(self.ordered)
        ranks = size - np.searchsorted(self.ordered, statistics, side="left")
        beyond = np.maximum(statistics / self.start, 1.0)
        tail = (1 + self._exponential(beyond) / self.fitted) ** -self.fitted
        p = np.where(beyond > 1, (1 + self.fitted) * tail, 1 + ranks) / (1 + size)
        return np.where(np.isnan(statistics), np.nan, p)

    def quantile(self, p: float) -> float:
        """Return the least statistic whose p-value is at most ``p``."""
        size = len(self.ordered)
        reached = (1 + self.fitted) / (1 + size)
        if p >= reached:
            return float(self.ordered[max(0, size + 1 - int(p * (1 + size)))])
        exponential = self.fitted * (math.pow(reached / p, 1 / self.fitted) - 1)
        if self.shape is None:
            return self.start * math.exp(self.excess * exponential)
        growth = math.expm1(self.shape * exponential) / self.shape
        return self.start * (1 + self.excess * (1 - self.shape) * growth)

    def _exponential(self, beyond: Floats) -> Floats:
        """Return statistics in relation to the start so transformed that their tail is exponential."""
        if self.shape is None:
            transformed: Floats = np.log(beyond) / self.excess
            return transformed
        scale = self.excess * (1 - self.shape)
        return np.log1p(self.shape * (beyond - 1) / scale) / self.shape
