"""Lengths of time in the configuration of a monitor, such as ``6h``, ``1d``, ``2w`` and ``1M``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator

from aporia_provider.month_arithmetic import months_before

HOUR, DAY = 3_600, 86_400
_SECONDS = {"h": HOUR, "d": DAY, "w": 7 * DAY}
_SPAN = re.compile(r"([1-9]\d{0,4})([hdwM])")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTH_SECONDS = 30.4375 * DAY


@dataclass(frozen=True)
class Span:
    """
    A length of time.

    :param count: Number of units.
    :param unit: ``h``, ``d``, ``w`` or ``M`` (calendar months).
    """

    count: int
    unit: str

    @classmethod
    @lru_cache(1024)
    def of(cls, text: str) -> Span:
        """
        Parse a length of time.

        :raises ValueError: if it is not a number followed by a unit.
        """
        found = _SPAN.fullmatch(text)
        if found is None:
            raise ValueError(
                f"{text!r} is not a length of time, such as '6h' (hours), '1d' (days), '2w' (weeks) or '1M' "
                "(months)"
            )
        return cls(int(found[1]), found[2])

    @property
    def seconds(self) -> float:
        """Length in seconds; of months, the mean length."""
        return self.count * _SECONDS.get(self.unit, _MONTH_SECONDS)

    def before(self, second: int) -> int:
        """
        Return the time that is this length before another.

        A month before the 31st is the last day of the previous month.

        :param second: Time in seconds since 1970.
        """
        if self.unit != "M":
            return second - self.count * _SECONDS[self.unit]
        start = months_before(_EPOCH + timedelta(seconds=second), self.count)
        return int((start - _EPOCH).total_seconds())

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"


def _check(text: str) -> str:
    Span.of(text)
    return text


SpanText = Annotated[str, AfterValidator(_check)]
"""Text that :meth:`Span.of` accepts."""
