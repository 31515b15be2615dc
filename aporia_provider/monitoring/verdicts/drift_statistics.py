"""Statistics of the drift of a field in each bucket, in relation to its own past."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from aporia_provider.monitoring.verdicts.seasonal_past import (
    REFERENCE_BUCKETS,
    Flags,
    Floats,
    Integers,
    median_buckets,
    past_medians,
)

_FEWEST_FOR_MEDIAN: Final = 3
_LEAST_MEDIAN: Final = 1.0  # Expected statistic with one degree of freedom.


@dataclass(frozen=True)
class DriftStatistics:
    """
    Statistics of one field; one element for each bucket, NaN where it cannot be computed.

    :param chi_squared: Freeman-Tukey statistic of the bucket and its reference.
    :param ratio: ``chi_squared`` divided by its median in the buckets before.
    :param effect: Squared distance minus its expected value without drift; zero if it is less.
    :param noise: Expected squared distance if both are samples of the same distribution, for one degree of
        freedom.
    :param degrees: Degrees of freedom of ``chi_squared`` without drift.
    """

    chi_squared: Floats
    ratio: Floats
    effect: Floats
    noise: Floats
    degrees: Integers


def drift_statistics(counts: Integers, codes: Integers, included: Flags) -> DriftStatistics:
    """
    Return the statistics of all buckets, each in relation to those before it.

    :param counts: Counts, one row for each bucket, one column for each bin.
    :param codes: Season of each bucket.
    :param included: Which buckets may be in the reference and the median of later ones.
    """
    references = _references(counts, codes, included)
    chi_squared, noise, degrees = _compared(counts, references)
    medians = np.maximum(
        past_medians(chi_squared, included, median_buckets(codes), _FEWEST_FOR_MEDIAN), _LEAST_MEDIAN
    )
    effect = np.maximum(chi_squared - degrees, 0.0) * noise
    return DriftStatistics(chi_squared, chi_squared / medians, effect, noise, degrees)


def _references(counts: Integers, codes: Integers, included: Flags) -> Integers:
    """Return the sums of the last included buckets of the same season before each bucket."""
    order = np.argsort(codes, kind="stable")
    ordered, taken = codes[order], included[order]
    totals = np.zeros((len(counts) + 1, counts.shape[1]), dtype=np.int64)
    kept = order[taken]
    totals[1 : len(kept) + 1] = np.cumsum(counts[kept], axis=0)
    before: Integers = np.cumsum(taken) - taken
    season_start: Integers = before[np.searchsorted(ordered, ordered, side="left")]
    references = np.empty_like(counts)
    references[order] = totals[before] - totals[np.maximum(season_start, before - REFERENCE_BUCKETS)]
    return references


def _compared(counts: Integers, references: Integers) -> tuple[Floats, Floats, Integers]:
    sizes, others = counts.sum(axis=1), references.sum(axis=1)
    comparable = (sizes > 0) & (others > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        roots = np.sqrt(counts / sizes[:, None]) - np.sqrt(references / others[:, None])
        noise = np.where(comparable, 1 / sizes + 1 / others, np.nan)
    chi_squared = np.where(comparable, 4 * (roots**2).sum(axis=1) / noise, np.nan)
    degrees = np.maximum(((counts + references) > 0).sum(axis=1) - 1, 0)
    return chi_squared, noise, degrees
