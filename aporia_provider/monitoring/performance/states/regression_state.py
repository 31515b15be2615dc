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
from aporia_provider.monitoring.performance.states.state_parts import NAMED_SUMS, named_sums
from aporia_provider.monitoring.portable_math import log1p
from aporia_provider.monitoring.states.exact_sums import exact_sum
from aporia_provider.monitoring.states.state import SUM, TOTAL, part

GREATEST = 1e150
"""Maximum magnitude of a usable number; the square of twice this value is finite."""
_GREATEST_ROOT = 1e75  # The fourth power is finite.
_GREATEST_SQUARED = 1e150
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
    :param moments: Sums that intervals are computed from, by name, over the rows in :attr:`squared`, those
        where all are finite. ``relative`` and ``log`` are the squares of the terms of
        :attr:`relative_errors` and :attr:`squared_log_errors`; ``e4``, ``e2y`` and so on are products of
        powers of the error and the label, and ``ey`` is the product of their absolute values.
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
    moments: dict[str, Fraction] = part(NAMED_SUMS)

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
        sums = {**_sums(p - y, y), **_ratios(p - y, y), **_logs(p, y), **_moments(p, y)}
        return cls(**comparable.counts, **sums)


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


def _relative(e: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratios: NDArray[np.float64] = np.abs(e / y)
    return ratios[np.isfinite(ratios)]


def _ratios(e: NDArray[np.float64], y: NDArray[np.float64]) -> dict[str, Any]:
    ratios = _relative(e, y)
    return {"relative_errors": exact_sum(ratios), "without_ratio": len(y) - len(ratios)}


def _log_errors(p: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    both = (p >= 0) & (y >= 0)
    errors: NDArray[np.float64] = log1p(p[both]) - log1p(y[both])
    return errors * errors


def _logs(p: NDArray[np.float64], y: NDArray[np.float64]) -> dict[str, Any]:
    errors = _log_errors(p, y)
    return {"squared_log_errors": exact_sum(errors), "negative": len(y) - len(errors)}


def _moments(p: NDArray[np.float64], y: NDArray[np.float64]) -> dict[str, Any]:
    e = p - y
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratios = np.abs(e / y)
    # Squares of labels may overflow, as may squares of ratios that are finite.
    usable = (np.abs(e) < _GREATEST_ROOT) & (np.abs(y) < _GREATEST_ROOT)
    usable &= ~((ratios >= _GREATEST_SQUARED) & np.isfinite(ratios))
    if not usable.all():
        p, y, e = p[usable], y[usable], e[usable]
    e2, y2 = e * e, y * y
    sums = named_sums(
        e4=e2 * e2,
        e2y=e2 * y,
        e2y2=e2 * y2,
        ey=np.abs(e) * np.abs(y),
        y3=y2 * y,
        y4=y2 * y2,
        relative=_relative(e, y) ** 2,
        log=_log_errors(p, y) ** 2,
    )
    return {"moments": sums, "squared": int(np.count_nonzero(usable))}
