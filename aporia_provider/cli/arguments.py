"""Argument types of the command line interface."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta

_DAY = 86_400
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def period(text: str) -> timedelta:
    """Parse a duration such as ``12h``, ``90d`` or ``8w``."""
    match = re.fullmatch(r"([0-9]{1,6})([hdw])", text)
    if match is None:
        raise ArgumentTypeError(f"{text!r} is not a period: write a number and h, d or w, such as 90d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def moment(text: str) -> datetime:
    """Parse a date or time in ISO format, which is in UTC unless it has a time zone."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        hint = "write 2024-01-31 or 2024-01-31T06:00"
        raise ArgumentTypeError(f"{text!r} is not a date or time: {hint}") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def port(text: str) -> int:
    """Parse a TCP port, or 0."""
    # The system accepts larger numbers, and uses only their lower 16 bits.
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > 65535:
        raise ArgumentTypeError(f"{text!r} is not a port: write 0 to 65535")
    return int(text)


def seconds(text: str) -> float:
    """Parse a duration in seconds, at most one day."""
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value <= _DAY:
        raise ArgumentTypeError(f"{text!r} is not a duration: write a number of seconds above 0, such as 30")
    return value
