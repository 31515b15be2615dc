"""Edges of the bins of a numeric field: frequent values have their own bins, others are cut at quantiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_MOST_DISCRETE = 50
_REPEATS = 2  # Minimum mean number of occurrences of a value of a discrete field.
_COARSE = 10  # Number of coarse bins outside of atoms. An atom makes up a tenth of the values or more.
_MOST_ATOMS = 20
_LEAST_PIECES, _MOST_PIECES = 5, 20  # Minimum of coarse bins per range between atoms; maximum of its sum.
_LEAST_VALUES = 5  # Minimum number of values in a coarse bin.
_FEW = _LEAST_PIECES * _LEAST_VALUES
# Approximate number of bins. It results in at most 256 edges, and is a multiple of ten, so that the deciles
# are among the edges.
_PARTS = 240
_LEAST_PARTS = 4  # Minimum number of bins in a coarse bin.
_TRIM = (0.001, 0.999)  # Levels of the quantiles that the trimmed Wasserstein distance uses as limits.


class Cuts(NamedTuple):
    """
    Edges of bins, in ascending order.

    :param edges: Edges of all bins, at most 256.
    :param boundaries: Edges of the coarse bins, a subset of ``edges``.
    """

    edges: Floats
    boundaries: Floats


class _Range(NamedTuple):
    """A range without frequent values: values, number of coarse bins, number of bins in each of these."""

    values: Floats
    coarse: int
    parts: int

    def levels(self, parts: int) -> Floats:
        """Return the quantiles that cut the range into equal parts, including its ends."""
        return quantiles(self.values, np.arange(parts + 1) / parts)


def cuts(values: Floats) -> Cuts:
    """
    Return the edges of the bins for a baseline.

    A value is frequent (an atom) if it makes up at least a tenth of all values, or of those that remain
    without the more frequent ones. Each atom has its own bin, which is also a coarse bin. The ranges between
    atoms are cut into coarse bins, and these into bins, at quantiles of their values. Ten coarse bins are
    distributed over the ranges in proportion to their numbers of values; but each range with at least 25
    values has at least five, or fewer if this would be more than 20 in total. Of the approximately 240 bins,
    each coarse bin has at least four; the remaining ones are distributed in proportion to the numbers of
    values. A value that is equal to more than one of the quantiles has its own bin.

    A field is discrete if it has at most 50 distinct values, and those that are not atoms occur twice or more
    on average, or if it has fewer than 25 values. Each of its values has its own bin, which is also a coarse
    bin.

    :param values: At least one, finite, in ascending order, without negative zeros.
    """
    distinct, counts = np.unique(values, return_counts=True)
    atoms = _atoms(distinct, counts)
    if _is_discrete(distinct, counts, atoms):
        edges = _union(distinct, _after(distinct))
        return Cuts(edges, edges)
    alone = [atoms, _after(atoms)]
    ranges = _ranges(values, atoms)
    coarse = [range_.levels(range_.coarse) for range_ in ranges]
    boundaries = _union(*alone, *(levels[1:-1] for levels in coarse), *map(_after_repeated, coarse))
    fine = [range_.levels(range_.coarse * range_.parts) for range_ in ranges]
    trimmed, last = quantiles(values, np.array(_TRIM)), _after(values[-1:])
    return Cuts(_union(boundaries, trimmed, last, *fine, *map(_after_repeated, fine)), boundaries)


def _is_discrete(distinct: Floats, counts: NDArray[np.int64], atoms: Floats) -> bool:
    if len(distinct) > _MOST_DISCRETE or counts.sum() < _FEW:
        return len(distinct) <= _MOST_DISCRETE
    others = counts[~np.isin(distinct, atoms)]
    return bool(others.sum() >= _REPEATS * len(others))


def quantiles(values: Floats, levels: Floats) -> Floats:
    """Return quantiles of sorted values by numpy's default method, in ascending order."""
    # Interpolation may return results outside of the values, or out of order, by rounding.
    return np.sort(np.clip(np.quantile(values, levels), values[0], values[-1]))


def _atoms(distinct: Floats, counts: NDArray[np.int64]) -> Floats:
    """Return the frequent values in ascending order."""
    order = np.argsort(-counts, kind="stable")[:_MOST_ATOMS]
    ordered = counts[order]
    remaining = counts.sum() - np.concatenate([[0], np.cumsum(ordered)[:-1]])
    frequent = (ordered > 1) & (ordered * _COARSE >= remaining)
    return np.sort(distinct[order[np.logical_and.accumulate(frequent)]])


def _ranges(values: Floats, atoms: Floats) -> list[_Range]:
    """Return the ranges between atoms that contain values, with their numbers of bins."""
    starts, ends = values.searchsorted(atoms, "left"), values.searchsorted(atoms, "right")
    segments = np.split(values, np.column_stack([starts, ends]).ravel())
    range_values = [segment for segment in segments[::2] if len(segment)]
    total = sum(map(len, range_values))
    least = min(_LEAST_PIECES, _MOST_PIECES // max(1, len(range_values)))
    coarse = [
        max(1, min(max(least, round(_COARSE * len(segment) / total)), len(segment) // _LEAST_VALUES))
        for segment in range_values
    ]
    # An atom has two edges, and a range has one more than it has bins.
    remaining = _PARTS - 3 * len(atoms) - _LEAST_PARTS * sum(coarse)
    return [
        _Range(segment, pieces, _LEAST_PARTS + int(remaining * len(segment) / total / pieces))
        for segment, pieces in zip(range_values, coarse, strict=True)
    ]


def _after_repeated(levels: Floats) -> Floats:
    return _after(levels[1:][levels[1:] == levels[:-1]])


def _after(values: Floats) -> Floats:
    following: Floats = np.nextafter(values, np.inf)
    return following


def _union(*parts: Floats) -> Floats:
    # Adding zero makes a negative zero positive.
    return np.unique(np.concatenate(parts) + 0.0)
