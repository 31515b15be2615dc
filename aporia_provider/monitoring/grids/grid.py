"""The bins of a field, fixed by the training baseline: all its later histograms are counted on them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from aporia_provider.monitoring.grids.bin_edges import cuts

_GREATEST = 2.0**1022  # The difference of two edges is a finite number.
_LEAST_USUAL = 2.0**-400  # Of distances that are squared as they are.
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
    :param unit: A power of two: distances from the centre are squared in this unit. It is 1 unless the
        squares of very great or small distances would overflow or vanish.
    """

    edges: tuple[float, ...]
    coarse: tuple[int, ...]
    centre: float
    unit: float = 1.0

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Self | None:
        """
        The bins for a baseline, or a sample of it; ``None`` if it has no finite value.

        See :func:`~aporia_provider.monitoring.grids.bin_edges.cuts` for where they are cut.

        :param values: The field's values, in any order. Values that are not finite are ignored; those
            beyond 2**1022 in magnitude are taken as that.
        """
        values = np.asarray(values, dtype=np.float64)
        # Adding zero makes the negative zero positive, and sorting makes the sums independent of the order.
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
        """The edges that separate the coarse bins, one fewer than there are such bins."""
        return tuple(self.edges[index] for index in self.coarse)

    @property
    def shown_boundaries(self) -> tuple[float, ...]:
        """
        The boundaries for people: the bin of a single value lies between that value and itself.

        Of two boundaries with no float between them the second is only there to end the bin of the first.
        """
        pairs = pairwise((-math.inf, *self.boundaries))
        return tuple(low if edge == math.nextafter(low, math.inf) else edge for low, edge in pairs)

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
        edges, coarse = list(self.edges), list(self.coarse)
        return {"edges": edges, "coarse": coarse, "centre": self.centre, "unit": self.unit}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote."""
        edges, coarse = map(float, stored["edges"]), map(int, stored["coarse"])
        return cls(tuple(edges), tuple(coarse), float(stored["centre"]), float(stored["unit"]))


def _unit(farthest: float) -> float:
    """The unit of distances of which this is the greatest."""
    usual = _LEAST_USUAL <= farthest <= 1 / _LEAST_USUAL
    return 1.0 if usual else math.ldexp(1.0, math.frexp(farthest)[1])


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
