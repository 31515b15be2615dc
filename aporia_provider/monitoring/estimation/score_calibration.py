"""Share of positive labels as a function of the score, fitted to labelled rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aporia_provider.monitoring.estimation.binned_scores import BinnedScores, Floats

_WIDEST_GAP = 0.1
"""Greatest distance of two scores between which others are interpolated, as a proportion of their range."""


@dataclass(frozen=True)
class _Block:
    """Adjacent bins with one share: their labelled rows, those whose label is true, and their number."""

    positives: float
    rows: float
    bins: int

    def __add__(self, other: _Block) -> _Block:
        return _Block(self.positives + other.positives, self.rows + other.rows, self.bins + other.bins)


@dataclass(frozen=True, eq=False)
class ScoreCalibration:
    """
    Share of positive labels by score: isotonic regression, interpolated linearly between bins with labels.

    Barlow, Bartholomew, Bremner and Brunk, *Statistical inference under order restrictions*, 1972. Bins whose
    shares are not in the order of the scores are pooled in blocks. Scores outside of the bins have
    the share of the nearest bin. These are the predictions of scikit-learn's ``IsotonicRegression`` with
    ``out_of_bounds="clip"``.

    :param scores: Scores that represent the bins with labelled rows, in ascending order; at least one.
    :param blocks: Block of each of these bins.
    :param shares: Share of positive labels in each block.
    :param variances: Variance of each of these shares: the variance of the posterior distribution of a
        proportion with Jeffreys' prior, which is positive for shares of 0 and 1 (Brown, Cai and DasGupta,
        *Interval estimation for a binomial proportion*, Stat. Sci. 16, 2001).
    """

    scores: Floats
    blocks: NDArray[np.int64]
    shares: Floats
    variances: Floats

    @classmethod
    def of(cls, baseline: BinnedScores) -> ScoreCalibration:
        """Return the calibration that is fitted to the labelled rows. There must be at least one."""
        used = baseline.labelled > 0
        labelled, positives = baseline.labelled[used], baseline.positives[used]
        blocks = _pooled(zip(positives.tolist(), labelled.tolist(), strict=True))
        hits, rows = (np.array([getattr(block, name) for block in blocks]) for name in ("positives", "rows"))
        smoothed = (hits + 0.5) / (rows + 1)
        return cls(
            baseline.scores[used],
            np.repeat(np.arange(len(blocks)), [block.bins for block in blocks]),
            hits / rows,
            smoothed * (1 - smoothed) / (rows + 2),
        )

    def applied(self, scores: Floats) -> CalibratedShares:
        """Return the shares of positive labels at some scores."""
        right = np.clip(np.searchsorted(self.scores, scores), 0, len(self.scores) - 1)
        left = np.where(self.scores[right] > scores, np.maximum(right - 1, 0), right)
        gaps = self.scores[right] - self.scores[left]
        weights = np.divide(
            scores - self.scores[left],
            gaps,
            out=np.zeros_like(scores),
            where=(gaps > 0) & (scores > self.scores[left]),
        )
        widest = (self.scores[-1] - self.scores[0]) * _WIDEST_GAP
        outside = (scores < self.scores[0]) | (scores > self.scores[-1]) | (gaps > widest)
        return CalibratedShares(self, self.blocks[left], self.blocks[right], weights, outside)


@dataclass(frozen=True, eq=False)
class CalibratedShares:
    """
    Shares of positive labels of bins, each interpolated between two blocks of a calibration.

    :param calibration: The calibration.
    :param left: Block with lower scores.
    :param right: Block with higher scores; the same one if nothing is interpolated.
    :param weights: Weight of the right block.
    :param outside: Whether the baseline has no labels at such scores.
    """

    calibration: ScoreCalibration
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    weights: Floats
    outside: NDArray[np.bool_]

    @property
    def shares(self) -> Floats:
        """Share of positive labels in each bin."""
        by_block = self.calibration.shares
        # Not (1 - w) * left + w * right, which rounds if both are equal.
        return by_block[self.left] + self.weights * (by_block[self.right] - by_block[self.left])

    def variance(self, gradient: Floats) -> float:
        """
        Return the variance of a number due to the variance of the calibration.

        :param gradient: Derivative of the number by the share of each bin.
        """
        size = len(self.calibration.shares)
        parts = np.bincount(self.left, gradient * (1 - self.weights), size)
        parts += np.bincount(self.right, gradient * self.weights, size)
        return float(parts**2 @ self.calibration.variances)


def _pooled(bins: Iterable[tuple[float, float]]) -> list[_Block]:
    """
    Return the blocks of isotonic regression, by the algorithm of pool adjacent violators.

    :param bins: For each bin the rows whose label is true, and all rows.
    """
    blocks: list[_Block] = []
    for positives, rows in bins:
        block = _Block(positives, rows, 1)
        while blocks and blocks[-1].positives * block.rows >= block.positives * blocks[-1].rows:
            block = blocks.pop() + block
        blocks.append(block)
    return blocks
