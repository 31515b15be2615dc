"""Intervals of rates, and of averages of rates over classes, from confusion counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aporia_provider.metrics import Average
from aporia_provider.monitoring.confidence.interval import Interval
from aporia_provider.monitoring.confidence.proportions import rate_interval
from aporia_provider.monitoring.performance.confusion import Confusion, Rate, ThresholdConfusion

_CELLS = (Confusion(1, 0, 0, 0), Confusion(0, 1, 0, 0), Confusion(0, 0, 1, 0), Confusion(0, 0, 0, 1))
"""The counts of one row that is a true positive, false positive, false negative or true negative."""

Matrix = Mapping[str, Mapping[str, int]]
"""Numbers of rows by label, then by predicted class."""


def interval_of_rate(rate: Rate, counts: Confusion, z: float) -> Interval | None:
    """
    Return the interval of a rate by the delta method; None if the rate is undefined.

    It is Wilson's interval if the rate is a proportion of the rows in its denominator.

    :param rate: The rate.
    :param counts: Confusion counts, with a multinomial distribution.
    :param z: Number of standard errors, see :func:`~.quantiles.normal_quantile`.
    """
    numbers = (counts.tp, counts.fp, counts.fn, counts.tn)
    return _interval_of_sums(rate, list(zip(numbers, _CELLS, strict=True)), z)


def _interval_of_sums(rate: Rate, rows: Sequence[tuple[int, Confusion]], z: float) -> Interval | None:
    """
    Return the interval of a rate of sums of counts.

    :param rows: Numbers of rows, each with the counts that one such row adds.
    """
    influence = _Influence.of(rate, rows)
    if influence is None:
        return None
    variance = sum(count * influence.derivative(rate, added) ** 2 for count, added in rows)
    return rate_interval(influence.rate, variance, influence.size, z)


@dataclass(frozen=True)
class _Influence:
    """
    A rate, and what its derivatives are computed from.

    :param bottom: Denominator.
    :param size: Size of a sample whose proportion has the variance of a rate close to 0 or 1.
    """

    rate: float
    bottom: int
    size: float

    @classmethod
    def of(cls, rate: Rate, rows: Sequence[tuple[int, Confusion]]) -> _Influence | None:
        top, bottom = (sum(count * part(added) for count, added in rows) for part in (rate.top, rate.bottom))
        if not bottom:
            return None
        parts = [rate.bottom(added) - rate.top(added) if top else rate.top(added) for _, added in rows]
        return cls(top / bottom, bottom, bottom / max(1, *parts))

    def derivative(self, rate: Rate, added: Confusion) -> float:
        """Return the derivative of the rate by the number of rows that add these counts."""
        return (rate.top(added) - self.rate * rate.bottom(added)) / self.bottom


def interval_of_average(
    rate: Rate, matrix: Matrix, confusions: Mapping[str, ThresholdConfusion], average: Average, z: float
) -> Interval | None:
    """
    Return the interval of the average of a rate over classes by the delta method; None if it is undefined.

    Each row is one label and one prediction, so the counts in the confusion matrix have a multinomial
    distribution, although the rows of the classes are dependent.

    :param rate: The rate.
    :param matrix: The confusion matrix.
    :param confusions: Counts of each class against all others.
    :param average: See :func:`~.confusion.averaged`.
    :param z: Number of standard errors, see :func:`~.quantiles.normal_quantile`.
    """
    if average == "micro":
        return _interval_of_sums(rate, _kinds(matrix, len(confusions)), z)
    weights = {
        name: 1 if average == "macro" else one.counts.tp + one.counts.fn
        for name, one in confusions.items()
        if rate.bottom(one.counts)
    }
    if not sum(weights.values()):
        return None
    return _Average.of(rate, confusions, weights).interval(matrix, average == "weighted", z)


def _kinds(matrix: Matrix, classes: int) -> list[tuple[int, Confusion]]:
    """Return the numbers of correct and of other rows, with what one adds to the counts of all classes."""
    right = sum(row.get(name, 0) for name, row in matrix.items())
    wrong = sum(sum(row.values()) for row in matrix.values()) - right
    return [(right, Confusion(1, 0, 0, classes - 1)), (wrong, Confusion(0, 1, 1, classes - 2))]


@dataclass(frozen=True)
class _ClassPart:
    """
    Part of a class in an average.

    :param rate: Rate of the class.
    :param share: Weight of the class, as a proportion.
    :param size: See :class:`_Influence`.
    :param changes: Derivatives of the average by the number of rows that are not true negatives of the class,
        minus the derivative by the number of true negatives: ``tp``, ``fp``, ``fn``.
    :param absent: Derivative by the number of true negatives.
    """

    rate: float
    share: float
    size: float
    changes: tuple[float, float, float]
    absent: float


@dataclass(frozen=True)
class _Average:
    """An average of the rates of classes."""

    parts: Mapping[str, _ClassPart]

    @classmethod
    def of(
        cls, rate: Rate, confusions: Mapping[str, ThresholdConfusion], weights: Mapping[str, int]
    ) -> _Average:
        total = sum(weights.values())
        return cls(
            {
                name: _part(rate, confusions[name].counts, weight / total)
                for name, weight in weights.items()
                if weight
            }
        )

    def interval(self, matrix: Matrix, weighted: bool, z: float) -> Interval:
        """
        Return the interval of the average.

        :param matrix: The confusion matrix.
        :param weighted: Whether the weights are numbers of labels, which depend on the matrix.
        :param z: Number of standard errors.
        """
        mean = sum(part.share * part.rate for part in self.parts.values())
        labels = sum(sum(row.values()) for name, row in matrix.items() if name in self.parts)
        absent = sum(part.absent for part in self.parts.values())
        variance = 0.0
        for true, row in matrix.items():
            moved = (self.parts[true].rate - mean) / labels if weighted and true in self.parts else 0.0
            variance += sum(
                count * (absent + moved + self._change(true, predicted)) ** 2
                for predicted, count in row.items()
            )
        size = 1 / sum(part.share * part.share / part.size for part in self.parts.values())
        return rate_interval(min(max(mean, 0.0), 1.0), variance, size, z)

    def _change(self, true: str, predicted: str) -> float:
        """Return the derivative by a number of the matrix, minus the derivative by rows of other classes."""
        tp, _, fn = self._changes(true)
        return tp if true == predicted else fn + self._changes(predicted)[1]

    def _changes(self, name: str) -> tuple[float, float, float]:
        return self.parts[name].changes if name in self.parts else (0.0, 0.0, 0.0)


def _part(rate: Rate, counts: Confusion, share: float) -> _ClassPart:
    numbers = (counts.tp, counts.fp, counts.fn, counts.tn)
    influence = _Influence.of(rate, list(zip(numbers, _CELLS, strict=True)))
    if influence is None:
        raise ValueError("The rate of the class is undefined")
    tp, fp, fn, tn = (share * influence.derivative(rate, cell) for cell in _CELLS)
    return _ClassPart(influence.rate, share, influence.size, (tp - tn, fp - tn, fn - tn), tn)
