"""Rows by bin of their score, with a score that represents each bin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aporia_provider.monitoring.performance.states.binary_state import Binary
from aporia_provider.monitoring.performance.states.histogram_bins import HistogramBins

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BinnedScores:
    """
    Rows by bin of their score.

    :param bins: The bins.
    :param lower: Least possible score in each bin.
    :param upper: Greatest possible score, or the limit that it is below.
    :param exact: Whether all scores in each bin are equal.
    :param positives: Rows whose label is true.
    :param negatives: Rows whose label is false.
    :param unlabelled: Rows without a usable label.
    """

    bins: HistogramBins
    lower: Floats
    upper: Floats
    exact: NDArray[np.bool_]
    positives: Floats
    negatives: Floats
    unlabelled: Floats

    @classmethod
    def of(cls, state: Binary) -> BinnedScores:
        """Return the rows of a state."""
        histograms = state.histograms
        lower, upper, exact = _limits(state, histograms.bins)
        counts = (histograms.positives, histograms.negatives, histograms.unlabelled)
        positives, negatives, unlabelled = (np.asarray(side, dtype=np.float64) for side in counts)
        return cls(histograms.bins, lower, upper, exact, positives, negatives, unlabelled)

    @property
    def labelled(self) -> Floats:
        """Labelled rows."""
        return self.positives + self.negatives

    @property
    def rows(self) -> Floats:
        """All rows."""
        return self.labelled + self.unlabelled

    @property
    def scores(self) -> Floats:
        """A score that represents each bin: the middle of a bin with two finite limits."""
        middles = self.lower / 2 + self.upper / 2
        finite = np.where(
            np.isinf(self.lower), self.upper, np.where(np.isinf(self.upper), self.lower, middles)
        )
        return np.where(self.exact, self.lower, finite)


def all_decisions(state: Binary) -> bool:
    """Return whether all scores are exactly 0 or 1."""
    return state.decided + state.unlabelled.decided == state.labelled + state.unlabelled.rows


def rows_outside(state: Binary) -> int:
    """Return the number of rows whose score is not a probability."""
    return state.outside + state.unlabelled.outside


def _limits(state: Binary, bins: HistogramBins) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    edges = bins.edges
    last = np.nextafter(edges[-1], np.inf)
    lower, upper = np.concatenate(([-np.inf], edges, [last])), np.concatenate((edges, [last, np.inf]))
    exact = np.array(bins.single)
    if not rows_outside(state):
        lower, upper = np.clip(lower, 0.0, 1.0), np.clip(upper, 0.0, 1.0)
    if all_decisions(state):
        histograms = state.histograms
        sides = (histograms.positives, histograms.negatives, histograms.unlabelled)
        used = np.sum(sides, axis=0) > 0
        # Both limits of a bin with rows are the decision.
        decisions = np.where(lower > 0, 1.0, 0.0)
        lower, upper = np.where(used, decisions, lower), np.where(used, decisions, upper)
        exact = exact | used
    return lower, upper, exact
