"""Expected values of bin distances without drift, including bins with few values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from aporia_provider.monitoring.drift.distance_result import rate
from aporia_provider.monitoring.drift.rebinning import Floats

MANY: Final = 32  # Expected count of a bin on the smaller side, from which on the curvature is used.
COUNTS: Final = np.arange(128.0)  # Greater counts are practically impossible if their mean is below MANY.


def expected_sum(
    term: Callable[[Floats, Floats], Floats], curvature: float, totals: Floats, sizes: tuple[int, int]
) -> float:
    """
    Return the expected sum of the terms of a distance for two samples of the same distribution.

    Without drift, and given the total count of a bin, the count of one sample is hypergeometric. If a bin has
    many values on the smaller side, a term is approximately its curvature times the term of the chi-squared
    divergence, whose expected sum is (B - 1)(1/n + 1/m) for B bins. Otherwise, it is the mean of the term
    over the binomial distribution, times the ratio of the variances of the two distributions.

    :param term: Function that returns the terms of bins from the baseline's counts and the current counts.
    :param curvature: Limit of a term divided by the term of the chi-squared divergence, as the sides become
        equal.
    :param totals: Counts of the bins on both sides together.
    :param sizes: Number of values in the baseline, and of current values.
    """
    baseline, current = sizes
    both = baseline + current
    share, remaining = min(sizes) / both, both - totals
    few = totals * share < MANY
    near = curvature * rate(current, baseline) * float(remaining[~few].sum()) / both
    distinct_totals, positions = np.unique(np.rint(totals[few]), return_inverse=True)
    greater = np.maximum(distinct_totals[:, None] - COUNTS, 0.0)
    smaller = np.broadcast_to(COUNTS, greater.shape)
    terms = term(greater, smaller) if current <= baseline else term(smaller, greater)
    means = (_binomial(distinct_totals, share) * terms).sum(axis=1)
    spread = np.bincount(positions, remaining[few], len(distinct_totals)) / (both - 1)
    return near + float((spread * means).sum())


def _binomial(sizes: Floats, share: float) -> Floats:
    """Return the binomial probabilities of counts, one row for each size; ``share`` is at most one half."""
    ratios = np.maximum(sizes[:, None] - COUNTS[:-1], 0.0) / COUNTS[1:] * (share / (1 - share))
    first = np.exp(sizes * math.log1p(-share))
    probabilities: Floats = first[:, None] * np.cumprod(np.insert(ratios, 0, 1.0, axis=1), axis=1)
    return probabilities
