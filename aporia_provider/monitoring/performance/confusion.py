"""Confusion counts, rates computed from them, and averages over classes."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Literal, TypeVar

from aporia_provider.errors import ValidationError
from aporia_provider.metrics import Average
from aporia_provider.monitoring.performance.states.histogram_bins import HistogramBins
from aporia_provider.nearest import nearest
from aporia_provider.version_comparisons import Better

_MOST_NAMED = 5
T = TypeVar("T")


@dataclass(frozen=True)
class Confusion:
    """
    Numbers of rows by prediction and label.

    :param tp: Predicted and true.
    :param fp: Predicted, but not true.
    :param fn: Not predicted, but true.
    :param tn: Neither predicted nor true.
    """

    tp: int
    fp: int
    fn: int
    tn: int

    def __add__(self, other: Confusion) -> Confusion:
        return Confusion(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn)

    @property
    def total(self) -> int:
        """Number of all rows."""
        return self.tp + self.fp + self.fn + self.tn


@dataclass(frozen=True)
class ThresholdConfusion:
    """
    Confusion counts at a threshold.

    :param counts: Counts at the bin edge nearest to the threshold.
    :param corners: Four extremes between which the exact counts lie; empty if the threshold is on an edge.
    """

    counts: Confusion
    corners: tuple[Confusion, ...] = ()

    def __add__(self, other: ThresholdConfusion) -> ThresholdConfusion:
        corners_of_self, corners_of_other = (
            self.corners or (self.counts,) * 4,
            other.corners or (other.counts,) * 4,
        )
        corners = (
            tuple(map(operator.add, corners_of_self, corners_of_other))
            if self.corners or other.corners
            else ()
        )
        return ThresholdConfusion(self.counts + other.counts, corners)


@dataclass(frozen=True)
class Rate:
    """
    A ratio of counts that is monotone in each count.

    :param top: Numerator.
    :param bottom: Denominator.
    :param undefined: Reason given if the denominator is zero.
    :param description: See :attr:`~.metric_definition.MetricDefinition.description`.
    :param better: See :attr:`~.metric_definition.PerformanceMetric.better`.
    """

    top: Callable[[Confusion], int]
    bottom: Callable[[Confusion], int]
    undefined: str
    description: str
    better: Better = "higher"

    def of(self, counts: Confusion) -> float | None:
        """Return the rate, or None if its denominator is zero."""
        bottom = self.bottom(counts)
        return self.top(counts) / bottom if bottom else None

    def bounded(self, confusion: ThresholdConfusion) -> tuple[float | None, float]:
        """Return the rate at a threshold, and the maximum difference from the exact one."""
        rate = self.of(confusion.counts)
        if rate is None:
            return None, 0.0
        others = [self.of(corner) for corner in confusion.corners]
        # If the exact rate may be undefined, it may be any number from 0 to 1.
        return rate, max(
            (max(rate, 1 - rate) if other is None else abs(other - rate) for other in others), default=0.0
        )


RATES: Mapping[str, Rate] = {
    "accuracy": Rate(
        lambda c: c.tp + c.tn, lambda c: c.total, "there are no rows", "proportion of correct predictions"
    ),
    "precision": Rate(
        lambda c: c.tp,
        lambda c: c.tp + c.fp,
        "no row is predicted positive",
        "proportion of the rows predicted positive whose label is positive",
    ),
    "recall": Rate(
        lambda c: c.tp,
        lambda c: c.tp + c.fn,
        "no label is positive",
        "proportion of the positive labels that are predicted positive",
    ),
    "f1": Rate(
        lambda c: 2 * c.tp,
        lambda c: 2 * c.tp + c.fp + c.fn,
        "no row has a positive label or prediction",
        "harmonic mean of precision and recall",
    ),
    "fp_rate": Rate(
        lambda c: c.fp,
        lambda c: c.fp + c.tn,
        "no label is negative",
        "proportion of the negative labels that are predicted positive",
        "lower",
    ),
    "miss_rate": Rate(
        lambda c: c.fn,
        lambda c: c.fn + c.tp,
        "no label is positive",
        "proportion of the positive labels that are predicted negative",
        "lower",
    ),
    "specificity": Rate(
        lambda c: c.tn,
        lambda c: c.tn + c.fp,
        "no label is negative",
        "proportion of the negative labels that are predicted negative",
    ),
}
"""
Rates as defined by ISO/IEC TS 4213:2022 and scikit-learn. F1, the harmonic mean of precision and recall, is
computed from counts (van Rijsbergen, *Information Retrieval*, 1979), so it does not require either to be
defined.
"""
CELLS: Mapping[str, str] = {
    "tp": "true positives",
    "tn": "true negatives",
    "fp": "false positives",
    "fn": "false negatives",
}
"""Names of the counts, with descriptions."""


def confusion_at(
    positives: Sequence[int], negatives: Sequence[int], bins: HistogramBins, threshold: float
) -> ThresholdConfusion:
    """
    Return the confusion counts of scores at a threshold. Scores at or above it are predicted positive.

    :param positives: Rows whose label is positive, by bin; empty if there are none.
    :param negatives: All other rows, by bin; empty if there are none.
    :raises aporia_provider.errors.ValidationError: if the threshold is outside the edges.
    """
    position = bins.place(threshold)
    counts = _split(positives, negatives, position.first)
    if position.split is None:
        return ThresholdConfusion(counts)
    moved = [
        counts_by_bin[position.split] if counts_by_bin else 0 for counts_by_bin in (positives, negatives)
    ]
    least = _split(positives, negatives, position.split + 1)
    corners = [
        Confusion(least.tp + tp, least.fp + fp, least.fn - tp, least.tn - fp)
        for tp in (0, moved[0])
        for fp in (0, moved[1])
    ]
    return ThresholdConfusion(counts, tuple(corners))


def _split(positives: Sequence[int], negatives: Sequence[int], first: int) -> Confusion:
    tp, fp = sum(positives[first:]), sum(negatives[first:])
    return Confusion(tp, fp, sum(positives) - tp, sum(negatives) - fp)


@dataclass(frozen=True)
class Averaged:
    """
    Average of a rate over classes.

    :param number: The average; None if it is undefined.
    :param bound: Maximum difference from the exact average.
    :param reason: Why it is undefined, or which classes are left out.
    """

    number: float | None
    bound: float = 0.0
    reason: str | None = None


def averaged(rate: Rate, confusions: Mapping[str, ThresholdConfusion], average: Average) -> Averaged:
    """
    Return the average of a rate over classes, as scikit-learn with ``zero_division=nan``.

    Classes whose rate is undefined are left out and named in the reason; scikit-learn's default counts them
    as 0.

    :param average: ``micro`` adds the counts first, ``macro`` is the mean, ``weighted`` is the mean weighted
        by the number of labels of each class.
    """
    if average == "micro":
        number, bound = rate.bounded(
            reduce(operator.add, confusions.values(), ThresholdConfusion(Confusion(0, 0, 0, 0)))
        )
        return Averaged(number, bound, None if number is not None else rate.undefined)
    weights = {name: _weight(confusion.counts, average) for name, confusion in confusions.items()}
    rates = {name: rate.bounded(confusion) for name, confusion in confusions.items()}
    defined = [
        (number, bound, weights[name]) for name, (number, bound) in rates.items() if number is not None
    ]
    total = sum(weight for _, _, weight in defined)
    if not total:
        return Averaged(None, 0.0, rate.undefined)
    left_out = [name for name, (number, _) in rates.items() if number is None]
    return Averaged(
        sum(number * weight for number, _, weight in defined) / total,
        sum(bound * weight for _, bound, weight in defined) / total,
        f"left out {listed(left_out)}: {rate.undefined}" if left_out else None,
    )


def _weight(counts: Confusion, average: Literal["macro", "weighted"]) -> int:
    return 1 if average == "macro" else counts.tp + counts.fn


def listed(names: Sequence[str]) -> str:
    """Return a text that lists at most five names."""
    shown = ", ".join(map(repr, names[:_MOST_NAMED]))
    more = len(names) - _MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def pick(name: str | None, confusions: Mapping[str, T], noun: str) -> T:
    """
    Return the value of one class, such as its confusion counts.

    :raises aporia_provider.errors.ValidationError: if there is no such class, listing the existing ones.
    """
    if name is None:
        raise ValidationError(f"The metric requires class_name; {nearest('', confusions)}")
    if name not in confusions:
        raise ValidationError(f"There is no {noun} {name!r}; {_hint(name, list(confusions))}")
    return confusions[name]


def _hint(name: str, names: Sequence[str]) -> str:
    hint = nearest(name, names)
    # Without a similar name, the hint lists the names itself.
    return f"{hint} There are {listed(names)}" if hint.endswith("?") else hint
