"""Bins of scores, and the thresholds they can answer."""

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
    Where a threshold is.

    :param first: The first bin at or above it, or above the edge that is nearest to it.
    :param split: The bin it falls into, if it is on no edge.
    :param edge: The edge that answers for it.
    """

    first: int
    split: int | None
    edge: float


@dataclass(frozen=True, eq=False)
class Grid:
    """
    Bins: one below the least edge, one from each edge to the next, one of scores equal to the greatest, and
    one above. The bin of the greatest edge makes ``score >= threshold`` exact there too.

    :param edges: In rising order.
    :param even: Whether all bins are of one width.
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
        """By bin: whether no two different scores are in it."""
        lower = self._lower
        single: list[bool] = (np.nextafter(lower[:-1], np.inf) >= lower[1:]).tolist()
        return single

    def near(self, counts: NDArray[np.int64]) -> dict[int, float]:
        """The edges of the bins that have rows, by their places."""
        used = np.flatnonzero(counts)
        places = np.unique(np.concatenate([used - 1, used]))
        places = places[(places >= 0) & (places < len(self.edges))]
        return dict(zip(places.tolist(), self.edges[places].tolist(), strict=True))

    def bins(self, scores: NDArray[np.float64]) -> NDArray[np.int64]:
        """Bin of each score, which must be finite."""
        lower = self._lower
        if not self.even:
            return np.asarray(np.searchsorted(lower[1:-1], scores, side="right"), dtype=np.int64)
        low, high = self.edges[0], self.edges[-1]
        with np.errstate(over="ignore"):
            steps = np.floor((scores - low) * ((len(self.edges) - 1) / (high - low)))
        guess: NDArray[np.int64] = (np.clip(steps, -1, self.count - 2) + 1).astype(np.int64)
        # Rounding may give the neighbouring bin; comparing with the edges corrects it.
        guess -= scores < lower[guess]
        return np.asarray(guess + (scores >= lower[guess + 1]), dtype=np.int64)

    def counts(self, scores: NDArray[np.float64]) -> NDArray[np.int64]:
        """How many scores are in each bin; they must be finite."""
        ends = np.sort(scores).searchsorted(self._lower[1:-1])
        return np.diff(ends, prepend=0, append=len(scores))

    def place(self, threshold: float) -> Place:
        """
        Where the bins are that count as positive.

        :raises aporia_provider.errors.ValidationError: if the threshold is beyond the edges.
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


def even_grid(low: float, high: float, bins: int) -> Grid:
    """Bins of one width. From 0 to 1, edge ``k`` is the float nearest to ``k / bins``."""
    edges = np.arange(bins + 1) * (high - low) / bins + low
    edges[-1] = high
    return Grid(edges, even=True)


def grid_of(edges: Sequence[float], bins: int) -> Grid:
    """The grid with these edges; two of them are the range of as many even bins as ``bins`` says."""
    low, high = float(edges[0]), float(edges[-1])
    # A range too great or too narrow to be cut into bins of one width is cut by the edges alone.
    if (
        len(edges) == 2
        and math.isfinite((high - low) * bins)
        and (high - low) / bins > abs(high + low) * 1e-12
    ):
        return even_grid(low, high, bins)
    return Grid(np.asarray(edges, dtype=np.float64), even=False)


def kept(edges: Mapping[int, float], low: float, high: float, count: int) -> tuple[Grid, list[int | None]]:
    """
    The bins that have rows, with all empty bins between two of them as one.

    :param edges: What :meth:`Grid.near` gave.
    :param low: The least edge of all.
    :param high: The greatest.
    :param count: Number of all bins; 0 if there are no rows.
    :return: The grid, and for each of its bins the place it had among all, ``None`` where it is empty.
    """
    known = {0: low, **edges, max(count - 3, 1): high}
    places = sorted(known)
    inner = (one + 1 if other == one + 1 else None for one, other in pairwise(places))
    grid = Grid(np.array([known[place] for place in places]), even=False)
    return grid, [0, *inner, places[-1] + 1, places[-1] + 2]
