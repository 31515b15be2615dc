"""
Distances of two distributions from the counts of the same bins, in any order of the bins.

Each is returned with the value to be expected of two samples of one and the same distribution, since none of
them is zero then: it falls only as the samples grow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias

import numpy as np

from aporia_provider.monitoring.drift.distance_result import Distance, NotEnough, empty, rate
from aporia_provider.monitoring.drift.rebinning import Bounded, Floats
from aporia_provider.monitoring.drift.sampling_noise import expected_sum
from aporia_provider.monitoring.result_limits import WIDEST_BOUND, WIDEST_UNBOUNDED

Counts: TypeAlias = Sequence[int] | Sequence[float] | Floats | Bounded
"""One count for each bin; none at all if nothing was counted."""
Zeros: TypeAlias = Literal["floor", "jeffreys", "laplace"]
"""What the population stability index makes of empty bins."""

_Shares: TypeAlias = Callable[[Floats, float, int], Floats]
"""Shares from the counts of bins, the number of values, and the number of bins in use."""

_PSEUDOCOUNTS = {"jeffreys": 0.5, "laplace": 1.0}


def js_distance(baseline: Counts, current: Counts) -> Distance | NotEnough:
    """
    The Jensen-Shannon distance: the root of the divergence in bits, from 0 to 1.

    Lin, *Divergence measures based on the Shannon entropy*, IEEE Trans. Inf. Theory 37, 1991. Noise: the
    divergence is near 1/(8 ln 2) of the chi-squared divergence, which is (B - 1)(1/n + 1/m) on average; see
    :func:`~aporia_provider.monitoring.drift.sampling_noise.expected_sum` for bins with few values.

    :param baseline: The counts of the bins.
    :param current: The counts of the same bins.
    :raises ValueError: The numbers of bins differ.
    """
    measure = _Measure(_jensen_shannon, _root, _expected(_jensen_shannon, 1 / (8 * math.log(2)), _root))
    return measure.between(baseline, current)


def hellinger_distance(baseline: Counts, current: Counts) -> Distance | NotEnough:
    """
    The Hellinger distance: the root of one minus the sum of sqrt(p q), from 0 to 1.

    Le Cam, *Asymptotic Methods in Statistical Decision Theory*, 1986. Noise: the square is near an eighth of
    the chi-squared divergence, which is (B - 1)(1/n + 1/m) on average; see
    :func:`~aporia_provider.monitoring.drift.sampling_noise.expected_sum` for bins with few values.

    :param baseline: The counts of the bins.
    :param current: The counts of the same bins.
    :raises ValueError: The numbers of bins differ.
    """
    measure = _Measure(_hellinger, _root, _expected(_hellinger, 1 / 8, _root))
    return measure.between(baseline, current)


def psi(
    baseline: Counts, current: Counts, *, zeros: Zeros = "floor", floor: float = 1e-4
) -> Distance | NotEnough:
    """
    The population stability index: the sum of (q - p) ln(q / p).

    Jeffreys, *An invariant form for the prior probability in estimation problems*, Proc. R. Soc. A 186, 1946.
    Noise: (B - 1)(1/n + 1/m), Yurdakul and Naranjo, *Statistical properties of the population stability
    index*, J. Risk Model Validation 14, 2020; see :func:`~.sampling_noise.expected_sum` for
    bins with few values.

    :param baseline: The counts of the bins.
    :param current: The counts of the same bins.
    :param zeros: What becomes of empty bins. ``floor``: no share is less than ``floor``, and the others stay
        as they are. ``jeffreys`` and ``laplace``: 0.5 or 1 is added to the count of each bin in use.
    :param floor: A positive share.
    :raises ValueError: The numbers of bins differ.
    """
    shares = partial(_floored, floor) if zeros == "floor" else partial(_smoothed, _PSEUDOCOUNTS[zeros])
    noise = _expected(_stability, 1.0, float, shares)
    measure = _Measure(_stability, lambda terms: float(terms.sum()), noise, shares, WIDEST_UNBOUNDED)
    return measure.between(baseline, current)


def total_variation(baseline: Counts, current: Counts) -> Distance | NotEnough:
    """
    Half the sum of the differences of the shares, from 0 to 1: the share of the values that have moved.

    Noise: each difference is nearly normal with variance p(1 - p)(1/n + 1/m), and the mean of a normal
    variable's absolute value is its deviation times sqrt(2/pi).

    :param baseline: The counts of the bins.
    :param current: The counts of the same bins.
    :raises ValueError: The numbers of bins differ.
    """
    measure = _Measure(
        lambda p, q: np.abs(p - q) / 2,
        lambda terms: min(1.0, float(terms.sum())),
        lambda pair: min(1.0, float(pair.deviations.sum()) / math.sqrt(2 * math.pi)),
    )
    return measure.between(baseline, current)


def linf_distance(baseline: Counts, current: Counts) -> Distance | NotEnough:
    """
    The greatest difference of two shares of the same bin, from 0 to 1.

    Noise: each difference is nearly normal with variance p(1 - p)(1/n + 1/m), and the greatest of many is of
    the order of the k-th greatest deviation times sqrt(2 ln(2k)), for the k where that is most (van Handel,
    *On the spectral norm of Gaussian random matrices*, Trans. Amer. Math. Soc. 369, 2017). The differences
    sum to zero, so one of the k is not counted. The mean was 0.65 to 1.15 times this on 2 to 256 bins.

    :param baseline: The counts of the bins.
    :param current: The counts of the same bins.
    :raises ValueError: The numbers of bins differ.
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
) -> Distance | NotEnough:
    """
    The length of the difference of two mean vectors, in the unit of their components.

    Noise: the root of the expectation of its square, which is the variance times 1/n + 1/m.

    :param baseline: The mean of the baseline's vectors.
    :param current: The mean of the focal vectors.
    :param samples: How many vectors the focal side has.
    :param baseline_samples: How many vectors the baseline has.
    :param variance: The sum of the variances of the components.
    :raises ValueError: The means have different numbers of components.
    """
    missing = empty(samples, baseline_samples)
    if missing is not None:
        return missing
    noise = math.sqrt(variance) * math.sqrt(rate(samples, baseline_samples))
    return Distance(math.dist(baseline, current), noise, 0.0, samples, baseline_samples, len(baseline))


@dataclass(frozen=True)
class _Pair:
    """The shares of the bins that have values on either side, and their counts on both together."""

    p: Bounded
    q: Bounded
    totals: Floats
    baseline_samples: int
    samples: int

    @property
    def deviations(self) -> Floats:
        """The standard deviation of each difference of two shares without drift, from both sides together."""
        both = self.samples + self.baseline_samples
        pooled = (self.p.value * self.baseline_samples + self.q.value * self.samples) / both
        variances = np.maximum(0.0, pooled * (1 - pooled))
        return np.sqrt(variances * rate(self.samples, self.baseline_samples))

    def nearest(self) -> tuple[Floats, Floats]:
        """Shares as near to each other as they can be."""
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
    """The noise of a distance whose terms are nearly those of the chi-squared divergence times a number."""

    def noise(pair: _Pair) -> float:
        m, n, bins = pair.baseline_samples, pair.samples, len(pair.totals)

        def of_counts(one: Floats, other: Floats) -> Floats:
            return term(shares(one, m, bins), shares(other, n, bins))

        return total(expected_sum(of_counts, curvature, pair.totals, (m, n)))

    return noise


@dataclass(frozen=True)
class _Measure:
    """
    A distance that comes from a term for each bin.

    Every term is convex in both shares and zero where they are equal. So, of shares which are known only to
    lie between others, the greatest term is at one of the corners and the least where they are nearest.
    """

    term: Callable[[Floats, Floats], Floats]
    total: Callable[[Floats], float]
    noise: Callable[[_Pair], float]
    shares: _Shares = _plain
    widest: float = WIDEST_BOUND

    def between(self, baseline: Counts, current: Counts) -> Distance | NotEnough:
        pair = self._pair(_bounded(baseline), _bounded(current))
        if isinstance(pair, NotEnough):
            return pair
        value = self.total(self.term(pair.p.value, pair.q.value))
        bound = 0.0 if pair.p.exact and pair.q.exact else self._bound(pair, value)
        sizes = pair.samples, pair.baseline_samples, len(pair.p.value)
        return Distance(value, self.noise(pair), bound, *sizes, widest=self.widest)

    def _pair(self, baseline: Bounded, current: Bounded) -> _Pair | NotEnough:
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


def _hellinger(p: Floats, q: Floats) -> Floats:
    terms: Floats = np.square(np.sqrt(p) - np.sqrt(q)) / 2
    return terms


def _stability(p: Floats, q: Floats) -> Floats:
    return (q - p) * np.log(q / p)


def _jensen_shannon(p: Floats, q: Floats) -> Floats:
    terms = _relative_entropy(p, (p + q) / 2) + _relative_entropy(q, (p + q) / 2)
    return np.maximum(0.0, terms / (2 * math.log(2)))


def _relative_entropy(p: Floats, q: Floats) -> Floats:
    return p * np.log(np.divide(p, q, out=np.ones_like(p), where=p > 0))


def _root(terms: Floats | float) -> float:
    return min(1.0, math.sqrt(np.sum(terms)))
