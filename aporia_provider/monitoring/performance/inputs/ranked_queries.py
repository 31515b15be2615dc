"""Conversion of ranking queries to the relevances of their candidates, in ranked and in ideal order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.performance.inputs.column_values import (
    Numbers,
    is_text,
    numbers,
    plain,
    renumber,
)
from aporia_provider.monitoring.performance.inputs.invalid_pairs import (
    NO_RELEVANCE,
    NO_SCORE,
    OTHER_LENGTH,
    UNLABELLED,
)
from aporia_provider.monitoring.performance.inputs.label_sets import listed
from aporia_provider.monitoring.performance.inputs.nested_values import Elements, elements
from aporia_provider.monitoring.performance.options import Candidates, Options
from aporia_provider.monitoring.performance.parameters import GREATEST_K
from aporia_provider.monitoring.performance.states.performance_state import (
    UsableRows,
    of_one_length,
    usable_rows,
)

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Queries:
    """
    Labelled queries, one row each.

    :param counts: ``rows``, ``labelled`` and ``faults``.
    :param ranked: Relevances of the first 12 candidates in ranked order; 0 beyond the last.
    :param ideal: Relevances of the 12 most relevant candidates in descending order.
    :param relevant: Number of relevant items.
    :param lengths: Number of candidates.
    """

    counts: dict[str, Any]
    ranked: Matrix
    ideal: Matrix
    relevant: NDArray[np.int64]
    lengths: NDArray[np.int64]


def read_queries(predictions: Any, labels: Any, options: Options) -> Queries:
    """
    Return the labelled queries of a batch.

    :raises aporia_provider.errors.ValidationError: if the columns are not arrays, or their elements have the
        wrong type.
    """
    of_one_length(predictions, labels)
    predictions, labels = plain(predictions), plain(labels)
    prediction, label = elements(predictions), elements(labels)
    if _candidates(prediction, label, options) == "items":
        return _of_items(predictions, labels)
    scored = _candidates(prediction, label, options) == "scores"
    scores = numbers(prediction.values) if scored else None
    return _of_candidates(prediction, label, scores, options.relevant_above)


def _candidates(prediction: Elements, label: Elements, options: Options) -> Candidates:
    if options.candidates:
        return options.candidates
    if not is_text(prediction.values.type):
        return "scores"
    return "items" if is_text(label.values.type) else "positions"


def _of_candidates(prediction: Elements, label: Elements, scores: Numbers | None, above: float) -> Queries:
    relevances = _relevances(label)
    comparable = _judge(prediction, label, scores, relevances)
    count = comparable.counts["labelled"]
    rows, truth = _of_usable_rows(label.rows, relevances.values, comparable.usable)
    order: NDArray[np.int64] = np.arange(len(rows))
    if scores is not None:
        order = np.lexsort((-_of_usable_rows(prediction.rows, scores.values, comparable.usable)[1], rows))
    return Queries(
        comparable.counts,
        _matrix(rows, truth[order], count),
        _matrix(rows, truth[np.lexsort((-truth, rows))], count),
        np.bincount(rows[truth > above], minlength=count),
        np.bincount(rows, minlength=count),
    )


def _judge(prediction: Elements, label: Elements, scores: Numbers | None, relevances: Numbers) -> UsableRows:
    count = len(prediction.given)
    served, named = (np.bincount(side.rows, minlength=count) for side in (prediction, label))
    unknown = np.bincount(label.rows[~relevances.given], minlength=count)
    # A query is unlabelled if none of its candidates has a label.
    labelled = label.given & ((named == 0) | (unknown < named))
    # Relevances of candidates that the prediction does not contain cannot be used.
    comparable = ~prediction.given | (served == named)
    usable_labels = labelled & comparable & _all(label.rows, relevances.values >= 0, count)
    predicted = prediction.given
    if scores is not None:
        predicted = predicted & _all(prediction.rows, scores.usable, count)
    faults = [
        (OTHER_LENGTH, labelled & ~comparable),
        (UNLABELLED, labelled & (unknown > 0)),
        (NO_RELEVANCE, labelled & ~usable_labels),
    ]
    return usable_rows(predicted, usable_labels, prediction.given, labelled, faults, NO_SCORE)


def _relevances(label: Elements) -> Numbers:
    if is_text(label.values.type):
        raise ValidationError("Relevances must be numbers or booleans; the labels are text")
    return numbers(label.values)


def _all(rows: NDArray[np.int64], good: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    """Return, for each row, whether ``good`` is true for all its elements."""
    all_good: NDArray[np.bool_] = np.bincount(rows[~good], minlength=count) == 0
    return all_good


def _of_usable_rows(
    rows: NDArray[np.int64], values: Matrix, usable: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], Matrix]:
    """Return the elements of usable rows, with the rows renumbered."""
    is_usable = usable[rows]
    return (np.cumsum(usable) - 1)[rows[is_usable]], values[is_usable]


def _matrix(rows: NDArray[np.int64], values: Matrix, count: int) -> Matrix:
    """Return the first 12 values of each row as a matrix, padded with zeros; ``rows`` is ascending."""
    starts = np.searchsorted(rows, np.arange(count))
    positions = np.arange(len(rows)) - starts[rows]
    fits = positions < GREATEST_K
    matrix = np.zeros((count, GREATEST_K))
    matrix[rows[fits], positions[fits]] = values[fits]
    return matrix


def _of_items(predictions: Any, labels: Any) -> Queries:
    prediction, label = listed(predictions), listed(labels)
    comparable = usable_rows(prediction.given, label.given, prediction.given, label.given)
    table, names = renumber([*prediction.names, *label.names])
    many = max(len(names), 1)
    served = prediction.rows * many + table[prediction.codes]
    relevant_items = np.unique(label.rows * many + table[label.codes + len(prediction.names)])
    # Only the first occurrence of an item in a prediction is a hit.
    first = np.isin(np.arange(len(served)), np.unique(served, return_index=True)[1])
    rows, hits = _of_usable_rows(
        prediction.rows, (first & np.isin(served, relevant_items)).astype(np.float64), comparable.usable
    )
    count = comparable.counts["labelled"]
    relevant = np.bincount(relevant_items // many, minlength=len(comparable.usable))[comparable.usable]
    ideal = (np.arange(GREATEST_K) < relevant[:, None]).astype(np.float64)
    return Queries(
        comparable.counts, _matrix(rows, hits, count), ideal, relevant, np.bincount(rows, minlength=count)
    )
