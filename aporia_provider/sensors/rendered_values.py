"""Values of parameters after their templates were rendered."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from aporia_provider.errors import ValidationError
from aporia_provider.utc_times import as_utc

T = TypeVar("T")


class RenderedValues:
    """Conversions of values that collect all faults."""

    def __init__(self) -> None:
        self._problems: list[str] = []

    def number(self, name: str, value: Any, least: int) -> int | None:
        """Return a whole number of at least ``least``; None if the value is None or invalid."""
        return self._converted(
            name, value, lambda given: _whole_number(given, least), f"a number from {least}"
        )

    def share(self, name: str, value: Any) -> float | None:
        """Return a number above 0 and up to 1; None if the value is None or invalid."""
        return self._converted(name, value, _share, "a number above 0 and up to 1")

    def time(self, name: str, value: Any) -> datetime | None:
        """Return a time, which is in UTC if it has no time zone; None if the value is None or invalid."""
        return self._converted(name, value, _time, "a time in ISO format")

    def duration(self, name: str, value: Any) -> timedelta | None:
        """Return a duration, given as such or in seconds; None if the value is None or invalid."""
        return self._converted(name, value, _duration, "a non-negative timedelta or number of seconds")

    def add(self, problem: str) -> None:
        """Add a fault."""
        self._problems.append(problem)

    def check(self, subject: str) -> None:
        """
        Raise an error if there are faults.

        :raises aporia_provider.errors.ValidationError: with all faults.
        """
        if self._problems:
            raise ValidationError(f"{subject} is not valid", problems=self._problems)

    def _converted(self, name: str, value: Any, convert: Callable[[Any], T], expected: str) -> T | None:
        if value is None:
            return None
        try:
            return convert(value)
        except (TypeError, ValueError, OverflowError):
            self._problems.append(f"{name} is {value!r}, not {expected}")
            return None


def _whole_number(value: Any, least: int) -> int:
    number = int(value) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int) or number < least:
        raise ValueError
    return number


def _share(value: Any) -> float:
    number = float(value)
    if isinstance(value, bool) or not 0 < number <= 1:
        raise ValueError
    return number


def _time(value: Any) -> datetime:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, date):
        raise TypeError
    return as_utc(value)


def _duration(value: Any) -> timedelta:
    duration = value if isinstance(value, timedelta) else timedelta(seconds=float(value))
    if isinstance(value, bool) or duration < timedelta(0):
        raise ValueError
    return duration
