"""The scores of classes in a dict or a vector, and the class that they predict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.performance.inputs.nested_values import (
    Named,
    elements,
    is_dict,
    is_list,
    named,
)
from aporia_provider.monitoring.performance.inputs.readings import (
    Classes,
    Numbers,
    given_rows,
    numbers,
    plain,
    renumber,
)


def has_scores(type_: Any) -> bool:
    """Whether a type holds scores of classes."""
    return is_dict(type_) or is_list(type_)


def class_scores(array: Any, names: Sequence[str], named_as: Callable[[str], str]) -> Named:
    """
    Read scores of classes. Of several scores of one class in a row the last counts.

    :param array: Dicts of class to score, or vectors of scores.
    :param names: Names of the places of a vector; without them, ``"0"``, ``"1"``, …
    :param named_as: Makes the name of a class of what it is called.
    :raises aporia_provider.errors.ValidationError: if a vector is longer than there are names.
    """
    array = plain(array)
    scores = named(array, numbers) if is_dict(array.type) else _of_vectors(array, names)
    table, known = renumber([named_as(name) for name in scores.names])
    codes = table[scores.codes] if len(table) else scores.codes
    keys = scores.rows * max(len(known), 1) + codes
    last = np.arange(len(keys))
    if not (np.diff(keys) > 0).all():
        last = np.sort(len(keys) - 1 - np.unique(keys[::-1], return_index=True)[1])
    if len(last) == len(keys):
        return Named(scores.rows, codes, known, scores.values, scores.given)
    values = Numbers(scores.values.values[last], scores.values.given[last])
    return Named(scores.rows[last], codes[last], known, values, scores.given)


def top_class(scores: Named) -> Classes:
    """
    Find the class with the greatest score, the first of equals.

    A null score is that of a class the model did not consider; a row with a score that is NaN or infinite
    predicts nothing.
    """
    codes = np.full(len(scores.given), -1, dtype=np.int64)
    first = _greatest(scores)
    codes[scores.rows[first]] = scores.codes[first]
    broken = scores.rows[scores.values.given & ~scores.values.usable]
    codes[broken] = -1
    return Classes(codes, scores.names, scores.given)


def _of_vectors(array: Any, names: Sequence[str]) -> Named:
    taken = elements(array)
    starts = np.searchsorted(taken.rows, np.arange(len(array)))
    places = np.arange(len(taken.rows)) - starts[taken.rows]
    longest = int(places.max(initial=-1)) + 1
    if names and longest > len(names):
        raise ValidationError(f"A vector has {longest} scores, but there are names of {len(names)} classes")
    return Named(
        taken.rows,
        places,
        list(names) or list(map(str, range(longest))),
        numbers(taken.values),
        given_rows(array),
    )


def _greatest(scores: Named) -> NDArray[np.int64]:
    """Of each row that has a score, the place of the first of its greatest."""
    places = np.flatnonzero(scores.values.usable)
    rows, values = scores.rows[places], scores.values.values[places]
    if not len(rows):
        return places
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    greatest = np.repeat(np.maximum.reduceat(values, starts), np.diff(starts, append=len(rows)))
    best = places[values == greatest]
    best_rows = scores.rows[best]
    first: NDArray[np.int64] = best[np.diff(best_rows, prepend=-1) > 0]
    return first
