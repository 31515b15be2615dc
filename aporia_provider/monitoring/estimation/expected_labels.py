"""Expected labels of rows by bin of their score, and the variance of numbers computed from them."""

from __future__ import annotations

from dataclasses import dataclass

from aporia_provider.monitoring.estimation.binned_scores import BinnedScores, Floats
from aporia_provider.monitoring.estimation.score_calibration import CalibratedShares, ScoreCalibration


@dataclass(frozen=True, eq=False)
class ExpectedLabels:
    """
    Expected labels of rows.

    :param binned: The bins.
    :param rows: Rows in each bin.
    :param calibrated: Share of positive labels in each bin.
    """

    binned: BinnedScores
    rows: Floats
    calibrated: CalibratedShares

    @classmethod
    def of(
        cls, binned: BinnedScores, calibration: ScoreCalibration, *, labelled: bool = False
    ) -> ExpectedLabels:
        """
        Return the expected labels of rows.

        :param binned: The rows.
        :param calibration: Share of positive labels by score.
        :param labelled: Whether only labelled rows are used, instead of all rows.
        """
        rows = binned.labelled if labelled else binned.rows
        return cls(binned, rows, calibration.applied(binned.scores))

    @property
    def count(self) -> int:
        """Number of rows."""
        return int(self.rows.sum())

    @property
    def positives(self) -> Floats:
        """Expected number of positive labels in each bin."""
        return self.rows * self.calibrated.shares

    @property
    def negatives(self) -> Floats:
        """Expected number of negative labels in each bin."""
        return self.rows - self.positives

    @property
    def outside(self) -> int:
        """Number of rows with scores at which the baseline has no labels."""
        return int(self.rows[self.calibrated.outside].sum())

    def variance(self, derivative: Floats) -> float:
        """
        Return the variance of a number computed from labels, around its expected value.

        Labels of rows are independent. The variance of the calibration is added to theirs, since it is fitted
        to a sample.

        :param derivative: Change of the number if the label of one row in each bin is true instead of false.
        """
        shares = self.calibrated.shares
        sampling = (self.rows * shares * (1 - shares)) @ derivative**2
        return float(sampling) + self.calibrated.variance(self.rows * derivative)
