"""Calendar months, for all years that a bucket can be in."""

from __future__ import annotations

import numpy as np


def month_of(second: int) -> int:
    """
    Return the number of the month that a time belongs to, counted from January 1970.

    :param second: Seconds since 1970, UTC.
    """
    # Unlike datetime, numpy supports all years that a bucket can be in.
    return int(np.datetime64(second, "s").astype("datetime64[M]").astype(np.int64))


def month_start(number: int) -> int:
    """Return the start of a month in seconds since 1970, from the result of :func:`month_of`."""
    return int(np.datetime64(number, "M").astype("datetime64[s]").astype(np.int64))
