"""Conversions of the promised rate of false alarms."""

from __future__ import annotations

import math
from typing import Final

SPENT: Final = 0.5
"""Share of the promised rate that the rules use. The rest is for the error of fitted tails."""

_POOLED_BUCKETS: Final = (365, 2000)
_LOWEST: Final = 0.1
_RATIO: Final = 120.0


def rate_of_sensitivity(sensitivity: float) -> float:
    """
    Return the number of false alarms a year that the sensitivity of an anomaly monitor stands for.

    It is 0.1 for a sensitivity of 0, about 1.1 for 0.5, and 12 for 1.

    :param sensitivity: Sensitivity from 0 to 1, as in the configuration of a monitor. More alarms are raised
        for a higher one.
    :raises ValueError: if the sensitivity is not between 0 and 1.
    """
    if not 0 <= sensitivity <= 1:
        raise ValueError(f"sensitivity must be between 0 and 1, not {sensitivity}")
    return _LOWEST * math.pow(_RATIO, sensitivity)


def level_of_bucket(false_alarms_a_year: float, buckets_a_year: float) -> float:
    """
    Return the probability of a false alarm that a rule may have in one bucket.

    :param false_alarms_a_year: Promised number of false alarms a year.
    :param buckets_a_year: Number of buckets in a year: 365.25 for days.
    :raises ValueError: if one of them is not positive.
    """
    if not (false_alarms_a_year > 0 and buckets_a_year > 0):
        raise ValueError(
            "false_alarms_a_year and buckets_a_year must be positive, "
            f"not {false_alarms_a_year} and {buckets_a_year}"
        )
    return min(1.0, false_alarms_a_year / buckets_a_year)


def pooled_buckets(buckets_a_year: float) -> int:
    """Return the number of buckets whose statistics are known to a rule: a year, within limits."""
    fewest, most = _POOLED_BUCKETS
    return int(min(max(buckets_a_year, fewest), most))
