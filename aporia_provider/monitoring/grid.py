"""The bins of a field, fixed by the training baseline: all its later histograms are counted on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

_MOST_DISCRETE = 50
_PARTS = 240  # A multiple of ten, so that the deciles are among the edges, which are at most 256.
_TRIM = (0.001, 0.999)  # Where the trimmed Wasserstein distance cuts.
_GREATEST = 2.0**1022  # The difference of two edges is a finite number.
_MOST_CATEGORIES = 256


@dataclass(frozen=True)
class NumericGrid:
    """
    The bins of a numeric field.

    ``E`` edges make ``E + 1`` bins: below the first edge, from each edge to the next (the lower one belongs
    to the bin), and from the last edge on. The first bin is what lies below the baseline's minimum, the last
    one what lies above its maximum, and the last but one the maximum alone.

    :param edges: Strictly increasing finite values, at most 256, in the unit of the field.
    :param coarse: The indices of the edges that separate the coarse bins.
    :param centre: A finite value near the baseline's mean, from which moments are taken.
    """

    edges: tuple[float, ...]
    coarse: tuple[int, ...]
    centre: float

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Self | None:
        """
        The bins for a baseline, or a sample of it; ``None`` if it has no finite value.

        With at most 50 distinct values each has a bin to itself, which is a coarse bin as well. Otherwise
        the edges are quantiles (numpy's default method) and the coarse bins are cut at the deciles. A value
        that is more than one of the quantiles has a bin to itself: nothing can hide behind an atom.

        :param values: The field's values, in any order. Values that are not finite are ignored; those
            beyond 2**1022 in magnitude are taken as that.
        """
        values = np.asarray(values, dtype=np.float64)
        # Adding zero makes the negative zero positive, and sorting makes the sums independent of the order.
        values = np.sort(np.clip(values[np.isfinite(values)], -_GREATEST, _GREATEST) + 0.0)
        if not values.size:
            return None
        edges, boundaries = _edges(values)
        return cls(
            edges=tuple(edges.tolist()),
            coarse=tuple(np.searchsorted(edges, boundaries).tolist()),
            centre=float(np.clip((values / values.size).sum(), values[0], values[-1])),
        )

    @property
    def boundaries(self) -> tuple[float, ...]:
        """The edges that separate the coarse bins, one fewer than there are such bins."""
        return tuple(self.edges[index] for index in self.coarse)

    def coarsen(self, counts: Sequence[int]) -> tuple[int, ...]:
        """
        The counts of the coarse bins; the outer ones are open.

        :param counts: One per bin, or none at all if nothing was counted.
        :raises ValueError: There is another number of counts.
        """
        if counts and len(counts) != len(self.edges) + 1:
            raise ValueError(f"{len(counts)} counts do not fit {len(self.edges) + 1} bins")
        starts = (0, *(index + 1 for index in self.coarse), len(self.edges) + 1)
        return tuple(sum(counts[start:end]) for start, end in pairwise(starts))

    def to_json(self) -> dict[str, Any]:
        """What the database keeps."""
        return {"edges": list(self.edges), "coarse": list(self.coarse), "centre": self.centre}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote."""
        edges, coarse = map(float, stored["edges"]), map(int, stored["coarse"])
        return cls(edges=tuple(edges), coarse=tuple(coarse), centre=float(stored["centre"]))


def _edges(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The edges for sorted values, and which of them are coarse."""
    distinct = values[np.append(True, values[1:] != values[:-1])]
    if len(distinct) <= _MOST_DISCRETE:
        edges = _distinct(distinct, np.nextafter(distinct, np.inf))
        return edges, edges
    deciles = _quantiles(values, np.arange(11) / 10)
    fine = _quantiles(values, np.union1d(np.arange(_PARTS + 1) / _PARTS, _TRIM))
    boundaries = _distinct(deciles[1:-1], _after_repeated(deciles))
    last = np.nextafter(values[-1:], np.inf)
    return _distinct(fine, _after_repeated(fine), last), boundaries


def _quantiles(values: NDArray[np.float64], levels: NDArray[np.float64]) -> NDArray[np.float64]:
    # Interpolation rounds: it may step outside the values, or back, by a last digit.
    return np.sort(np.clip(np.quantile(values, levels), values[0], values[-1]))


def _after_repeated(quantiles: NDArray[np.float64]) -> NDArray[np.float64]:
    repeated = quantiles[1:][quantiles[1:] == quantiles[:-1]]
    after: NDArray[np.float64] = np.nextafter(repeated, np.inf)
    return after


def _distinct(*parts: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.unique(np.concatenate(parts) + 0.0)


@dataclass(frozen=True)
class CategoryGrid:
    """
    The bins of a categorical field: one for each of the baseline's most frequent categories.

    :param values: At most 256, the most frequent first.
    """

    values: tuple[str, ...]

    @classmethod
    def of(cls, tally: Mapping[str, int]) -> Self:
        """
        The bins for a baseline.

        :param tally: How often each category occurs in it. Of two as frequent the first by text is kept.
        """
        present = [category for category, count in tally.items() if count > 0]
        return cls(tuple(sorted(present, key=lambda text: (-tally[text], text))[:_MOST_CATEGORIES]))

    def counts(self, tally: Mapping[str, int]) -> tuple[int, ...]:
        """
        One count for each category, and a last one for all others.

        :param tally: How often each category occurs.
        """
        known = tuple(tally.get(value, 0) for value in self.values)
        return (*known, sum(tally.values()) - sum(known))

    def to_json(self) -> dict[str, Any]:
        """What the database keeps."""
        return {"values": list(self.values)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote."""
        return cls(tuple(map(str, stored["values"])))
