"""Chi-squared test of two sets of category counts, and its effect size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aporia_provider.monitoring.drift.distance_result import Distance, InsufficientData, empty
from aporia_provider.monitoring.drift.rebinning import Floats

_RARE = 5
_MOST_RARE = 0.2
_RARE_OF_TWO = 10


@dataclass(frozen=True)
class ChiSquared(Distance):
    """
    Result of the test. ``value`` is the statistic, ``bins`` the number of categories after pooling.

    :param degrees: Degrees of freedom, which are the expected value of the statistic without drift.
    :param p_value: Probability of a statistic at least this great without drift.
    """

    degrees: int
    p_value: float

    @property
    def cramers_v(self) -> Distance:
        """Cramér's V, the effect size from 0 to 1: the square root of the statistic per value."""
        both = self.samples + self.baseline_samples
        value, noise = (min(1.0, math.sqrt(number / both)) for number in (self.value, self.degrees))
        return Distance(value, noise, 0.0, self.samples, self.baseline_samples, self.bins)


def chi_squared(
    baseline: Sequence[float] | Floats, current: Sequence[float] | Floats
) -> ChiSquared | InsufficientData:
    """
    Perform Pearson's test of the 2 x K table of the counts, without continuity correction.

    The rarest categories are pooled until at most 20 % of the expected counts are less than 5. If only two
    categories are left, all four expected counts must be 10 or more (Cochran, *Some methods for strengthening
    the common chi-squared tests*, Biometrics 10, 1954; pooling as in Deequ).

    :param baseline: Category counts of the baseline.
    :param current: Counts of the same categories in the current data.
    :raises ValueError: if the numbers of categories differ.
    """
    m, n = float(np.sum(baseline)), float(np.sum(current))
    missing = empty(int(n), int(m))
    if missing is not None:
        return missing
    if len(baseline) != len(current):
        raise ValueError(f"{len(baseline)} categories cannot be compared to {len(current)}")
    table = np.array([baseline, current], dtype=np.float64)
    pooled = _pool(table[:, table.sum(axis=0) > 0])
    if pooled is None:
        return InsufficientData("the expected counts are too small for a test", int(n), int(m))
    expected = _expected(pooled)
    statistic, degrees = float(np.sum((pooled - expected) ** 2 / expected)), pooled.shape[1] - 1
    p_value = chi_squared_tail(statistic, degrees)
    return ChiSquared(statistic, float(degrees), 0.0, int(n), int(m), degrees + 1, degrees, p_value)


def cramers_v(
    baseline: Sequence[float] | Floats, current: Sequence[float] | Floats
) -> Distance | InsufficientData:
    """
    Return Cramér's V of the counts, see :func:`chi_squared` and :attr:`ChiSquared.cramers_v`.

    :param baseline: Category counts of the baseline.
    :param current: Counts of the same categories in the current data.
    :raises ValueError: if the numbers of categories differ.
    """
    test = chi_squared(baseline, current)
    return test.cramers_v if isinstance(test, ChiSquared) else test


def chi_squared_tail(statistic: float, degrees: int) -> float:
    """
    Return the probability that a chi-squared variable is greater than a value.

    Abramowitz and Stegun, *Handbook of Mathematical Functions*, 26.4.4 and 26.4.5: a finite sum.

    :param statistic: The value, not negative.
    :param degrees: Degrees of freedom; with 0, the variable is always zero.
    """
    half = statistic / 2
    if degrees == 0 or half == 0:
        return 1.0 if half == 0 else 0.0
    odd = degrees % 2
    # Logarithms of the terms are used, since powers and the exponential may overflow.
    terms = (
        (k + odd / 2) * math.log(half) - half - math.lgamma(k + odd / 2 + 1) for k in range(degrees // 2)
    )
    return min(1.0, odd * math.erfc(math.sqrt(half)) + math.fsum(map(math.exp, terms)))


def _expected(table: Floats) -> Floats:
    expected: Floats = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    return expected


def _pool(table: Floats) -> Floats | None:
    """Pool as few of the rarest categories as possible; return None if no pooling suffices."""
    table = table[:, np.argsort(table.sum(axis=0), kind="stable")]
    for together in range(1, table.shape[1] + 1):
        rare, others = table[:, :together].sum(axis=1, keepdims=True), table[:, together:]
        pooled = np.concatenate([rare, others], axis=1)
        if _testable(pooled, together):
            return pooled
    return None


def _testable(table: Floats, together: int) -> bool:
    categories = table.shape[1]
    if categories == 1:
        return together == 1
    expected = _expected(table)
    if categories == 2:
        return bool((expected >= _RARE_OF_TWO).all())
    return bool(np.mean(expected < _RARE) <= _MOST_RARE)
