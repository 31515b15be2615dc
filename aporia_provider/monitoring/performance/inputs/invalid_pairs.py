"""Reasons why a prediction and its label cannot be compared, with counts and descriptions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

Fault = tuple[str, NDArray[np.bool_]]

NOT_FINITE, TOO_GREAT = "not_finite", "too_great"
NO_TRUTH, UNDECLARED = "no_truth", "undeclared"
NO_SCORE = "no_score"
UNLABELLED, OTHER_LENGTH, NO_RELEVANCE = "unlabelled", "other_length", "no_relevance"

AWAITED = (UNLABELLED,)
"""Faults of rows whose labels may still arrive. Results mention them, but do not count them as left out."""

_SHOWN = {
    NOT_FINITE: "NaN or an infinite number",
    TOO_GREAT: "a number too great to be squared",
    NO_TRUTH: (
        "a class that is neither true nor false (declare both classes as labels of the version, "
        'the positive one last, such as labels=["1", "2"])'
    ),
    UNDECLARED: "a class that is not one of the two declared as labels of the version",
    NO_SCORE: "a score that is missing, NaN or infinite",
    UNLABELLED: "candidates that have no label",
    OTHER_LENGTH: "different numbers of labels and candidates",
    NO_RELEVANCE: "a relevance that is NaN, infinite or negative",
}


def tally(unusable: NDArray[np.bool_], faults: Iterable[Fault], otherwise: str) -> dict[str, int]:
    """
    Return the number of rows by fault, where a row is counted for its first fault only.

    :param unusable: The rows to count.
    :param faults: Pairs of a fault and the rows that have it. Not evaluated if there are no rows to count.
    :param otherwise: Fault of the rows that have none of these.
    """
    counts: dict[str, int] = {}
    if not unusable.any():
        return counts
    for name, rows in faults:
        counts[name] = counts.get(name, 0) + int(np.count_nonzero(unusable & rows))
        unusable = unusable & ~rows
    counts[otherwise] = counts.get(otherwise, 0) + int(np.count_nonzero(unusable))
    return {name: count for name, count in counts.items() if count}


def explanation(faults: Mapping[str, int], noun: str) -> str | None:
    """
    Return a description of the faults; None if there are none.

    :param faults: Number of rows by fault.
    :param noun: Plural noun for the rows.
    """
    if not faults:
        return None
    parts = ", ".join(f"{faults[name]} with {shown}" for name, shown in _SHOWN.items() if name in faults)
    return f"{sum(faults.values())} {noun} have a prediction or label that cannot be compared: {parts}"


def tied(ties: int, noun: str) -> str | None:
    """
    Return a description of labels of the same time that differ; None if there are none.

    :param ties: Number of rows with such labels.
    :param noun: Plural noun for the rows.
    """
    if not ties:
        return None
    return (
        f"{ties} {noun} have different labels with the same timestamp, so the greatest is used: give "
        "corrections a later timestamp"
    )
