"""What a distance of bins is to be expected to be without drift, also where a bin has few values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from aporia_provider.monitoring.drift.distance_result import rate
from aporia_provider.monitoring.drift.rebinning import Floats

_MANY: Final = 32  # Values of the smaller side in a bin from which on the curvature of a term suffices.
_COUNTS: Final = np.arange(128.0)  # What a count with a mean of less than that can be.


def expected_sum(
    term: Callable[[Floats, Floats], Floats], curvature: float, totals: Floats, sizes: tuple[int, int]
) -> float:
    """
    The sum of the terms of a distance to be expected of two samples of one distribution.

    Without drift, a count of one sample is hypergeometric given that of both samples together. Where a bin
    has many values on the smaller side, a term is near its curvature times that of the chi-squared
    divergence, which has the sum (B - 1)(1/n + 1/m) for B bins. Elsewhere it is the mean of the term over the
    binomial distribution, times the ratio of the variances of both distributions.

    :param term: The terms of bins, from the baseline's counts and the current ones.
    :param curvature: What a term is in terms of that of the chi-squared divergence where both sides are near.
    :param totals: The counts of the bins on both sides together.
    :param sizes: How many values the baseline has, and how many the current side has.
    """
    baseline, current = sizes
    both = baseline + current
    share, others = min(sizes) / both, both - totals
    few = totals * share < _MANY
    near = curvature * rate(current, baseline) * float(others[~few].sum()) / both
    known, places = np.unique(np.rint(totals[few]), return_inverse=True)
    greater = np.maximum(known[:, None] - _COUNTS, 0.0)
    smaller = np.broadcast_to(_COUNTS, greater.shape)
    terms = term(greater, smaller) if current <= baseline else term(smaller, greater)
    means = (_binomial(known, share) * terms).sum(axis=1)
    spread = np.bincount(places, others[few], len(known)) / (both - 1)
    return near + float((spread * means).sum())


def _binomial(sizes: Floats, share: float) -> Floats:
    """The probabilities of counts, one row for each size; the share is at most one half."""
    ratios = np.maximum(sizes[:, None] - _COUNTS[:-1], 0.0) / _COUNTS[1:] * (share / (1 - share))
    first = np.exp(sizes * math.log1p(-share))
    found: Floats = first[:, None] * np.cumprod(np.insert(ratios, 0, 1.0, axis=1), axis=1)
    return found
