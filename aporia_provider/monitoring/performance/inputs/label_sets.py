"""Labels that a row names: arrays of them, or dicts that say how much."""

from __future__ import annotations

from typing import Any

import numpy as np

from aporia_provider.monitoring.performance.inputs.nested_values import Named, elements, is_dict, named
from aporia_provider.monitoring.performance.inputs.readings import Numbers, classes, numbers, plain, truths


def label_scores(array: Any) -> Named:
    """
    Read scores of labels; labels of an array have the score 1.

    :raises aporia_provider.errors.ValidationError: if the type is neither dict nor array.
    """
    array = plain(array)
    return named(array, numbers) if is_dict(array.type) else listed(array)


def label_truths(array: Any) -> Named:
    """
    Read which labels are true (1) and which are not (0); labels of an array are.

    :raises aporia_provider.errors.ValidationError: if the type is neither dict nor array.
    """
    array = plain(array)
    return named(array, truths) if is_dict(array.type) else listed(array)


def listed(array: Any) -> Named:
    """Read arrays of names, each as true. Nulls in them name nothing."""
    taken = elements(array)
    names = classes(taken.values)
    kept = names.usable
    count = int(np.count_nonzero(kept))
    ones = Numbers(np.ones(count), np.ones(count, dtype=np.bool_))
    return Named(taken.rows[kept], names.codes[kept], names.names, ones, taken.given)
