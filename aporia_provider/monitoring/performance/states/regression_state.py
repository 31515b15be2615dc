"""State of regression: exact sums of errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from aporia_provider.monitoring.performance.inputs.column_values import Numbers, numbers
from aporia_provider.monitoring.performance.inputs.invalid_pairs import TOO_GREAT, Fault
from aporia_provider.monitoring.performance.options import Options
from aporia_provider.monitoring.performance.states.performance_state import (
    PerformanceState,
    of_one_length,
    usable_pairs,
)
from aporia_provider.monitoring.portable_math import log1p
from aporia_provider.monitoring.states.exact_sums import exact_sum
from aporia_provider.monitoring.states.state import SUM, TOTAL, part

GREATEST = 1e150
"""Maximum magnitude of a usable number; the square of twice this value is finite."""
_SPLITTER = 2.0**27 + 1


@dataclass(frozen=True)
class Regression(PerformanceState):
    """
    State of regression: sums over labelled rows, where the error is prediction - label.

    Squares of labels are summed exactly, so their variance is accurate however far they are from zero.

    :param errors: Sum of errors.
    :param absolute_errors: Sum of absolute errors.
    :param squared_errors: Sum of squared errors.
    :param labels: Sum of labels.
    :param absolute_labels: Sum of absolute labels.
    :param squared_labels: Sum of squared labels.
    :param relative_errors: Sum of ``|error / label|`` where it is finite.
    :param without_ratio: Labelled rows where it is not finite, since the label is zero or close to it.
    :param squared_log_errors: Sum of (ln(1 + prediction) - ln(1 + label))² where neither is negative.
    :param negative: Labelled rows where one of them is negative.
    """

    kind: ClassVar[str] = "regression-performance"

    errors: Fraction = part(SUM)
    absolute_errors: Fraction = part(SUM)
    squared_errors: Fraction = part(SUM)
    labels: Fraction = part(SUM)
    absolute_labels: Fraction = part(SUM)
    squared_labels: Fraction = part(SUM)
    relative_errors: Fraction = part(SUM)
    without_ratio: int = part(TOTAL)
    squared_log_errors: Fraction = part(SUM)
    negative: int = part(TOTAL)

    @classmethod
    def of(cls, predictions: Any, labels: Any, options: Options = Options()) -> Self:  # noqa: B008
        """
        Return the state of a batch of rows.

        :param predictions: Numbers. Numbers beyond :data:`GREATEST` are unusable.
        :param labels: Numbers.
        """
        of_one_length(predictions, labels)
        inputs = numbers(predictions), numbers(labels)
        prediction, label = map(_bounded, inputs)
        comparable = usable_pairs(prediction, label, _too_great(*inputs))
        p, y = comparable.of(prediction.values), comparable.of(label.values)
        return cls(**comparable.counts, **_sums(p - y, y), **_ratios(p - y, y), **_logs(p, y))


def _bounded(read: Numbers) -> Numbers:
    within = np.abs(read.values) <= GREATEST
    return read if within.all() else Numbers(np.where(within, read.values, np.nan), read.given)


def _too_great(*inputs: Numbers) -> Iterator[Fault]:
    for column in inputs:
        yield TOO_GREAT, np.abs(column.values) > GREATEST


def _sums(e: NDArray[np.float64], y: NDArray[np.float64]) -> dict[str, Any]:
    squares, rounding_errors = _square(y)
    return {
        "errors": exact_sum(e),
        "absolute_errors": exact_sum(np.abs(e)),
        "squared_errors": exact_sum(e * e),
        "labels": exact_sum(y),
        "absolute_labels": exact_sum(np.abs(y)),
        "squared_labels": exact_sum(squares) + exact_sum(rounding_errors),
    }


def _square(y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Return the square and its rounding error (Dekker, *A floating-point technique*, Numer. Math. 18, 1971).
    """
    wide = _SPLITTER * y
    high = wide - (wide - y)
    low = y - high
    square = y * y
    return square, ((high * high - square) + 2 * high * low) + low * low


def _ratios(e: NDArray[np.float64], y: NDArray[np.float64]) -> dict[str, Any]:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratios = np.abs(e / y)
    finite = np.isfinite(ratios)
    return {
        "relative_errors": exact_sum(ratios[finite]),
        "without_ratio": len(y) - int(np.count_nonzero(finite)),
    }


def _logs(p: NDArray[np.float64], y: NDArray[np.float64]) -> dict[str, Any]:
    both = (p >= 0) & (y >= 0)
    errors = log1p(p[both]) - log1p(y[both])
    return {
        "squared_log_errors": exact_sum(errors * errors),
        "negative": len(y) - int(np.count_nonzero(both)),
    }
