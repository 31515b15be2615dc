"""The bins of a field, and which of them a distance is due to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from aporia_provider.monitoring.drift.bin_terms import TERMS, contributions
from aporia_provider.monitoring.drift.compared_bins import ComparedBins
from aporia_provider.monitoring.drift.field_drift import ComparedState

MOST_CATEGORIES: Final = 40
"""Maximum number of categories that are shown one by one."""
_SORTED_BY: Final = "js_distance"


@dataclass(frozen=True)
class BinLine:
    """
    A bin on both sides.

    :param name: A category, or an interval of numbers.
    :param baseline: Number of values of the baseline.
    :param current: Number of values of the current data.
    :param baseline_share: The same as a share of the values of the baseline.
    :param current_share: The same as a share of the current values.
    :param contributions: Share of the bin in distances by name; of the Jensen-Shannon and the Hellinger
        distance, in their squares.
    :param low: Lower end of an interval; None if it is unbounded, or for a category.
    :param high: Upper end of an interval.
    :param members: Number of bins that are shown together as this one.
    """

    name: str
    baseline: float
    current: float
    baseline_share: float
    current_share: float
    contributions: Mapping[str, float] = field(default_factory=dict)
    low: float | None = None
    high: float | None = None
    members: int = 1


def bin_lines(baseline: ComparedState, current: ComparedState) -> tuple[tuple[BinLine, ...], tuple[str, ...]]:
    """
    Return the bins of a field and notes on them.

    Intervals of numbers are ordered. Categories are ordered by their contribution to the Jensen-Shannon
    distance; those without a name, and those after the first :data:`MOST_CATEGORIES`, are shown together.

    :param baseline: The baseline.
    :param current: The current data.
    :return: No bins if a side has no values, or the field has none.
    """
    bins = ComparedBins.of(baseline, current)
    if bins is None:
        return (), ()
    shares = {name: contributions(name, bins.baseline, bins.current) for name in TERMS}
    every = [_line(bins, shares, [index], name or "") for index, name in enumerate(bins.names)]
    notes = (bins.note,) if bins.note else ()
    if bins.ends:
        return tuple(every), notes
    order = np.argsort(-shares[_SORTED_BY], kind="stable").tolist()
    named = [index for index in order if bins.names[index] is not None]
    shown, chosen = [every[index] for index in named[:MOST_CATEGORIES]], set(named[:MOST_CATEGORIES])
    others = [index for index in order if index not in chosen]
    if others:
        shown.append(_line(bins, shares, others, "other values"))
    return tuple(shown), notes


def _line(bins: ComparedBins, shares: Mapping[str, np.ndarray], indices: list[int], name: str) -> BinLine:
    baseline, current = float(bins.baseline[indices].sum()), float(bins.current[indices].sum())
    low, high = bins.ends[indices[0]] if bins.ends else (-np.inf, np.inf)
    return BinLine(
        name,
        baseline,
        current,
        baseline / float(bins.baseline.sum()),
        current / float(bins.current.sum()),
        {distance: float(share[indices].sum()) for distance, share in shares.items()},
        float(low) if np.isfinite(low) else None,
        float(high) if np.isfinite(high) else None,
        len(indices),
    )
