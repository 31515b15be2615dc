"""Histograms of a categorical field, brought to the same categories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from aporia_provider.monitoring.grid import CategoryGrid
from aporia_provider.monitoring.rebinning import Floats

_MOST_CATEGORIES = 512


@dataclass(frozen=True)
class CategoryHistogram:
    """
    What a categorical field's state says about the distribution of its values.

    :param counts: How often each category occurs.
    :param unlisted: How many values have a category that was not counted by itself.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    unlisted: int = 0


def aligned(baseline: CategoryHistogram, current: CategoryHistogram) -> tuple[Floats, Floats]:
    """
    The counts of two sides for the same categories.

    If all are known, and there are at most 512, each is one by itself. Otherwise the baseline's 256 most
    frequent are, and there are two besides: the baseline's others, and what the baseline lacks. Where that
    cannot be told apart, because not all of the baseline's are known, both are one.

    :param baseline: The baseline's histogram.
    :param current: The focal histogram.
    """
    known = {category for category, count in baseline.counts.items() if count > 0}
    categories = sorted(known.union(current.counts))
    if baseline.unlisted or current.unlisted or len(categories) > _MOST_CATEGORIES:
        return _pooled(baseline, current, known)
    return _vector([baseline.counts.get(category, 0) for category in categories]), _vector(
        [current.counts.get(category, 0) for category in categories]
    )


def _pooled(
    baseline: CategoryHistogram, current: CategoryHistogram, known: set[str]
) -> tuple[Floats, Floats]:
    grid = CategoryGrid.of(baseline.counts)
    *most, rest = grid.counts(baseline.counts)
    *same, other = grid.counts(current.counts)
    other += current.unlisted
    new = 0
    if not baseline.unlisted:
        new = sum(count for category, count in current.counts.items() if category not in known)
        new += current.unlisted
    return _vector([*most, rest + baseline.unlisted, 0]), _vector([*same, other - new, new])


def _vector(counts: list[int]) -> Floats:
    return np.array(counts, dtype=np.float64)
