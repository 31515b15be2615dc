"""Duplicate ids of several buckets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from operator import add

from aporia_provider.monitoring.result import Answer
from aporia_provider.monitoring.states.row_state import RowState

_STANDARD_ERRORS = 3


def duplicate_ids(buckets: Sequence[RowState]) -> Answer:
    """
    Count the rows whose id another row has already, in the same bucket or in another one.

    :param buckets: The settled states of the buckets.
    :return: The number, with three standard errors as bound where it is an estimate.
    """
    if not buckets:
        return Answer(0)
    rows = reduce(add, buckets)
    levels = (rows.id_level or 0, rows.ids.level if len(buckets) > 1 else 0)
    reason = "ids that occur in several buckets are included" if len(buckets) > 1 else None
    if not any(levels):
        return Answer(rows.duplicates, samples=rows.rows, reason=reason)
    found = "an estimate from samples of the ids, with three standard errors as bound"
    reason = f"{found}; {reason}" if reason else found
    return Answer(rows.duplicates, samples=rows.rows, bound=_bound(rows, levels), reason=reason)


def _bound(rows: RowState, levels: tuple[int, int]) -> float:
    """
    Three standard errors, at most the number of rows.

    The variances of the estimates within the buckets and across them add up. The number of duplicates in a
    sample is nearly Poisson where it is small: at each level four are added to those that were seen, since
    there may be some even if none was seen.
    """
    unseen = sum(4 << 2 * level for level in levels if level)
    variance = rows.duplicates_variance + rows.ids.duplicates_variance + unseen
    return min(float(rows.rows), _STANDARD_ERRORS * math.sqrt(variance))
