"""Schemas of unnamed features."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable


def generate_features_schema_from_shape(features_shape: Iterable[int]) -> OrderedDict[str, str]:
    """
    Return the schema of the features of an array: ``X0``, ``X1`` and so on, all numeric.

    :param features_shape: Shape of the array of one row.
    """
    return OrderedDict((f"X{index}", "numeric") for index in range(math.prod(features_shape)))
