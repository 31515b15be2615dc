"""
Distances between two distributions given as counts of the same unordered bins.

Each distance is returned with its noise: its expected value for two samples of the same distribution, which
is positive and decreases with the sample sizes. In the formulas, B is the number of bins, n and m are the
sizes of the two samples, and p and q are the proportions of a bin in the baseline and in the current data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np

from aporia_provider.metrics import Zeros
from aporia_provider.monitoring.drift.bin_terms import (
    FLOOR,
    hellinger_terms,
    jensen_shannon_terms,
    stability_terms,
    variation_terms,
)
from aporia_provider.monitoring.drift.distance_result import Distance, InsufficientData, empty, rate
from aporia_provider.monitoring.drift.rebinning import Bounded, Floats
from aporia_provider.monitoring.drift.sampling_noise import expected_sum
from aporia_provider.monitoring.result_limits import WIDEST_BOUND, WIDEST_UNBOUNDED

Counts: TypeAlias = Sequence[int] | Sequence[float] | Floats | Bounded
"""One count for each bin; empty if nothing was counted."""

_Shares: TypeAlias = Callable[[Floats, float, int], Floats]
"""Function that returns proportions from bin counts, the number of values and the number of bins in use."""

_PSEUDOCOUNTS = {"jeffreys": 0.5, "laplace": 1.0}


def js_distance(baseline: Counts, current: Counts) -> Distance | InsufficientData:
    """
    Return the Jensen-Shannon distance: the square root of the divergence in bits, from 0 to 1.

    Lin, *Divergence measures based on the Shannon entropy*, IEEE Trans. Inf. Theory 37, 1991. Noise: the
    divergence is approximately 1/(8 ln 2) of the chi-squared divergence, whose mean is (B - 1)(1/n + 1/m);
    see :func:`~aporia_provider.monitoring.drift.sampling_noise.expected_sum` for bins with few values.

    :param baseline: Bin counts of the baseline.
    :param current: Counts of the same bins in the current data.
    :raises ValueError: if the numbers of bins differ.
    """
    measure = _Measure(
        jensen_shannon_terms, _root, _expected(jensen_shannon_terms, 1 / (8 * math.log(2)), _root)
    )
    return measure.between(baseline, current)


def hellinger_distance(baseline: Counts, current: Counts) -> Distance | InsufficientData:
    """
    Return the Hellinger distance: the square root of one minus the sum of sqrt(p q), from 0 to 1.

    Le Cam, *Asymptotic Methods in Statistical Decision Theory*, 1986. Noise: the square is approximately an
    eighth of the chi-squared divergence, whose mean is (B - 1)(1/n + 1/m); see
    :func:`~aporia_provider.monitoring.drift.sampling_noise.expected_sum` for bins with few values.

    :param baseline: Bin counts of the baseline.
    :param current: Counts of the same bins in the current data.
    :raises ValueError: if the numbers of bins differ.
    """
    measure = _Measure(hellinger_terms, _root, _expected(hellinger_terms, 1 / 8, _root))
    return measure.between(baseline, current)


def psi(
    baseline: Counts, current: Counts, *, zeros: Zeros = "floor", floor: float = FLOOR
) -> Distance | InsufficientData:
    """
    Return the population stability index: the sum of (q - p) ln(q / p).

    Jeffreys, *An invariant form for the prior probability in estimation problems*, Proc. R. Soc. A 186, 1946.
    Noise: (B - 1)(1/n + 1/m), Yurdakul and Naranjo, *Statistical properties of the population stability
    index*, J. Risk Model Validation 14, 2020; see :func:`~.sampling_noise.expected_sum` for
    bins with few values.

    :param baseline: Bin counts of the baseline.
    :param current: Counts of the same bins in the current data.
    :param zeros: Treatment of empty bins. ``floor``: proportions below ``floor`` are raised to it.
        ``jeffreys`` and ``laplace``: 0.5 or 1 is added to the count of each bin in use.
    :param floor: Smallest proportion, positive.
    :raises ValueError: if the numbers of bins differ.
    """
    shares = partial(_floored, floor) if zeros == "floor" else partial(_smoothed, _PSEUDOCOUNTS[zeros])
    noise = _expected(stability_terms, 1.0, float, shares)
    measure = _Measure(stability_terms, lambda terms: float(terms.sum()), noise, shares, WIDEST_UNBOUNDED)
    return measure.between(baseline, current)


def total_variation(baseline: Counts, current: Counts) -> Distance | InsufficientData:
    """
    Return half the sum of the absolute differences of proportions, from 0 to 1.

    It is the smallest proportion of the values that have to be moved to another bin to make the distributions
    equal.

    Noise: each difference is approximately normal with variance p(1 - p)(1/n + 1/m), and the mean absolute
    value of a centred normal variable is its standard deviation times sqrt(2/pi).

    :param baseline: Bin counts of the baseline.
    :param current: Counts of the same bins in the current data.
    :raises ValueError: if the numbers of bins differ.
    """
    measure = _Measure(
        variation_terms,
        lambda terms: min(1.0, float(terms.sum())),
        lambda pair: min(1.0, float(pair.deviations.sum()) / math.sqrt(2 * math.pi)),
    )
    return measure.between(baseline, current)


def linf_distance(baseline: Counts, current: Counts) -> Distance | InsufficientData:
    """
    Return the maximum absolute difference of the proportions of a bin, from 0 to 1.

    Noise: each difference is approximately normal with variance p(1 - p)(1/n + 1/m), and their maximum is of
    the order of the k-th largest standard deviation times sqrt(2 ln(2k)), maximized over k (van Handel, *On
    the spectral norm of Gaussian random matrices*, Trans. Amer. Math. Soc. 369, 2017). The differences sum to
    zero, so k is reduced by one. In simulations with 2 to 256 bins, the mean was 0.65 to 1.15 times this
    value.

    :param baseline: Bin counts of the baseline.
    :param current: Counts of the same bins in the current data.
    :raises ValueError: if the numbers of bins differ.
    """

    def noise(pair: _Pair) -> float:
        greatest_first = np.sort(pair.deviations)[::-1]
        k = np.maximum(1, np.arange(len(greatest_first)))
        return min(1.0, float((greatest_first * np.sqrt(2 * np.log(2 * k))).max()))

    measure = _Measure(lambda p, q: np.abs(p - q), lambda terms: float(terms.max()), noise)
    return measure.between(baseline, current)


def euclidean_distance(
    baseline: Sequence[float],
    current: Sequence[float],
    *,
    samples: int,
    baseline_samples: int,
    variance: float,
) -> Distance | InsufficientData:
    """
    Return the length of the difference of two mean vectors, in the unit of their components.

    Noise: the square root of the expected square, which is the variance times 1/n + 1/m.

    :param baseline: Mean vector of the baseline.
    :param current: Mean vector of the current data.
    :param samples: Number of current vectors.
    :param baseline_samples: Number of vectors in the baseline.
    :param variance: Sum of the variances of the components.
    :raises ValueError: if the numbers of components differ.
    """
    missing = empty(samples, baseline_samples)
    if missing is not None:
        return missing
    noise = math.sqrt(variance) * math.sqrt(rate(samples, baseline_samples))
    return Distance(math.dist(baseline, current), noise, 0.0, samples, baseline_samples, len(baseline))


@dataclass(frozen=True)
class _Pair:
    """Proportions of the bins in use, and their total counts over both sides."""

    p: Bounded
    q: Bounded
    totals: Floats
    baseline_samples: int
    samples: int

    @property
    def deviations(self) -> Floats:
        """Standard deviations of the differences of proportions without drift, from both sides pooled."""
        both = self.samples + self.baseline_samples
        pooled = (self.p.value * self.baseline_samples + self.q.value * self.samples) / both
        variances = np.maximum(0.0, pooled * (1 - pooled))
        return np.sqrt(variances * rate(self.samples, self.baseline_samples))

    def nearest(self) -> tuple[Floats, Floats]:
        """Return the proportions within their bounds that minimize each difference."""
        p = np.minimum(np.maximum(self.p.low, self.q.low), self.p.high)
        return p, np.minimum(np.maximum(p, self.q.low), self.q.high)


def _plain(counts: Floats, total: float, _: int) -> Floats:
    return counts / total


def _expected(
    term: Callable[[Floats, Floats], Floats],
    curvature: float,
    total: Callable[[float], float],
    shares: _Shares = _plain,
) -> Callable[[_Pair], float]:
    """
    Return a function that computes the noise of a distance.

    The terms of the distance have to be approximately proportional to the terms of the chi-squared
    divergence.
    """

    def noise(pair: _Pair) -> float:
        m, n, bins = pair.baseline_samples, pair.samples, len(pair.totals)

        def of_counts(one: Floats, other: Floats) -> Floats:
            return term(shares(one, m, bins), shares(other, n, bins))

        return total(expected_sum(of_counts, curvature, pair.totals, (m, n)))

    return noise


@dataclass(frozen=True)
class _Measure:
    """
    A distance that is a function of one term for each bin.

    Every term is convex in both proportions, and zero if they are equal. So, for proportions between bounds,
    the maximum of a term is at one of the four combinations of a lower or an upper bound of each, and the
    minimum where the proportions differ least.
    """

    term: Callable[[Floats, Floats], Floats]
    total: Callable[[Floats], float]
    noise: Callable[[_Pair], float]
    shares: _Shares = _plain
    max_reliable_bound: float = WIDEST_BOUND

    def between(self, baseline: Counts, current: Counts) -> Distance | InsufficientData:
        pair = self._pair(_bounded(baseline), _bounded(current))
        if isinstance(pair, InsufficientData):
            return pair
        value = self.total(self.term(pair.p.value, pair.q.value))
        bound = 0.0 if pair.p.exact and pair.q.exact else self._bound(pair, value)
        sizes = pair.samples, pair.baseline_samples, len(pair.p.value)
        return Distance(value, self.noise(pair), bound, *sizes, max_reliable_bound=self.max_reliable_bound)

    def _pair(self, baseline: Bounded, current: Bounded) -> _Pair | InsufficientData:
        m, n = float(baseline.value.sum()), float(current.value.sum())
        missing = empty(round(n), round(m))
        if missing is not None:
            return missing
        if len(baseline.value) != len(current.value):
            raise ValueError(f"{len(baseline.value)} bins cannot be compared to {len(current.value)}")
        used = (baseline.high > 0) | (current.high > 0)
        bins = int(used.sum())
        p = baseline.map(lambda counts: self.shares(counts[used], m, bins))
        q = current.map(lambda counts: self.shares(counts[used], n, bins))
        return _Pair(p, q, (baseline.value + current.value)[used], round(m), round(n))

    def _bound(self, pair: _Pair, value: float) -> float:
        p, q = pair.p, pair.q
        corners = [self.term(one, other) for one in (p.low, p.high) for other in (q.low, q.high)]
        greatest = self.total(np.maximum.reduce(corners))
        return max(0.0, greatest - value, value - self.total(self.term(*pair.nearest())))


def _bounded(counts: Counts) -> Bounded:
    return counts if isinstance(counts, Bounded) else Bounded.exactly(counts)


def _floored(floor: float, counts: Floats, total: float, _: int) -> Floats:
    return np.maximum(counts / total, floor)


def _smoothed(added: float, counts: Floats, total: float, bins: int) -> Floats:
    return (counts + added) / (total + added * bins)


def _root(terms: Floats | float) -> float:
    return min(1.0, math.sqrt(np.sum(terms)))
