"""Distances of many distributions to one baseline, in less time than one after the other."""

from __future__ import annotations

from typing import Final

import numpy as np

from aporia_provider.monitoring.drift.bin_terms import Term
from aporia_provider.monitoring.drift.distance_result import Distance
from aporia_provider.monitoring.drift.rebinning import Floats
from aporia_provider.monitoring.drift.sampling_noise import COUNTS, MANY

_LARGEST: Final = 1.0


def root_distances(term: Term, curvature: float, baseline: Floats, current: Floats) -> list[Distance]:
    """
    Return the distances of rows of counts to a baseline: roots of sums of terms, at most 1.

    The results equal those of :func:`~.bin_distances.js_distance` and
    :func:`~.bin_distances.hellinger_distance`, except for rounding.

    :param term: Function that returns the terms of bins from the proportions of both sides.
    :param curvature: See :func:`~.sampling_noise.expected_sum`.
    :param baseline: Counts of the bins of the baseline; at least one is positive.
    :param current: Counts of the same bins, a row for each distribution, each with at least one positive.
    """
    size, sizes = float(baseline.sum()), current.sum(axis=1)
    sums = term(np.broadcast_to(baseline / size, current.shape), current / sizes[:, None]).sum(axis=1)
    noise = _expected_sums(term, curvature, baseline, current)
    bins = ((baseline > 0) | (current > 0)).sum(axis=1)
    return [
        Distance(min(_LARGEST, value), min(_LARGEST, expected), 0.0, round(count), round(size), int(used))
        for value, expected, count, used in zip(
            np.sqrt(sums).tolist(), np.sqrt(noise).tolist(), sizes.tolist(), bins.tolist(), strict=True
        )
    ]


def _expected_sums(term: Term, curvature: float, baseline: Floats, current: Floats) -> Floats:
    """Return the expected sums of terms without drift, as :func:`~.sampling_noise.expected_sum` does."""
    m, n = float(baseline.sum()), current.sum(axis=1)
    both, totals = m + n, baseline + current
    share = np.minimum(m, n) / both
    remaining = both[:, None] - totals
    few = totals * share[:, None] < MANY
    near: Floats = curvature * (1 / m + 1 / n) * np.where(few, 0.0, remaining).sum(axis=1) / both
    rows, places = np.nonzero(few & (totals > 0))
    if not len(rows):
        return near
    pairs = np.stack([rows.astype(np.float64), np.rint(totals[rows, places])])
    (row, total), inverse = np.unique(pairs, axis=1, return_inverse=True)
    chosen = row.astype(np.intp)
    means = _means(term, total, share[chosen], m, n[chosen])
    spread = remaining[rows, places] / (both[rows] - 1)
    sums: Floats = near + np.bincount(rows, spread * means[inverse.ravel()], len(n))
    return sums


def _means(term: Term, totals: Floats, share: Floats, m: float, n: Floats) -> Floats:
    """Return the mean terms of bins with few values over the binomial distribution."""
    counts = COUNTS[: int(totals.max()) + 1]
    greater = np.maximum(totals[:, None] - counts, 0.0)
    smaller = np.broadcast_to(counts, greater.shape)
    is_first = (n <= m)[:, None]
    terms = term(np.where(is_first, greater, smaller) / m, np.where(is_first, smaller, greater) / n[:, None])
    ratios = np.maximum(totals[:, None] - counts[:-1], 0.0) / counts[1:] * (share / (1 - share))[:, None]
    first = np.exp(totals * np.log1p(-share))
    probabilities = first[:, None] * np.cumprod(np.insert(ratios, 0, 1.0, axis=1), axis=1)
    means: Floats = (probabilities * terms).sum(axis=1)
    return means
