"""Construction of the results of expected metrics."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.estimation.binned_scores import BinnedScores
from aporia_provider.monitoring.estimation.expected_labels import ExpectedLabels
from aporia_provider.monitoring.estimation.expected_numbers import ExpectedNumber, normal_interval
from aporia_provider.monitoring.estimation.score_calibration import ScoreCalibration
from aporia_provider.monitoring.performance.parameters import Parameters
from aporia_provider.monitoring.performance.states.binary_state import Binary
from aporia_provider.monitoring.result import joined, unreliable, with_interval
from aporia_provider.monitoring.result_limits import MOST_LEFT_OUT, WIDEST_BOUND

MINIMUM_BASELINE = 1000
"""Default of the number of labelled rows of the baseline below which estimates are not reliable."""
_LEAST_OF_EACH = 10
_ROUNDING = 1e-12


@dataclass(frozen=True)
class LabelledBaseline:
    """
    A baseline with labels, and the calibration that is fitted to them on first use.

    :param state: State of the baseline.
    """

    state: Binary

    @cached_property
    def binned(self) -> BinnedScores:
        """The rows by bin of their score."""
        return BinnedScores.of(self.state)

    @cached_property
    def calibration(self) -> ScoreCalibration:
        """Share of positive labels by score; there has to be at least one labelled row."""
        return ScoreCalibration.of(self.binned)


@dataclass(frozen=True)
class Estimation:
    """
    Rows whose labels are estimated, and the baseline with labels.

    :param state: State of the rows.
    :param labelled_baseline: The baseline, with at least one labelled row.
    :param parameters: Parameters of the metric.
    :param minimum_baseline: Required number of labelled rows of the baseline.
    """

    state: Binary
    labelled_baseline: LabelledBaseline
    parameters: Parameters
    minimum_baseline: int = MINIMUM_BASELINE

    @property
    def baseline(self) -> Binary:
        """State of the baseline."""
        return self.labelled_baseline.state

    @cached_property
    def binned(self) -> BinnedScores:
        """The rows by bin of their score."""
        return BinnedScores.of(self.state)

    @cached_property
    def labels(self) -> ExpectedLabels:
        """Expected labels of all rows."""
        return ExpectedLabels.of(self.binned, self.labelled_baseline.calibration)

    @cached_property
    def labels_of_labelled(self) -> ExpectedLabels:
        """Expected labels of the rows whose labels are known."""
        return ExpectedLabels.of(self.binned, self.labelled_baseline.calibration, labelled=True)

    def result(
        self,
        number: ExpectedNumber,
        labels: ExpectedLabels,
        *,
        reason: str | None = None,
        p_value: float | None = None,
    ) -> MetricResult:
        """
        Return the result of a metric from its number.

        It is not reliable if there are too few rows, or too few labels in the baseline; if more than
        :data:`~.result_limits.MOST_LEFT_OUT` of the rows have scores at which the baseline has no labels, or
        of the labelled rows of the baseline cannot be compared; or if the bound is above
        :data:`~.result_limits.WIDEST_BOUND`.

        :param number: The number; undefined for ``reason`` if it has no value.
        :param labels: Expected labels that it was computed from.
        :param reason: Note about the number.
        :param p_value: Probability of such a number if the calibration is correct.
        """
        samples, needed = labels.count, self.parameters.minimum
        objections = list(self._objections(number, labels))
        result = MetricResult(
            number.value,
            "undefined" if number.value is None else "ok",
            samples,
            baseline_samples=self.baseline.labelled,
            bound=number.bound,
            p_value=p_value,
            left_out=self.baseline.left_out,
            reason=joined(*objections, reason, _of_baseline(self.baseline)),
            shortage=(samples, needed) if samples < needed else None,
        )
        result = with_interval(result, number.interval)
        return unreliable(result) if objections else result

    def _objections(self, number: ExpectedNumber, labels: ExpectedLabels) -> Iterator[str]:
        samples, baseline = labels.count, self.baseline
        if samples < self.parameters.minimum:
            yield f"only {samples} samples; {self.parameters.minimum} are needed"
        if baseline.labelled < self.minimum_baseline:
            yield (
                f"only {baseline.labelled} labels in the baseline; {self.minimum_baseline} are needed "
                f"(set minimum_baseline={baseline.labelled}, or give a longer baseline)"
            )
        rarer, least = min(baseline.true, baseline.false), min(_LEAST_OF_EACH, self.minimum_baseline)
        if rarer < least:
            yield f"only {rarer} labels of one class in the baseline; {least} are needed"
        if labels.outside > MOST_LEFT_OUT * samples:
            yield f"{labels.outside} of {samples} rows have scores at which the baseline has no labels"
        if baseline.left_out > MOST_LEFT_OUT * (baseline.labelled + baseline.left_out):
            yield f"{baseline.left_out} rows of the baseline with a prediction and a label are left out"
        if number.bound > WIDEST_BOUND:
            yield (
                f"the bound {number.bound:.3g} is too wide, since many scores are in one bin (the bins are "
                "derived from the scores of the training dataset, if one is connected)"
            )


def _of_baseline(baseline: Binary) -> str | None:
    return None if baseline.explanation is None else f"baseline: {baseline.explanation}"


def without_labels(result: MetricResult, state: Binary) -> MetricResult:
    """Return the result for a baseline without labels, with the numbers of rows of both."""
    return replace(result, samples=state.labelled + state.unlabelled.rows, baseline_samples=0)


_OUTDATED = (
    "the interval does not contain 0: labels differ from the labels of the baseline at the same scores, so "
    "metrics that are expected from this baseline are wrong"
)


def difference_result(
    estimation: Estimation, difference: float, variance: float, *, bound: float = 0.0, note: str | None = None
) -> MetricResult:
    """
    Return the result of an expected minus a realised number of the labelled rows.

    Its reason contains a note if the interval does not contain 0. The p-value is computed from a normal
    distribution.

    :param estimation: The estimation.
    :param difference: The difference.
    :param variance: Variance of the realised number around the expected one.
    :param bound: Maximum error, compared with the exact scores.
    :param note: Note about the number.
    """
    interval, error = (
        normal_interval(difference, variance, estimation.parameters.confidence),
        math.sqrt(variance),
    )
    distance = max(abs(difference) - _ROUNDING, 0.0)
    p_value = math.erfc(distance / error / math.sqrt(2)) if error else float(not distance)
    widened = interval.widened(bound + _ROUNDING)
    outdated = None if widened.low <= 0 <= widened.high else _OUTDATED
    number = ExpectedNumber(difference, bound, variance, interval)
    return estimation.result(
        number, estimation.labels_of_labelled, reason=joined(note, outdated), p_value=p_value
    )
