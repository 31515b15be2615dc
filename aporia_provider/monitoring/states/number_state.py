"""State of numeric values."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from aporia_provider.monitoring.states.exact_sums import ordered_sum
from aporia_provider.monitoring.states.state import COUNTS, GREATEST, LEAST, SUM, TOTAL, State, part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aporia_provider.monitoring.bins.field_bins import NumericBins

    Floats = NDArray[np.float64]

_LARGEST = float(np.finfo(np.float64).max)


@dataclass(frozen=True)
class NumericState(State):
    """
    State of numeric values.

    :param rows: Number of rows, including those without a value.
    :param nulls: Number of nulls.
    :param nans: Number of NaN. The attributes below exclude NaN and infinities.
    :param positive_infinities: Number of positive infinities.
    :param negative_infinities: Number of negative infinities.
    :param zeros: Number of zeros.
    :param least: Minimum.
    :param greatest: Maximum.
    :param negative_sum: Sum of the values below zero.
    :param positive_sum: Sum of the values above zero.
    :param squares: Sum of the squares of ``(value - centre) / unit``, with the centre and unit of the bins;
        without bins, the centre is 0 and the unit is 1.
    :param counts: Number of values in each bin, see :class:`~.field_bins.NumericBins`.
    :param below: Sum of distances from the first edge of the values below it.
    :param above: Sum of distances from the last edge of the values above it.
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
    def of(cls, values: Floats, nulls: int, bins: NumericBins | None) -> NumericState:
        """
        Return the state of values.

        :param values: Values that are not null, in any order.
        :param nulls: Number of nulls.
        :param bins: Bins, with the centre and unit for ``squares``; None if not known.
        """
        # NaN is sorted to the end.
        ordered = np.sort(values)
        finite = slice(ordered.searchsorted(-np.inf, "right"), ordered.searchsorted(np.inf, "left"))
        nans = len(ordered) - int(ordered.searchsorted(np.inf, "right"))
        counts: dict[str, Any] = {
            "rows": len(values) + nulls,
            "nulls": nulls,
            "nans": nans,
            "positive_infinities": len(ordered) - nans - int(finite.stop),
            "negative_infinities": int(finite.start),
        }
        proper = ordered[finite]
        return cls(**counts, **_finite(proper, bins)) if len(proper) else cls(**counts)

    @property
    def finite(self) -> int:
        """Number of finite values."""
        missing = self.nulls + self.nans
        return self.rows - missing - self.positive_infinities - self.negative_infinities

    @property
    def infinite(self) -> int:
        """Number of infinite values."""
        return self.positive_infinities + self.negative_infinities

    @property
    def total(self) -> Fraction:
        """Sum of the values."""
        return self.negative_sum + self.positive_sum

    @property
    def total_ratio(self) -> tuple[int, int]:
        """Sum of the values as numerator and denominator, not necessarily in lowest terms."""
        negative, negative_divisor = self.ratio("negative_sum")
        positive, divisor = self.ratio("positive_sum")
        if not negative:
            return positive, divisor
        return positive * negative_divisor + negative * divisor, divisor * negative_divisor


def _finite(ordered: Floats, bins: NumericBins | None) -> dict[str, Any]:
    """Return the attributes of at least one finite value in ascending order."""
    first, last = np.searchsorted(ordered, 0.0, "left"), np.searchsorted(ordered, 0.0, "right")
    attributes = {
        "zeros": int(last - first),
        # Adding 0.0 makes -0.0 positive: they are equal, and which of them is first must not matter.
        "least": float(ordered[0]) + 0.0,
        "greatest": float(ordered[-1]) + 0.0,
        "negative_sum": -ordered_sum(-ordered[:first][::-1]),
        "positive_sum": ordered_sum(ordered[last:]),
        "squares": _squares(ordered, *((bins.centre, bins.unit) if bins else (0.0, 1.0))),
    }
    return attributes | _binned(ordered, bins) if bins else attributes


def _squares(ordered: Floats, centre: float, unit: float) -> Fraction:
    middle = ordered.searchsorted(centre)
    with np.errstate(over="ignore"):
        distances = ordered - centre if unit == 1 else (ordered - centre) / unit
        squares = _bounded(distances**2)
    return ordered_sum(squares[:middle][::-1], squares[middle:])


def _binned(ordered: Floats, bins: NumericBins) -> dict[str, Any]:
    edges = np.asarray(bins.edges)
    places = np.searchsorted(ordered, edges, "left")
    counts = np.append(places, len(ordered))
    counts[1:] -= places
    with np.errstate(over="ignore"):
        # Adding 0.0 makes the difference of -0.0 and 0.0 positive, which the sum relies on.
        below, above = edges[0] - ordered[: places[0]], ordered[places[-1] :] - edges[-1] + 0.0
    return {
        "counts": tuple(counts.tolist()),
        "below": ordered_sum(_bounded(below[::-1])),
        "above": ordered_sum(_bounded(above)),
    }


def _bounded(distances: Floats) -> Floats:
    """Replace infinite distances by the largest float. The greatest distance is at an end."""
    if len(distances) and max(distances[0], distances[-1]) > _LARGEST:
        return np.minimum(distances, _LARGEST)
    return distances
