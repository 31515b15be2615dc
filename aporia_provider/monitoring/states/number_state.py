"""The state of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from aporia_provider.monitoring.states.exact_sums import ordered_sum
from aporia_provider.monitoring.states.state import COUNTS, GREATEST, LEAST, SUM, TOTAL, State, part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aporia_provider.monitoring.grids.grid import NumericGrid

    Floats = NDArray[np.float64]

_LARGEST = float(np.finfo(np.float64).max)


@dataclass(frozen=True)
class NumericState(State):
    """
    What is kept of numbers.

    :param rows: Rows, whatever is in them.
    :param nulls: Rows without a value.
    :param nans: Rows that are not a number. NaN and infinities are part of nothing below.
    :param positive_infinities: Rows of positive infinity.
    :param negative_infinities: Rows of negative infinity.
    :param zeros: Rows of zero.
    :param least: Least value.
    :param greatest: Greatest value.
    :param negative_sum: Sum of the values below zero.
    :param positive_sum: Sum of the values above zero.
    :param squares: Sum of squared distances from the grid's centre, in its unit (from 0, in 1, if none).
    :param counts: Values in each bin of the grid, see :class:`~.grid.NumericGrid`.
    :param below: Sum of distances to the first edge of the values below it.
    :param above: Sum of distances to the last edge of the values above it.
    """

    kind: ClassVar[str] = "numeric"

    rows: int = part(TOTAL)
    nulls: int = part(TOTAL)
    nans: int = part(TOTAL)
    positive_infinities: int = part(TOTAL)
    negative_infinities: int = part(TOTAL)
    zeros: int = part(TOTAL)
    least: float | None = part(LEAST)
    greatest: float | None = part(GREATEST)
    negative_sum: Fraction = part(SUM)
    positive_sum: Fraction = part(SUM)
    squares: Fraction = part(SUM)
    counts: tuple[int, ...] = part(COUNTS)
    below: Fraction = part(SUM)
    above: Fraction = part(SUM)

    @classmethod
    def of(cls, values: Floats, nulls: int, grid: NumericGrid | None) -> NumericState:
        """
        Make it from values.

        :param values: Those that are not null, in any order.
        :param nulls: How many are null beside them.
        :param grid: Bins and centre, if they are known yet.
        """
        # Whatever is not a number comes last.
        ordered = np.sort(values)
        finite = slice(ordered.searchsorted(-np.inf, "right"), ordered.searchsorted(np.inf, "left"))
        nans = len(ordered) - int(ordered.searchsorted(np.inf, "right"))
        made: dict[str, Any] = {
            "rows": len(values) + nulls,
            "nulls": nulls,
            "nans": nans,
            "positive_infinities": len(ordered) - nans - int(finite.stop),
            "negative_infinities": int(finite.start),
        }
        proper = ordered[finite]
        return cls(**made, **_finite(proper, grid)) if len(proper) else cls(**made)

    @property
    def finite(self) -> int:
        """How many values are proper numbers."""
        return self.rows - self.nulls - self.nans - self.infinite

    @property
    def infinite(self) -> int:
        """Rows of an infinite value."""
        return self.positive_infinities + self.negative_infinities

    @property
    def total(self) -> Fraction:
        """Sum of the values."""
        return self.negative_sum + self.positive_sum


def _finite(ordered: Floats, grid: NumericGrid | None) -> dict[str, Any]:
    """Parts made of finite values in ascending order, at least one."""
    first, last = np.searchsorted(ordered, 0.0, "left"), np.searchsorted(ordered, 0.0, "right")
    made = {
        "zeros": int(last - first),
        # 0.0 is added because -0.0 and 0.0 are one value, and which of them came first must not matter.
        "least": float(ordered[0]) + 0.0,
        "greatest": float(ordered[-1]) + 0.0,
        "negative_sum": -ordered_sum(-ordered[:first][::-1]),
        "positive_sum": ordered_sum(ordered[last:]),
        "squares": _squares(ordered, *((grid.centre, grid.unit) if grid else (0.0, 1.0))),
    }
    return made | _binned(ordered, grid) if grid else made


def _squares(ordered: Floats, centre: float, unit: float) -> Fraction:
    middle = ordered.searchsorted(centre)
    with np.errstate(over="ignore"):
        distances = ordered - centre if unit == 1 else (ordered - centre) / unit
        squares = _bounded(distances**2)
    return ordered_sum(squares[:middle][::-1], squares[middle:])


def _binned(ordered: Floats, grid: NumericGrid) -> dict[str, Any]:
    edges = np.asarray(grid.edges)
    places = np.searchsorted(ordered, edges, "left")
    counts = np.append(places, len(ordered))
    counts[1:] -= places
    with np.errstate(over="ignore"):
        below, above = edges[0] - ordered[: places[0]], ordered[places[-1] :] - edges[-1]
    return {
        "counts": tuple(counts.tolist()),
        "below": ordered_sum(_bounded(below[::-1])),
        "above": ordered_sum(_bounded(above)),
    }


def _bounded(distances: Floats) -> Floats:
    """Distances that no float can hold count as the largest there is. The greatest is at an end."""
    if len(distances) and max(distances[0], distances[-1]) > _LARGEST:
        return np.minimum(distances, _LARGEST)
    return distances
