"""Where the bins of a numeric field are cut: frequent values alone, the others at their quantiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_MOST_DISCRETE = 50
_REPEATS = 2  # How often the values of a discrete field occur at least, on average.
_COARSE = 10  # Coarse bins of the values that are not frequent; a value with the share of one is frequent.
_MOST_ATOMS = 20
_LEAST_PIECES, _MOST_PIECES = 5, 20  # Coarse bins of each range between frequent values, and of all ranges.
_LEAST_VALUES = 5  # Values of a coarse bin.
_FEW = _LEAST_PIECES * _LEAST_VALUES
_PARTS = 240  # A multiple of ten, so that the deciles are among the edges, which are at most 256.
_LEAST_PARTS = 4  # Bins of a coarse bin.
_TRIM = (0.001, 0.999)  # Where the trimmed Wasserstein distance cuts.


class Cuts(NamedTuple):
    """
    Edges of bins, in ascending order.

    :param edges: Those of all bins, at most 256.
    :param boundaries: Those of the coarse bins, which are among them.
    """

    edges: Floats
    boundaries: Floats


class _Range(NamedTuple):
    """A range without frequent values: its values, its coarse bins, and the bins of each of these."""

    values: Floats
    coarse: int
    parts: int

    def levels(self, parts: int) -> Floats:
        """The quantiles that cut it into so many parts, and its ends."""
        return quantiles(self.values, np.arange(parts + 1) / parts)


def cuts(values: Floats) -> Cuts:
    """
    Where to cut the bins for a baseline.

    A value is frequent (an atom) if it is at least a tenth of all values, or of those that are left without
    the more frequent ones; it has a bin of its own, which is a coarse bin as well. The ranges between atoms
    are cut at the quantiles of the values in them: into ten coarse bins in proportion to their numbers of
    values, but each range into five at least if it has 25 values, and all together into about 20 at most;
    and into bins with an equal share of what remains of 240. A value that is more than one of the quantiles
    has a bin of its own.

    A field is discrete if at most 50 values are different and those that are no atoms occur twice or more on
    average, or there are fewer than 25 values: then each value has a bin, which is a coarse bin as well.

    :param values: At least one, finite and in ascending order, without negative zeros.
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
    """Quantiles of sorted values by numpy's default method, in order."""
    # Interpolation rounds: it may step outside the values, or back, by a last digit.
    return np.sort(np.clip(np.quantile(values, levels), values[0], values[-1]))


def _atoms(distinct: Floats, counts: NDArray[np.int64]) -> Floats:
    """The frequent values, in ascending order."""
    order = np.argsort(-counts, kind="stable")[:_MOST_ATOMS]
    ordered = counts[order]
    left = counts.sum() - np.concatenate([[0], np.cumsum(ordered)[:-1]])
    frequent = (ordered > 1) & (ordered * _COARSE >= left)
    return np.sort(distinct[order[np.logical_and.accumulate(frequent)]])


def _ranges(values: Floats, atoms: Floats) -> list[_Range]:
    """The ranges between atoms that have values, and how they are cut."""
    starts, ends = values.searchsorted(atoms, "left"), values.searchsorted(atoms, "right")
    parts = np.split(values, np.column_stack([starts, ends]).ravel())
    held = [part for part in parts[::2] if len(part)]
    total = sum(map(len, held))
    least = min(_LEAST_PIECES, _MOST_PIECES // max(1, len(held)))
    coarse = [
        max(1, min(max(least, round(_COARSE * len(part) / total)), len(part) // _LEAST_VALUES))
        for part in held
    ]
    # An atom has two edges, and the range after it one more than it has bins.
    left = _PARTS - 3 * len(atoms) - _LEAST_PARTS * sum(coarse)
    return [
        _Range(part, pieces, _LEAST_PARTS + int(left * len(part) / total / pieces))
        for part, pieces in zip(held, coarse, strict=True)
    ]


def _after_repeated(levels: Floats) -> Floats:
    return _after(levels[1:][levels[1:] == levels[:-1]])


def _after(values: Floats) -> Floats:
    following: Floats = np.nextafter(values, np.inf)
    return following


def _union(*parts: Floats) -> Floats:
    # Adding zero makes the negative zero positive.
    return np.unique(np.concatenate(parts) + 0.0)
