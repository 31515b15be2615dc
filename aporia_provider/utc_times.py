"""Times with the time zone UTC; a time without a time zone is in UTC everywhere in this package."""

from __future__ import annotations

from datetime import UTC, date, datetime, time


def as_utc(value: date) -> datetime:
    """
    Return a time in UTC.

    :param value: A time, which is in UTC if it has no time zone; or a date, which is its first moment in UTC.
    :raises OverflowError: if the time is not in the years 1 to 9999 in UTC.
    """
    if not isinstance(value, datetime):
        value = datetime.combine(value, time())
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
