"""Conversion of label sets: arrays of labels, or dicts of labels to scores or truth values."""

from __future__ import annotations

from typing import Any

import numpy as np

from aporia_provider.monitoring.performance.inputs.column_values import (
    Numbers,
    classes,
    numbers,
    plain,
    truths,
)
from aporia_provider.monitoring.performance.inputs.nested_values import Named, elements, is_dict, named


def label_scores(array: Any) -> Named:
    """
    Return the scores of labels; labels in an array have score 1.

    :raises aporia_provider.errors.ValidationError: if the type is neither dict nor array.
    """
    array = plain(array)
    return named(array, numbers) if is_dict(array.type) else listed(array)


def label_truths(array: Any) -> Named:
    """
    Return which labels are true (1) or false (0); labels in an array are true.

    :raises aporia_provider.errors.ValidationError: if the type is neither dict nor array.
    """
    array = plain(array)
    return named(array, truths) if is_dict(array.type) else listed(array)


def listed(array: Any) -> Named:
    """Return the labels in arrays, each with the value 1. Nulls in the arrays are ignored."""
    label_elements = elements(array)
    names = classes(label_elements.values)
    usable = names.usable
    count = int(np.count_nonzero(usable))
    ones = Numbers(np.ones(count), np.ones(count, dtype=np.bool_))
    return Named(label_elements.rows[usable], names.codes[usable], names.names, ones, label_elements.given)
