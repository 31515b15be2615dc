"""Rates, areas and mean losses that are expected without labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import numpy as np

from aporia_provider.monitoring.confidence.areas import AreaError, area_interval
from aporia_provider.monitoring.confidence.interval import Interval
from aporia_provider.monitoring.confidence.proportions import rate_interval
from aporia_provider.monitoring.confidence.quantiles import normal_quantile
from aporia_provider.monitoring.estimation.binned_scores import BinnedScores, Floats
from aporia_provider.monitoring.estimation.expected_labels import ExpectedLabels
from aporia_provider.monitoring.performance.confusion import Confusion, Rate, ThresholdConfusion, confusion_at
from aporia_provider.monitoring.performance.parameters import CLIP
from aporia_provider.monitoring.performance.states.binary_state import Binary
from aporia_provider.monitoring.portable_math import log

_TP, _FP, _FN, _TN = (
    Confusion(1, 0, 0, 0),
    Confusion(0, 1, 0, 0),
    Confusion(0, 0, 1, 0),
    Confusion(0, 0, 0, 1),
)


@dataclass(frozen=True)
class ExpectedNumber:
    """
    A number that is expected without labels.

    :param value: The number; None if it is undefined.
    :param bound: Maximum difference from the number for the exact scores.
    :param variance: Variance of the number for the true labels, around :attr:`value`.
    :param interval: Interval that contains the number with a given confidence.
    """

    value: float | None
    bound: float = 0.0
    variance: float = 0.0
    interval: Interval | None = None


def expected_rate(rate: Rate, labels: ExpectedLabels, threshold: float, confidence: float) -> ExpectedNumber:
    """
    Return an expected rate.

    :param rate: The rate.
    :param labels: Expected labels.
    :param threshold: Smallest score of a row that is predicted positive.
    :param confidence: Probability that the interval contains the rate.
    """
    confusion = expected_confusion(labels, threshold)
    value, bound = rate.bounded(confusion)
    if value is None:
        return ExpectedNumber(None)
    bottom = rate.bottom(confusion.counts)
    tp, fp, fn, tn = ((rate.top(cell) - value * rate.bottom(cell)) / bottom for cell in (_TP, _FP, _FN, _TN))
    position = labels.binned.bins.place(threshold)
    predicted = np.arange(len(labels.rows)) >= position.first
    variance = labels.variance(np.where(predicted, tp - fp, fn - tn))
    interval = rate_interval(min(value, 1.0), variance, bottom, normal_quantile(confidence))
    return ExpectedNumber(value, bound, variance, interval)


def expected_confusion(labels: ExpectedLabels, threshold: float) -> ThresholdConfusion:
    """Return the expected confusion counts at a threshold, which are not whole."""
    positives, negatives = (cast("list[int]", side.tolist()) for side in (labels.positives, labels.negatives))
    return confusion_at(positives, negatives, labels.binned.bins, threshold)


def expected_area(labels: ExpectedLabels, confidence: float) -> ExpectedNumber:
    """
    Return the expected area under the ROC curve.

    It is the expected number of pairs of a true and a false label in the right order, divided by the number
    of all pairs. Pairs in one bin count half.

    :param labels: Expected labels.
    :param confidence: Probability that the interval contains the area.
    """
    true, false = labels.positives, labels.negatives
    trues, falses = float(true.sum()), float(false.sum())
    if trues <= 0 or falses <= 0:
        return ExpectedNumber(None)
    below, above = np.cumsum(false) - false / 2, trues - np.cumsum(true) + true / 2
    pairs = trues * falses
    area = min(float(true @ below) / pairs, 1.0)
    derivative = (below - above - area * (falses - trues)) / pairs
    tied = float((true * false)[~labels.binned.exact].sum()) / (2 * pairs)
    variance = labels.variance(derivative)
    interval = area_interval(area, AreaError(variance), min(trues, falses), confidence)
    return ExpectedNumber(area, tied, variance, interval)


@dataclass(frozen=True)
class Loss:
    """
    A loss of a probability.

    :param of_true: Loss of a row whose label is true, by its score.
    :param of_false: Loss of a row whose label is false.
    :param total: Sum of the losses of the labelled rows of a state, computed from their exact scores.
    :param greatest: Greatest possible mean.
    """

    of_true: Callable[[Floats], Floats]
    of_false: Callable[[Floats], Floats]
    total: Callable[[Binary], Fraction]
    greatest: float


LOG_LOSS = Loss(
    lambda scores: -log(np.clip(scores, CLIP, 1 - CLIP)),
    lambda scores: -log(np.clip(1 - scores, CLIP, 1 - CLIP)),
    lambda state: state.log_loss,
    float("inf"),
)
BRIER = Loss(lambda scores: (1 - scores) ** 2, lambda scores: scores**2, lambda state: state.brier, 1.0)


def expected_loss(loss: Loss, labels: ExpectedLabels, difference: float, confidence: float) -> ExpectedNumber:
    """
    Return an expected mean loss.

    The scores of a bin are replaced by one score that represents it, and the difference that this makes in
    the baseline is added.

    :param loss: The loss.
    :param labels: Expected labels.
    :param difference: Result of :func:`loss_difference` for the baseline.
    :param confidence: Probability that the interval contains the mean.
    """
    binned, count = labels.binned, labels.rows.sum()
    true, false = loss.of_true(binned.scores), loss.of_false(binned.scores)
    mean = float(labels.positives @ true + labels.negatives @ false) / count + difference
    errors = (
        np.maximum(*(np.abs(part(end) - rows) for end in (binned.lower, binned.upper)))
        for part, rows in ((loss.of_true, true), (loss.of_false, false))
    )
    of_true, of_false = (np.where(binned.exact, 0.0, error) for error in errors)
    bound = float(labels.positives @ of_true + labels.negatives @ of_false) / count + abs(difference)
    variance = labels.variance((true - false) / count)
    value = min(max(mean, 0.0), loss.greatest)
    interval = normal_interval(value, variance, confidence).within(0.0, loss.greatest)
    return ExpectedNumber(value, bound, variance, interval)


def normal_interval(value: float, variance: float, confidence: float) -> Interval:
    """Return the interval of a number with a normally distributed error."""
    half = normal_quantile(confidence) * float(np.sqrt(variance))
    return Interval(value, value - half, value + half)


def loss_difference(loss: Loss, state: Binary, binned: BinnedScores) -> float:
    """
    Return the mean loss of labelled rows minus the mean loss of the scores that represent their bins.

    :param loss: The loss.
    :param state: State of the rows.
    :param binned: The same rows by bin.
    """
    of_bins = binned.positives @ loss.of_true(binned.scores) + binned.negatives @ loss.of_false(binned.scores)
    return (float(loss.total(state)) - float(of_bins)) / state.labelled
