"""Bins of a field, determined by the training baseline and used for all later histograms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from aporia_provider.monitoring.bins.bin_edges import cuts

_GREATEST = 2.0**1022  # Maximum magnitude of an edge, so that the difference of two edges is finite.
_LEAST_USUAL = 2.0**-400  # Distances below this, or above its inverse, are scaled before they are squared.
_MOST_CATEGORIES = 256


@dataclass(frozen=True)
class NumericBins:
    """
    Bins of a numeric field.

    ``E`` edges make ``E + 1`` bins: below the first edge, from each edge (inclusive) to the next, and from
    the last edge on. The first bin contains values below the baseline's minimum, the last one those above its
    maximum, and the last but one the maximum alone.

    :param edges: Strictly increasing finite values, at most 256, in the unit of the field.
    :param coarse: Indices of the edges that separate the coarse bins.
    :param centre: A finite value near the baseline's mean, about which moments are computed.
    :param unit: A power of two, the unit in which distances from the centre are squared. It is 1 unless
        squares of large or small distances would overflow or underflow.
    """

    edges: tuple[float, ...]
    coarse: tuple[int, ...]
    centre: float
    unit: float = 1.0

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Self | None:
        """
        Return the bins for a baseline or a sample of it; None if it has no finite value.

        See :func:`~aporia_provider.monitoring.bins.bin_edges.cuts`.

        :param values: Values of the field, in any order. Values that are not finite are ignored; those beyond
            2**1022 in magnitude are clipped.
        """
        values = np.asarray(values, dtype=np.float64)
        # Adding zero makes a negative zero positive; sorting makes sums independent of the order.
        values = np.sort(np.clip(values[np.isfinite(values)], -_GREATEST, _GREATEST) + 0.0)
        if not values.size:
            return None
        edges, boundaries = cuts(values)
        centre = float(np.clip((values / values.size).sum(), values[0], values[-1]))
        return cls(
            edges=tuple(edges.tolist()),
            coarse=tuple(np.searchsorted(edges, boundaries).tolist()),
            centre=centre,
            unit=_unit(max(centre - values[0], values[-1] - centre)),
        )

    @property
    def boundaries(self) -> tuple[float, ...]:
        """Edges that separate the coarse bins."""
        return tuple(self.edges[index] for index in self.coarse)

    @property
    def shown_boundaries(self) -> tuple[float, ...]:
        """
        Boundaries for display: a bin of a single value has that value as both boundaries.

        Adjacent floats are the boundaries of a bin of a single value; both are shown as the first.
        """
        pairs = pairwise((-math.inf, *self.boundaries))
        return tuple(low if edge == math.nextafter(low, math.inf) else edge for low, edge in pairs)

    def coarsen(self, counts: Sequence[int]) -> tuple[int, ...]:
        """
        Return the counts of the coarse bins; the outer ones are unbounded.

        :param counts: One for each bin; empty if nothing was counted.
        :raises ValueError: if the number of counts is wrong.
        """
        if counts and len(counts) != len(self.edges) + 1:
            raise ValueError(f"{len(counts)} counts do not fit {len(self.edges) + 1} bins")
        starts = (0, *(index + 1 for index in self.coarse), len(self.edges) + 1)
        return tuple(sum(counts[start:end]) for start, end in pairwise(starts))

    def coarsened(self, rows: Sequence[Sequence[int]]) -> NDArray[np.int64]:
        """
        Return the counts of the coarse bins of several histograms, one row for each, see :meth:`coarsen`.

        :param rows: For each histogram, one count for each bin.
        :raises ValueError: if the number of counts is wrong.
        """
        counts = np.array(rows, dtype=np.int64).reshape(len(rows), len(self.edges) + 1)
        found: NDArray[np.int64] = np.add.reduceat(counts, [0, *(i + 1 for i in self.coarse)], axis=1)
        return found

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form for the database."""
        edges, coarse = list(self.edges), list(self.coarse)
        return {"edges": edges, "coarse": coarse, "centre": self.centre, "unit": self.unit}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return the bins from the result of :meth:`to_json`."""
        edges, coarse = map(float, stored["edges"]), map(int, stored["coarse"])
        return cls(tuple(edges), tuple(coarse), float(stored["centre"]), float(stored["unit"]))


def _unit(farthest: float) -> float:
    """Return the unit in which distances are squared, from the maximum distance."""
    usual = _LEAST_USUAL <= farthest <= 1 / _LEAST_USUAL
    return 1.0 if usual else math.ldexp(1.0, math.frexp(farthest)[1])


@dataclass(frozen=True)
class CategoryBins:
    """
    Bins of a categorical field: one for each of the most frequent categories of the baseline.

    :param values: At most 256 categories, the most frequent first.
    """

    values: tuple[str, ...]

    @classmethod
    def of(cls, tally: Mapping[str, int]) -> Self:
        """
        Return the bins for a baseline.

        :param tally: Count of each category. Categories of equal count are ordered by text.
        """
        present = [category for category, count in tally.items() if count > 0]
        return cls(tuple(sorted(present, key=lambda text: (-tally[text], text))[:_MOST_CATEGORIES]))

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form for the database."""
        return {"values": list(self.values)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return the bins from the result of :meth:`to_json`."""
        return cls(tuple(map(str, stored["values"])))
