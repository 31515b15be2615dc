"""Confusion matrices as values of metrics."""

from __future__ import annotations

from collections.abc import Sequence

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.performance.result_construction import with_value


def matrix_answer(
    concluded: MetricResult, names: Sequence[str], counts: Sequence[Sequence[int]]
) -> MetricResult:
    """
    Return the result of a confusion matrix.

    :param concluded: Result of another metric of the same rows. All its attributes but the value are kept.
    :param names: The classes.
    :param counts: Numbers of rows by label, then by predicted class, as in scikit-learn.
    """
    if concluded.number is None:
        return concluded
    return with_value(concluded, {"labels": list(names), "matrix": [list(row) for row in counts]})
