"""Confusion matrices as answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from aporia_provider.monitoring.performance.metric_value import Value


def matrix_answer(concluded: Value, names: Sequence[str], counts: Sequence[Sequence[int]]) -> Value:
    """
    The answer that shows a matrix.

    :param concluded: The answer of a number from the same rows, with what is to be known about it.
    :param names: The classes.
    :param counts: For each of them as label, rows by predicted class: scikit-learn's order.
    """
    if concluded.shown is None:
        return concluded
    return replace(concluded, shown={"labels": list(names), "matrix": [list(row) for row in counts]})
