"""Number of duplicate ids in several buckets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from operator import add

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.states.row_state import RowState

_STANDARD_ERRORS = 3


def duplicate_ids(buckets: Sequence[RowState]) -> MetricResult:
    """
    Return the number of rows whose id occurs in an earlier row, in the same bucket or in another one.

    :param buckets: Settled states of the buckets.
    :return: The number; if it is an estimate, its bound is three standard errors.
    """
    if not buckets:
        return MetricResult(0)
    rows = reduce(add, buckets)
    levels = (rows.id_level or 0, rows.ids.level if len(buckets) > 1 else 0)
    reason = "ids that occur in several buckets are included" if len(buckets) > 1 else None
    if not any(levels):
        return MetricResult(rows.duplicates, samples=rows.rows, reason=reason)
    estimated = "an estimate from samples of the ids, with three standard errors as bound"
    reason = f"{estimated}; {reason}" if reason else estimated
    return MetricResult(rows.duplicates, samples=rows.rows, bound=_bound(rows, levels), reason=reason)


def _bound(rows: RowState, levels: tuple[int, int]) -> float:
    """
    Return three standard errors, at most the number of rows.

    The variances of the estimates within and across buckets add up. A small number of duplicates in a sample
    is approximately Poisson: the variance of four duplicates is added for each sample, since there may be
    duplicates even if none was observed.
    """
    unseen = sum(4 << 2 * level for level in levels if level)
    variance = rows.duplicates_variance + rows.ids.duplicates_variance + unseen
    return min(float(rows.rows), _STANDARD_ERRORS * math.sqrt(variance))
