"""Times between polls."""

from __future__ import annotations

import math
import random
from typing import Any, Final

from aporia_provider.errors import TransientError

MIN_POLL_INTERVAL: Final = 5.0
"""Lower limit of the seconds between polls."""
MAX_DELAY_SECONDS: Final = 600.0
"""Longest time between polls after errors, unless the interval is longer."""


def interval_fault(seconds: Any) -> str | None:
    """Return why a value cannot be the seconds between polls; None if it can."""
    if isinstance(seconds, int | float) and MIN_POLL_INTERVAL <= seconds < math.inf:
        return None
    return f"{seconds!r} is not a number of at least {MIN_POLL_INTERVAL:g} seconds"


def retry_delay(interval: float, errors: int, error: Exception) -> float:
    """
    Return the seconds to wait after an error.

    :param interval: Seconds between polls.
    :param errors: Number of consecutive errors.
    :param error: The last error. After one that is not transient, the delay is the longest one.
    """
    longest = max(interval, MAX_DELAY_SECONDS)
    if not isinstance(error, TransientError):
        return longest
    return min(longest, interval * 2.0 ** min(errors - 1, 20)) * random.uniform(0.75, 1.0)
