"""Scores of classes in dicts or vectors, and the class with the greatest score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.performance.inputs.column_values import (
    Classes,
    Numbers,
    given_rows,
    numbers,
    plain,
    renumber,
)
from aporia_provider.monitoring.performance.inputs.nested_values import (
    Named,
    elements,
    is_dict,
    is_list,
    named,
)


def has_scores(type_: Any) -> bool:
    """Return whether the values of a type contain a score for each class."""
    return is_dict(type_) or is_list(type_)


def class_scores(array: Any, names: Sequence[str], named_as: Callable[[str], str]) -> Named:
    """
    Return the scores of classes. If a row has several scores of one class, the last one is used.

    :param array: Dicts of classes to scores, or vectors of scores.
    :param names: Classes of the elements of a vector. Default: ``"0"``, ``"1"``, …
    :param named_as: Function that returns the normalized name of a class.
    :raises aporia_provider.errors.ValidationError: if a vector is longer than ``names``.
    """
    array = plain(array)
    scores = named(array, numbers) if is_dict(array.type) else _of_vectors(array, names)
    table, class_names = renumber([named_as(name) for name in scores.names])
    codes = table[scores.codes] if len(table) else scores.codes
    keys = scores.rows * max(len(class_names), 1) + codes
    last = np.arange(len(keys))
    if not (np.diff(keys) > 0).all():
        last = np.sort(len(keys) - 1 - np.unique(keys[::-1], return_index=True)[1])
    if len(last) == len(keys):
        return Named(scores.rows, codes, class_names, scores.values, scores.given)
    values = Numbers(scores.values.values[last], scores.values.given[last])
    return Named(scores.rows[last], codes[last], class_names, values, scores.given)


def top_class(scores: Named) -> Classes:
    """
    Return the class with the greatest score in each row; of equal scores, the first one.

    Classes with a null score are ignored; a row with a score that is NaN or infinite has no class.
    """
    codes = np.full(len(scores.given), -1, dtype=np.int64)
    first = _greatest(scores)
    codes[scores.rows[first]] = scores.codes[first]
    broken = scores.rows[scores.values.given & ~scores.values.usable]
    codes[broken] = -1
    return Classes(codes, scores.names, scores.given)


def _of_vectors(array: Any, names: Sequence[str]) -> Named:
    vectors = elements(array)
    starts = np.searchsorted(vectors.rows, np.arange(len(array)))
    positions = np.arange(len(vectors.rows)) - starts[vectors.rows]
    longest = int(positions.max(initial=-1)) + 1
    if names and longest > len(names):
        raise ValidationError(f"A vector has {longest} scores, but only {len(names)} classes are declared")
    return Named(
        vectors.rows,
        positions,
        list(names) or list(map(str, range(longest))),
        numbers(vectors.values),
        given_rows(array),
    )


def _greatest(scores: Named) -> NDArray[np.int64]:
    """Return the index of the first greatest score of each row that has a score."""
    indices = np.flatnonzero(scores.values.usable)
    rows, values = scores.rows[indices], scores.values.values[indices]
    if not len(rows):
        return indices
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    greatest = np.repeat(np.maximum.reduceat(values, starts), np.diff(starts, append=len(rows)))
    best = indices[values == greatest]
    best_rows = scores.rows[best]
    first: NDArray[np.int64] = best[np.diff(best_rows, prepend=-1) > 0]
    return first
