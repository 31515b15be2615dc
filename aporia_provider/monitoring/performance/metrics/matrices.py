"""Confusion matrices as values of metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from aporia_provider.monitoring.performance.metric_value import Value


def matrix_answer(concluded: Value, names: Sequence[str], counts: Sequence[Sequence[int]]) -> Value:
    """
    Return the value of a confusion matrix.

    :param concluded: Value of a number from the same rows, whose notes are kept.
    :param names: The classes.
    :param counts: Numbers of rows by label, then by predicted class, as in scikit-learn.
    """
    if concluded.shown is None:
        return concluded
    return replace(concluded, shown={"labels": list(names), "matrix": [list(row) for row in counts]})
