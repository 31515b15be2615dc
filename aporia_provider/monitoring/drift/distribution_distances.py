"""Distances between the distribution functions of numeric fields, which depend on the order of the bins."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from aporia_provider.monitoring.drift.distance_result import Distance, InsufficientData, empty, rate
from aporia_provider.monitoring.drift.rebinning import (
    Bounded,
    Floats,
    NumericHistogram,
    common_edges,
    counts_below,
    tail_areas,
    tail_steps,
)

_KOLMOGOROV_MEAN = math.sqrt(math.pi / 2) * math.log(2)
_TRIMMED = 0.001
_LEAST_SCALE = 1e-6


def ks_distance(baseline: NumericHistogram, current: NumericHistogram) -> Distance | InsufficientData:
    """
    Return the Kolmogorov-Smirnov distance: the maximum difference of the distribution functions, from 0 to 1.

    It is computed at the edges, so the distance of the values themselves is at least this, and at most this
    plus the bound: if one function exceeds the other by ``d`` at the start of a bin, and its proportion in
    the bin is ``p``, the difference inside the bin is at most ``d + p``. This does not apply to bins of a
    single value. Noise: the mean of the Kolmogorov distribution, sqrt(pi/2) ln(2) sqrt(1/n + 1/m) (Marsaglia,
    Tsang and Wang, *Evaluating Kolmogorov's distribution*, J. Stat. Softw. 8, 2003); less if there are ties.

    :param baseline: Histogram of the baseline.
    :param current: Histogram of the current data, in the same or other bins.
    """
    missing = empty(current.samples, baseline.samples)
    if missing is not None:
        return missing
    pair = _Functions.of(baseline, current, common_edges(baseline, current))
    f, g = pair.f, pair.g
    value = float(np.abs(f.value - g.value).max())
    least = float(np.maximum(f.low - g.high, g.low - f.high).max())
    bound = max(0.0, _greatest_apart(pair) - value, value - max(0.0, least))
    noise = min(1.0, _KOLMOGOROV_MEAN * math.sqrt(rate(current.samples, baseline.samples)))
    return Distance(value, noise, bound, current.samples, baseline.samples, pair.bins)


def wasserstein_distance(
    baseline: NumericHistogram, current: NumericHistogram, *, margin: float | None = None
) -> Distance | InsufficientData:
    """
    Return the first Wasserstein distance: the area between the distribution functions, in the unit of the
    field.

    The functions are assumed to be linear inside a bin, and to have a step at the mean of the values beyond
    each outer edge; the bound is the maximum error of this assumption. Vallender, *Calculation of the
    Wasserstein distance between probability distributions on the line*, Theory Probab. Appl. 18, 1974. Noise:
    sqrt(2/pi) sqrt(1/n + 1/m) times the integral of sqrt(F(1 - F)) of both sides pooled, from del Barrio,
    Giné and Matrán, *Central limit theorems for the Wasserstein distance*, Ann. Probab. 27, 1999.

    :param baseline: Histogram of the baseline.
    :param current: Histogram of the current data, in the same or other bins.
    :param margin: If given, the distance is trimmed, so that an outlier does not dominate it: values more
        than ``margin`` outside the baseline's 0.1 % and 99.9 % quantiles (the nearest edges with at least
        that proportion outside) are moved to that limit. With a margin of zero, changes of a constant are not
        detected.
    """
    missing = empty(current.samples, baseline.samples)
    if missing is not None:
        return missing
    areas = _whole(baseline, current) if margin is None else [_trimmed(baseline, current, margin)]
    value, least, greatest, spread = (math.fsum(values) for values in zip(*areas, strict=True))
    noise = math.sqrt(2 / math.pi * rate(current.samples, baseline.samples)) * spread
    bound = max(0.0, greatest - value, value - least)
    bins = _Functions.of(baseline, current, common_edges(baseline, current)).bins
    return Distance(value, noise, bound, current.samples, baseline.samples, bins)


def scale(baseline: NumericHistogram, deviation: float) -> float:
    """
    Return the unit of the normalised Wasserstein distance: the baseline's standard deviation.

    The standard deviation of a constant field is zero. The unit is then a millionth of the constant's
    magnitude, so that differences caused by rounding are small; or 1 if the constant is zero.

    :param baseline: Histogram of the baseline.
    :param deviation: Population standard deviation of the baseline, in the unit of the field.
    """
    if deviation > 0:
        return deviation
    edges = baseline.bins.edges
    unit = _LEAST_SCALE * max(abs(edges[0]), abs(edges[-1]))
    return unit if unit >= np.finfo(float).tiny else 1.0


@dataclass(frozen=True)
class _Functions:
    """Two distribution functions at the same edges."""

    edges: Floats
    f: Bounded
    g: Bounded
    baseline_samples: int
    samples: int

    @classmethod
    def of(cls, baseline: NumericHistogram, current: NumericHistogram, edges: Floats) -> Self:
        f, g = _shares_below(baseline, edges), _shares_below(current, edges)
        return cls(edges, f, g, baseline.samples, current.samples)

    def pooled(self, f: Floats, g: Floats) -> Floats:
        """Return the mean of a quantity over both sides, weighted by their numbers of values."""
        m, n = self.baseline_samples, self.samples
        return (f * m + g * n) / (m + n)

    @property
    def single(self) -> NDArray[np.bool_]:
        """Whether each bin between two edges contains a single value: no float lies between its edges."""
        return self.edges[1:] <= np.nextafter(self.edges[:-1], np.inf)

    @property
    def bins(self) -> int:
        """Number of bins with values on either side."""
        f, g = (np.diff(side.value, prepend=0.0, append=1.0) for side in (self.f, self.g))
        return int(np.count_nonzero((f > 0) | (g > 0)))


def _shares_below(histogram: NumericHistogram, edges: Floats) -> Bounded:
    return counts_below(histogram, edges).map(lambda counts: counts / histogram.samples)


def _greatest_apart(pair: _Functions) -> float:
    """Return the maximum possible difference of the functions."""
    (f_low, f_high), (g_low, g_high) = (
        (np.concatenate([[0.0], side.low, [1.0]]), np.concatenate([[0.0], side.high, [1.0]]))
        for side in (pair.f, pair.g)
    )
    # In a bin of a single value, both functions reach their end value at the start.
    single = np.concatenate([[False], pair.single, [False]])
    f_before, g_before = (np.where(single, low[1:], low[:-1]) for low in (f_low, g_low))
    return float(np.maximum(f_high[1:] - g_before, g_high[1:] - f_before).max())


class _Area(NamedTuple):
    """Area between two functions: estimate, minimum and maximum; and the integral for its noise."""

    value: float
    least: float
    greatest: float
    spread: float


def _inner_area(pair: _Functions) -> _Area:
    """Return the area between the first and the last edge."""
    width, (f, f_end), (g, g_end) = np.diff(pair.edges), _ends(pair, pair.f), _ends(pair, pair.g)
    least = np.maximum(f.low - g_end.high, g.low - f_end.high)
    greatest = np.maximum(f_end.high - g.low, g_end.high - f.low)
    heights = (
        _mean_height(f.value - g.value, f_end.value - g_end.value),
        np.maximum(0.0, least),
        greatest,
        _mean_deviation(pair.pooled(f.value, g.value), pair.pooled(f_end.value, g_end.value)),
    )
    return _Area(*(float((width * height).sum()) for height in heights))


def _ends(pair: _Functions, side: Bounded) -> tuple[Bounded, Bounded]:
    """Return the values of a distribution function just after the start and at the end of each inner bin."""
    ends = side.map(lambda shares: shares[1:])
    # In a bin of a single value, the function reaches its end value right after the start.
    starts = (np.where(pair.single, values[1:], values[:-1]) for values in (side.value, side.low, side.high))
    return Bounded(*starts), ends


def _mean_height(one: Floats, other: Floats) -> Floats:
    """Return the mean absolute value of linear functions from their values at both ends."""
    crossing = one * other < 0
    one, other = np.abs(one), np.abs(other)
    both = one + other
    return np.where(crossing, (one**2 + other**2) / np.where(crossing, both, 1.0), both) / 2


def _mean_deviation(one: Floats, other: Floats) -> Floats:
    """Return the mean of sqrt(F(1 - F)) for F between two proportions, by Simpson's rule."""
    one, middle, other = (np.clip(share, 0.0, 1.0) for share in (one, (one + other) / 2, other))
    first, middles, last = (np.sqrt(share * (1 - share)) for share in (one, middle, other))
    mean: Floats = (first + 4 * middles + last) / 6
    return mean


def _tail_area(pair: _Functions, f: tuple[float, Bounded], g: tuple[float, Bounded]) -> _Area:
    """Return the area beyond an outer edge from the proportion and the integral of each side there."""
    (p, of_f), (q, of_g) = f, g
    least = max(0.0, float(of_f.low - of_g.high), float(of_g.low - of_f.high))
    greatest = float(of_f.high + of_g.high)
    near, far = sorted([(_reach(p, float(of_f.value)), p), (_reach(q, float(of_g.value)), q)])
    value = abs(p - q) * near[0] + far[1] * (far[0] - near[0])
    share, integral = float(pair.pooled(np.array(p), np.array(q))), float(pair.pooled(of_f.value, of_g.value))
    spread = math.sqrt(share * (1 - share)) * _reach(share, integral)
    return _Area(min(max(value, least), greatest), least, greatest, spread)


def _reach(share: float, integral: float) -> float:
    return integral / share if share > 0 else 0.0


def _whole(baseline: NumericHistogram, current: NumericHistogram) -> list[_Area]:
    pair = _Functions.of(baseline, current, common_edges(baseline, current))
    outer = float(pair.edges[0]), float(pair.edges[-1])
    (f_below, f_above), (g_below, g_above) = tail_areas(baseline, *outer), tail_areas(current, *outer)
    f, g = pair.f.value, pair.g.value
    return [
        _tail_area(pair, (float(f[0]), f_below), (float(g[0]), g_below)),
        _inner_area(pair),
        _tail_area(pair, (1 - float(f[-1]), f_above), (1 - float(g[-1]), g_above)),
    ]


def _trimmed(baseline: NumericHistogram, current: NumericHistogram, margin: float) -> _Area:
    low, high = _middle(baseline)
    ends = np.array([low - margin, high + margin])
    steps = [*tail_steps(baseline), *tail_steps(current)]
    edges = np.concatenate([ends, common_edges(baseline, current), steps])
    return _inner_area(_Functions.of(baseline, current, np.unique(np.clip(edges, *ends))))


def _middle(baseline: NumericHistogram) -> tuple[float, float]:
    """Return the edges nearest to the 0.1 % and 99.9 % quantiles with at least that proportion outside."""
    edges = np.array(baseline.bins.edges)
    share = _shares_below(baseline, edges).value
    # The proportion outside a quantile of m values is up to 1/m less than its level.
    outside = _TRIMMED * (1 - 1 / baseline.samples) * (1 - 1e-9)
    low, high = edges[share >= outside], edges[1 - share >= outside]
    ends = float(low[0] if low.size else edges[-1]), float(high[-1] if high.size else edges[0])
    # If one bin contains nearly all values, the two are its edges in reverse order.
    return min(ends), max(ends)
