"""Distances of two distribution functions, for numeric fields: it matters how far apart the bins are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from aporia_provider.monitoring.drift.distance_result import Distance, NotEnough, empty, rate
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


def ks_distance(baseline: NumericHistogram, current: NumericHistogram) -> Distance | NotEnough:
    """
    The Kolmogorov-Smirnov distance: the greatest difference of the distribution functions, from 0 to 1.

    It is taken at the edges, so the distance of the values themselves is never less, and is greater by the
    bound at most: where one function is at ``d`` above the other when a bin begins, and gains ``p`` in it
    before the other gains anything, they are ``d + p`` apart. In the bin of a single value that cannot be.

    Noise: the mean of the Kolmogorov distribution, sqrt(pi/2) ln(2) sqrt(1/n + 1/m) (Marsaglia, Tsang and
    Wang, *Evaluating Kolmogorov's distribution*, J. Stat. Softw. 8, 2003); less if there are ties.

    :param baseline: The baseline's histogram.
    :param current: The focal histogram, on the same grid or on another.
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
) -> Distance | NotEnough:
    """
    The first Wasserstein distance: the area between the distribution functions, in the unit of the field.

    Inside a bin the functions are taken to be straight lines, and beyond the edges to step at the mean of
    what lies there; the bound says how far from this the values can be. Vallender, *Calculation of the
    Wasserstein distance between probability distributions on the line*, Theory Probab. Appl. 18, 1974.

    Noise: sqrt(2/pi) sqrt(1/n + 1/m) times the integral of sqrt(F(1 - F)) of both sides together, from del
    Barrio, Giné and Matrán, *Central limit theorems for the Wasserstein distance*, Ann. Probab. 27, 1999.

    :param baseline: The baseline's histogram.
    :param current: The focal histogram, on the same grid or on another.
    :param margin: If given, the distance is trimmed, so that one outlier does not outweigh all else: values
        farther than this outside the baseline's 0.1 % and 99.9 % quantiles (the nearest edges that have
        as much of it outside) are taken as being there. With a margin of zero nothing is seen of what
        leaves a constant.
    """
    missing = empty(current.samples, baseline.samples)
    if missing is not None:
        return missing
    areas = _whole(baseline, current) if margin is None else [_trimmed(baseline, current, margin)]
    value, least, greatest, spread = (math.fsum(parts) for parts in zip(*areas, strict=True))
    noise = math.sqrt(2 / math.pi * rate(current.samples, baseline.samples)) * spread
    bound = max(0.0, greatest - value, value - least)
    bins = _Functions.of(baseline, current, common_edges(baseline, current)).bins
    return Distance(value, noise, bound, current.samples, baseline.samples, bins)


def scale(baseline: NumericHistogram, deviation: float) -> float:
    """
    The unit of the normalised Wasserstein distance: the baseline's standard deviation.

    A constant field has none, and the distance needs a unit: it is a millionth of the constant's magnitude,
    so that values which differ by rounding only are near; 1 if the constant is zero.

    :param baseline: The baseline's histogram.
    :param deviation: Its population standard deviation, in the unit of the field.
    """
    if deviation > 0:
        return deviation
    edges = baseline.grid.edges
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
        """The same quantity of both sides together."""
        m, n = self.baseline_samples, self.samples
        return (f * m + g * n) / (m + n)

    @property
    def single(self) -> NDArray[np.bool_]:
        """Which bins between two edges are those of a single value: no float is between the edges."""
        return self.edges[1:] <= np.nextafter(self.edges[:-1], np.inf)

    @property
    def bins(self) -> int:
        """How many bins have values on either side."""
        f, g = (np.diff(side.value, prepend=0.0, append=1.0) for side in (self.f, self.g))
        return int(np.count_nonzero((f > 0) | (g > 0)))


def _shares_below(histogram: NumericHistogram, edges: Floats) -> Bounded:
    return counts_below(histogram, edges).map(lambda counts: counts / histogram.samples)


def _greatest_apart(pair: _Functions) -> float:
    """How far apart the functions can be anywhere."""
    (f_low, f_high), (g_low, g_high) = (
        (np.concatenate([[0.0], side.low, [1.0]]), np.concatenate([[0.0], side.high, [1.0]]))
        for side in (pair.f, pair.g)
    )
    # The bin of a single value begins where it ends: both functions have gained all they gain.
    single = np.concatenate([[False], pair.single, [False]])
    f_before, g_before = (np.where(single, low[1:], low[:-1]) for low in (f_low, g_low))
    return float(np.maximum(f_high[1:] - g_before, g_high[1:] - f_before).max())


class _Area(NamedTuple):
    """An area between two functions: estimated, at least, at most; and the integral that makes its noise."""

    value: float
    least: float
    greatest: float
    spread: float


def _inner_area(pair: _Functions) -> _Area:
    """The area from the first edge to the last."""
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
    """A function after the start of each bin between two edges, and at its end."""
    ends = side.map(lambda shares: shares[1:])
    # In the bin of a single value it has gained all it gains after the start.
    starts = (np.where(pair.single, part[1:], part[:-1]) for part in (side.value, side.low, side.high))
    return Bounded(*starts), ends


def _mean_height(one: Floats, other: Floats) -> Floats:
    """The mean of the absolute value of straight lines from each difference to another."""
    crossing = one * other < 0
    one, other = np.abs(one), np.abs(other)
    both = one + other
    return np.where(crossing, (one**2 + other**2) / np.where(crossing, both, 1.0), both) / 2


def _mean_deviation(one: Floats, other: Floats) -> Floats:
    """The mean of sqrt(F(1 - F)) between each share and another, by Simpson's rule."""
    one, middle, other = (np.clip(share, 0.0, 1.0) for share in (one, (one + other) / 2, other))
    first, middles, last = (np.sqrt(share * (1 - share)) for share in (one, middle, other))
    mean: Floats = (first + 4 * middles + last) / 6
    return mean


def _tail_area(pair: _Functions, f: tuple[float, Bounded], g: tuple[float, Bounded]) -> _Area:
    """The area beyond an outer edge, from each side's share and integral there."""
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
    """The quantiles at a thousandth from either end: edges that have as much outside."""
    edges = np.array(baseline.grid.edges)
    share = _shares_below(baseline, edges).value
    # The quantile of m values has up to 1/m less outside than its level says.
    outside = _TRIMMED * (1 - 1 / baseline.samples) * (1 - 1e-9)
    low, high = edges[share >= outside], edges[1 - share >= outside]
    ends = float(low[0] if low.size else edges[-1]), float(high[-1] if high.size else edges[0])
    # One bin may hold nearly all of it: they are its edges, the wrong way round.
    return min(ends), max(ends)
