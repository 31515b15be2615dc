"""The days that a view is about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aporia_provider.backend.store.bucket_ranges import NO_BUCKET, BucketRange
from aporia_provider.errors import ValidationError

DAY: Final = 86_400
MAX_DAYS: Final = 366
"""Maximum number of days of a view."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class PageDays:
    """
    Consecutive days, in UTC.

    :param start: Start of the first day.
    :param end: End of the last day, exclusive.
    """

    start: datetime
    end: datetime

    @classmethod
    def until(cls, last: int, days: int) -> PageDays:
        """
        Return the days that end with the day of a time.

        :param last: The time, in seconds since 1970.
        :param days: Number of days.
        """
        end = last // DAY * DAY + DAY
        return cls(moment(end - days * DAY), moment(end))

    @property
    def starts(self) -> list[datetime]:
        """Starts of the days."""
        return [self.start + timedelta(days=day) for day in range((self.end - self.start).days)]

    @property
    def seconds(self) -> tuple[int, int]:
        """Start and end in seconds since 1970."""
        return int(self.start.timestamp()), int(self.end.timestamp())

    @property
    def time_range(self) -> dict[str, datetime]:
        """The days as the time range of a query."""
        return {"start": self.start, "end": self.end}


def check_days(days: Any) -> int:
    """
    Return the number of days of a view.

    :raises aporia_provider.errors.ValidationError: if it is not a whole number from 1 to :data:`MAX_DAYS`.
    """
    if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= MAX_DAYS:
        raise ValidationError(f"days: {days!r} is not a whole number from 1 to {MAX_DAYS}")
    return days


def last_second(ranges: Iterable[BucketRange], now: int) -> int:
    """
    Return the start of the last bucket that is not in the future; the current time if there is none.

    :param ranges: Buckets of serving datasets.
    :param now: The current time in seconds since 1970.
    """
    return max((last for last, _, _ in ranges if last != NO_BUCKET), default=now)


def moment(second: int) -> datetime:
    """
    Return a time, clipped to the years that :class:`datetime` supports.

    :param second: Seconds since 1970.
    """
    try:
        return _EPOCH + timedelta(seconds=second)
    except OverflowError:
        return _FIRST if second < 0 else _LAST
