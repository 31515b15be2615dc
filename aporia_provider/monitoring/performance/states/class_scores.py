"""Histograms of the scores of classes, separately for rows of the class and all others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aporia_provider.monitoring.performance.inputs.column_values import Classes
from aporia_provider.monitoring.performance.inputs.nested_values import Named
from aporia_provider.monitoring.performance.parameters import CLIP
from aporia_provider.monitoring.performance.states.histogram_bins import HistogramBins
from aporia_provider.monitoring.performance.states.state_parts import at_most, by_name
from aporia_provider.monitoring.portable_math import log
from aporia_provider.monitoring.states.exact_sums import exact_sum
from aporia_provider.monitoring.states.state import Rule

MOST_SCORED = 50
"""Maximum number of classes, since more histograms would be too large to store for each bucket."""

_EVEN = 200  # Number of bins of equal width from 0 to 1.

Counts = dict[str, dict[int, int]]
BinCounts = Iterator[tuple[int, int, bool]]


def _octaves(first: int, last: int, parts: int) -> NDArray[np.float64]:
    """Return powers of two, with each octave cut into parts of equal width."""
    fractions = 1 + np.arange(parts) / parts
    return np.ldexp(fractions[None, :], np.arange(first, last)[:, None]).ravel()


def _edges() -> NDArray[np.float64]:
    # Bins become finer near 0 and 1, where probabilities may concentrate; other scores have coarser bins.
    near_zero = np.concatenate([_octaves(-40, -20, 2), _octaves(-20, -1, 12)])
    even = np.arange(_EVEN + 1) / _EVEN
    after = np.nextafter([0.0, 1.0], np.inf)
    beyond = (_octaves(0, 20, 8), -_octaves(-10, 20, 8))
    return np.unique(np.concatenate([near_zero, 1 - near_zero, even, after, *beyond]))


BINS = HistogramBins(_edges(), even=False)
"""Bins of the scores of all classes; 0 and 1 have their own."""
_ZERO = int(np.flatnonzero(BINS.edges == 0)[0]) + 1


def _are_few(counts: Mapping[str, Any]) -> bool:
    return len(counts) <= MOST_SCORED


BIN_COUNTS: Rule[dict[int, int]] = Rule(
    dict,
    lambda one, other: {**one, **{place: one.get(place, 0) + count for place, count in other.items()}},
    lambda counts: [item for place in sorted(counts) for item in (place, counts[place])],
    lambda stored: dict(zip(stored[::2], stored[1::2], strict=True)),
)
"""Counts by index of the bin."""
SCORED: Rule[Counts | None] = at_most(by_name(BIN_COUNTS), _are_few)
"""Counts by class, then by bin; None if there are more than :data:`MOST_SCORED` classes."""


def counted(scores: Named, label: Classes, usable: NDArray[np.bool_]) -> dict[str, Any]:
    """
    Return the attributes of a :class:`~.multiclass_state.Multiclass` state that are computed from scores.

    :param scores: The scores.
    :param label: The true classes.
    :param usable: The rows that can be used.
    """
    indices = {name: index for index, name in enumerate(scores.names)}
    table = np.array([*(indices.get(name, -1) for name in label.names), -1], dtype=np.int64)
    true, usable_scores = table[label.codes], scores.values.usable & usable[scores.rows]
    rows, codes, values = (
        scores.rows[usable_scores],
        scores.codes[usable_scores],
        scores.values.values[usable_scores],
    )
    hits, bins = true[rows] == codes, BINS.indices(values)
    return {
        "positives": _by_class(codes[hits], bins[hits], scores.names),
        "negatives": _by_class(codes[~hits], bins[~hits], scores.names),
        "outside": len(np.unique(rows[(values < 0) | (values > 1)])),
        **_log_loss(values[hits], int(np.count_nonzero(usable))),
    }


def _by_class(codes: NDArray[np.int64], bins: NDArray[np.int64], names: Sequence[str]) -> Counts | None:
    used, positions = np.unique(codes, return_inverse=True)
    if len(used) > MOST_SCORED:
        return None
    table = np.bincount(positions * BINS.count + bins, minlength=len(used) * BINS.count)
    rows = table.reshape(len(used), BINS.count)
    counts = {names[code]: _tally(row) for code, row in zip(used.tolist(), rows, strict=True)}
    return dict(sorted(counts.items()))


def _tally(row: NDArray[np.int64]) -> dict[int, int]:
    bins = np.flatnonzero(row)
    return dict(zip(bins.tolist(), row[bins].tolist(), strict=True))


def _log_loss(values: NDArray[np.float64], count: int) -> dict[str, Any]:
    """Return the sums of -ln(score of the true class) and its square; missing scores count as 0."""
    unscored, greatest = count - len(values), float(-log(np.array([CLIP]))[0])
    losses = -log(np.clip(values, CLIP, 1 - CLIP))
    return {
        "log_loss": exact_sum(losses) + unscored * Fraction(greatest),
        "log_loss_squares": exact_sum(losses**2) + unscored * Fraction(greatest**2),
        "squared": count,
    }


def bins_of(positives: Mapping[int, int], negatives: Mapping[int, int], true: int, false: int) -> BinCounts:
    """
    Yield for each bin, by ascending score: rows of the class, other rows, whether all its scores are equal.

    :param positives: Number of scores of a class in rows of that class, by bin.
    :param negatives: Number of scores of the class in other rows, by bin.
    :param true: Number of rows of the class. Rows without a score of the class count as score 0.
    :param false: Number of other rows.
    """
    sides = [dict(positives), dict(negatives)]
    for side, rows in zip(sides, (true, false), strict=True):
        side[_ZERO] = side.get(_ZERO, 0) + rows - sum(side.values())
    single = BINS.single
    for bin_ in sorted({*sides[0], *sides[1]}):
        yield sides[0].get(bin_, 0), sides[1].get(bin_, 0), single[bin_]
