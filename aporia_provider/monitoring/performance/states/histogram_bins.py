"""Bins of scores, and the position of thresholds in them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from aporia_provider.errors import ValidationError


@dataclass(frozen=True)
class Place:
    """
    Position of a threshold in the bins.

    :param first: First bin at or above the edge used for the threshold.
    :param split: Bin that contains the threshold; None if it is on an edge.
    :param edge: Edge used for the threshold: the nearest one.
    """

    first: int
    split: int | None
    edge: float


@dataclass(frozen=True, eq=False)
class HistogramBins:
    """
    Bins of scores.

    There is one bin below the first edge, one from each edge to the next, one of scores equal to the last
    edge, and one above it. The bin of the last edge makes ``score >= threshold`` exact there as well.

    :param edges: Edges in ascending order.
    :param even: Whether all bins have equal width.
    """

    edges: NDArray[np.float64]
    even: bool

    @property
    def count(self) -> int:
        """Number of bins."""
        return len(self.edges) + 2

    @property
    def _lower(self) -> NDArray[np.float64]:
        return np.concatenate(([-np.inf], self.edges, [np.nextafter(self.edges[-1], np.inf), np.inf]))

    @property
    def single(self) -> list[bool]:
        """Whether each bin can contain only one distinct score."""
        lower = self._lower
        single: list[bool] = (np.nextafter(lower[:-1], np.inf) >= lower[1:]).tolist()
        return single

    def near(self, counts: NDArray[np.int64]) -> dict[int, float]:
        """Return the edges of the bins that have rows, by index."""
        used = np.flatnonzero(counts)
        indices = np.unique(np.concatenate([used - 1, used]))
        indices = indices[(indices >= 0) & (indices < len(self.edges))]
        return dict(zip(indices.tolist(), self.edges[indices].tolist(), strict=True))

    def indices(self, scores: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the index of the bin of each score; scores must be finite."""
        lower = self._lower
        if not self.even:
            return np.asarray(np.searchsorted(lower[1:-1], scores, side="right"), dtype=np.int64)
        low, high = self.edges[0], self.edges[-1]
        with np.errstate(over="ignore"):
            steps = np.floor((scores - low) * ((len(self.edges) - 1) / (high - low)))
        guess: NDArray[np.int64] = (np.clip(steps, -1, self.count - 2) + 1).astype(np.int64)
        # Rounding may result in the adjacent bin, which a comparison with the edges corrects.
        guess -= scores < lower[guess]
        return np.asarray(guess + (scores >= lower[guess + 1]), dtype=np.int64)

    def counts(self, scores: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the number of scores in each bin; scores must be finite."""
        ends = np.sort(scores).searchsorted(self._lower[1:-1])
        return np.diff(ends, prepend=0, append=len(scores))

    def place(self, threshold: float) -> Place:
        """
        Return the position of a threshold.

        :raises aporia_provider.errors.ValidationError: if the threshold is outside the edges.
        """
        low, high = float(self.edges[0]), float(self.edges[-1])
        if not low <= threshold <= high:
            raise ValidationError(f"The threshold must be from {low:g} to {high:g}, not {threshold:g}")
        split = int(np.searchsorted(self.edges, threshold, side="right"))
        below = float(self.edges[split - 1])
        if below == threshold:
            return Place(split, None, below)
        above = float(self.edges[split])
        if threshold - below <= above - threshold:
            return Place(split, split, below)
        return Place(split + 1, split, above)


def equal_width_bins(low: float, high: float, bins: int) -> HistogramBins:
    """Return bins of equal width. From 0 to 1, edge ``k`` is the float nearest to ``k / bins``."""
    edges = np.arange(bins + 1) * (high - low) / bins + low
    edges[-1] = high
    return HistogramBins(edges, even=True)


def histogram_bins(edges: Sequence[float], bins: int) -> HistogramBins:
    """Return the bins with the given edges; two edges are the range of ``bins`` bins of equal width."""
    low, high = float(edges[0]), float(edges[-1])
    # A range that is too wide or too narrow for bins of equal width has only the given edges.
    if (
        len(edges) == 2
        and math.isfinite((high - low) * bins)
        and (high - low) / bins > abs(high + low) * 1e-12
    ):
        return equal_width_bins(low, high, bins)
    return HistogramBins(np.asarray(edges, dtype=np.float64), even=False)


def nonempty_bins(
    edges: Mapping[int, float], low: float, high: float, count: int
) -> tuple[HistogramBins, list[int | None]]:
    """
    Return the bins that have rows, with adjacent empty bins merged.

    :param edges: Result of :meth:`HistogramBins.near`.
    :param low: First edge of all bins.
    :param high: Last edge of all bins.
    :param count: Number of all bins; 0 if there are no rows.
    :return: The bins, and for each its index among all bins; None if it is empty.
    """
    edges_by_index = {0: low, **edges, max(count - 3, 1): high}
    indices = sorted(edges_by_index)
    inner = (one + 1 if other == one + 1 else None for one, other in pairwise(indices))
    bins = HistogramBins(np.array([edges_by_index[index] for index in indices]), even=False)
    return bins, [0, *inner, indices[-1] + 1, indices[-1] + 2]
