"""Smallest changes that a comparison with limits would have found."""

from __future__ import annotations

import math
from statistics import NormalDist

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.confidence.detectable_effects import POWER
from aporia_provider.monitoring.confidence.quantiles import CONFIDENCE, normal_quantile

_Z_POWER = NormalDist().inv_cdf(POWER)
_Z_INTERVAL = normal_quantile(CONFIDENCE)


def error_towards(result: MetricResult, *, below: bool, exact: bool) -> float | None:
    """
    Return the standard error of a value; None if it is not known.

    It is taken from the side of the interval towards the limit, since intervals of proportions are not
    symmetric.

    :param result: The value, with its interval.
    :param below: Whether the limit is below the value.
    :param exact: Whether the value is counted and not estimated.
    """
    end = result.low if below else result.high
    if not isinstance(end, float | int) or not isinstance(result.value, float | int):
        return 0.0 if exact else None
    return abs(result.value - end) / _Z_INTERVAL


def detectable_change(
    result: MetricResult,
    low: float | None,
    high: float | None,
    *,
    exact: bool = False,
    errors_of_limits: tuple[float | None, float | None] = (0.0, 0.0),
) -> float | None:
    """
    Return the smallest change of a value that would have been beyond a limit with a probability of 80 %.

    :param result: The value, which is within the limits.
    :param low: Lower limit; None if there is none.
    :param high: Upper limit; None if there is none.
    :param exact: Whether the value is counted and not estimated.
    :param errors_of_limits: Standard errors of the limits; None if they are not known.
    :return: None if the error of the value, or of a limit, is not known.
    """
    if not isinstance(result.value, float | int):
        return None
    changes: list[float] = []
    for limit, of_limit, below in zip((low, high), errors_of_limits, (True, False), strict=True):
        if limit is None:
            continue
        error = error_towards(result, below=below, exact=exact)
        if error is None or of_limit is None:
            return None
        changes.append(abs(result.value - limit) + _Z_POWER * math.hypot(error, of_limit))
    return min(changes, default=None)
