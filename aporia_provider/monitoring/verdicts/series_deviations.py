"""Deviations of the values of a series from what is typical in their season."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from aporia_provider.monitoring.verdicts.seasonal_past import (
    REFERENCE_BUCKETS,
    Flags,
    Floats,
    Integers,
    median_buckets,
    past_medians,
)

Kind = Literal["count", "ratio", "value"]
"""Kinds of values: numbers of rows, shares of rows, or other values."""

_FEWEST_FOR_UNIT: Final = 5
_OF_NORMAL: Final = 0.6745  # Median magnitude of a standard normal variable.
_SMALLEST: Final = 1e-12  # Rounding error of a value, in relation to it.


@dataclass(frozen=True)
class Deviations:
    """
    Deviations on the scale on which they are compared; one element for each bucket, NaN where unknown.

    :param expected: Typical value of the season.
    :param deviation: Value minus the typical one.
    :param unit: Typical magnitude of a deviation in the past, for the size of the bucket.
    """

    expected: Floats
    deviation: Floats
    unit: Floats


def deviations(
    values: Floats, sizes: Floats | None, codes: Integers, included: Flags, kind: Kind
) -> Deviations:
    """
    Return the deviations of all buckets, each from those before it.

    :param values: Values of the buckets; NaN for a bucket without one.
    :param sizes: Number of rows of each bucket, if known.
    :param codes: Season of each bucket.
    :param included: Which buckets later ones may be compared to.
    :param kind: What the values are.
    """
    compared = _compared(values, kind)
    expected = _expected(compared, codes, included)
    deviation = compared - expected
    window = median_buckets(codes)
    typical = past_medians(np.abs(deviation), included, window, _FEWEST_FOR_UNIT)
    unit = np.maximum(typical, _OF_NORMAL * _sampling_error(values, expected, sizes, kind))
    if sizes is not None:
        usual = past_medians(sizes, included, window, 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            unit = unit * np.sqrt(np.maximum(usual / sizes, 1.0))
    return Deviations(expected, deviation, unit)


def shown(compared: float, kind: Kind) -> float:
    """Return the value for a number on the scale on which values are compared."""
    if kind == "count":
        return float(np.expm1(max(compared, 0.0)))
    if kind == "ratio":
        return float(np.sin(np.clip(compared, 0.0, np.pi / 2)) ** 2)
    return compared


def _compared(values: Floats, kind: Kind) -> Floats:
    """Return values on a scale on which the deviation does not depend on the value."""
    if kind == "count":
        return np.log1p(values)
    if kind == "ratio":
        return np.arcsin(np.sqrt(np.clip(values, 0.0, 1.0)))
    return values


def _expected(compared: Floats, codes: Integers, included: Flags) -> Floats:
    expected = np.full_like(compared, np.nan)
    for code in range(1 + int(codes.max(initial=-1))):
        of_season = np.flatnonzero(codes == code)
        expected[of_season] = past_medians(compared[of_season], included[of_season], REFERENCE_BUCKETS, 1)
    return expected


def _sampling_error(values: Floats, expected: Floats, sizes: Floats | None, kind: Kind) -> Floats:
    """Return the least standard deviation that a deviation can have."""
    if kind == "count":
        return np.exp(-np.maximum(expected, 0.0) / 2)
    if kind == "ratio" and sizes is not None:
        return 0.5 / np.sqrt(np.maximum(sizes, 1.0))
    return _SMALLEST * np.maximum(np.abs(expected), np.abs(np.nan_to_num(values)))
