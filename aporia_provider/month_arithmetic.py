"""Subtraction of calendar months."""

from __future__ import annotations

from calendar import monthrange
from datetime import datetime


def months_before(moment: datetime, months: int) -> datetime:
    """
    Return the time that is a number of calendar months before another.

    A month before the 31st is the last day of the previous month.

    :param moment: The other time.
    :param months: Number of months.
    """
    year, month = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    return moment.replace(year=year, month=month + 1, day=min(moment.day, monthrange(year, month + 1)[1]))
