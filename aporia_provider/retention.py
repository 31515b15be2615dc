"""Retention of the states of a model, written as text such as ``hourly for 30 days``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, WithJsonSchema

from aporia_provider.base_model import MAX_TITLE, is_template
from aporia_provider.choices import choice_error
from aporia_provider.errors import ValidationError
from aporia_provider.month_arithmetic import months_before

LEVELS: Final = ("hourly", "daily", "monthly")
"""Lengths of the buckets whose states, or sums of states, are kept, the shortest first."""
UNITS: Final = ("hours", "days", "weeks", "months", "years")
"""Units of a span."""
MAX_YEARS: Final = 200
"""Maximum length of a span in years."""

_EXAMPLE = "hourly for 30 days, daily for 2 years"
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_PART = re.compile(r"(\S+)\s+for\s+(?:(ever)|(\S+)\s+(\S+))", re.IGNORECASE)
_DAYS = {"hours": 1 / 24, "days": 1.0, "weeks": 7.0, "months": 30.4375, "years": 365.25}
_LENGTHS = {"hours": timedelta(hours=1), "days": timedelta(days=1), "weeks": timedelta(weeks=1)}
_SYNONYMS = {"hour": "hourly", "hours": "hourly", "day": "daily", "days": "daily", "month": "monthly"}


@dataclass(frozen=True)
class RetentionSpan:
    """
    The span for which the states of one level are kept.

    :param level: One of :data:`LEVELS`.
    :param count: Number of units; None to keep them for ever.
    :param unit: One of :data:`UNITS`. Months and years are calendar months and years.
    """

    level: str
    count: int | None
    unit: str = "days"

    @property
    def days(self) -> float:
        """Length in days; of months and years, the mean length."""
        return float("inf") if self.count is None else self.count * _DAYS[self.unit]

    def start(self, now: datetime) -> datetime | None:
        """Return the start of the span that ends at a time; None if it has none."""
        if self.count is None:
            return None
        if self.unit in _LENGTHS:
            return now - self.count * _LENGTHS[self.unit]
        return months_before(now, self.count * (12 if self.unit == "years" else 1))

    def __str__(self) -> str:
        if self.count is None:
            return f"{self.level} for ever"
        return f"{self.level} for {self.count} {self.unit[:-1] if self.count == 1 else self.unit}"


@dataclass(frozen=True)
class Retention:
    """
    How long the states of a model are kept, and how finely they are divided meanwhile.

    :param spans: Spans, from the shortest buckets to the longest. Each ends earlier than the next one. All
        begin now.
    :param dropped: Levels, with the times before which their states were dropped under earlier retentions.
    """

    spans: tuple[RetentionSpan, ...]
    dropped: tuple[tuple[str, datetime], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Retention:
        """
        Parse a retention, such as ``hourly for 30 days, daily for 2 years``.

        Numbers up to twelve may be words. The last span may be ``for ever``.

        :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
        """
        faults: list[str] = []
        spans = [span for part in text.split(",") if (span := _span(part.strip(), faults)) is not None]
        faults += _order_faults(spans)
        if faults:
            raise ValidationError(f"The retention {text!r} is not valid", problems=faults)
        return cls(tuple(spans))

    def start(self, level: str, now: datetime) -> datetime | None:
        """
        Return the time before which states that are at least as fine as a level are dropped.

        :param level: One of :data:`LEVELS`.
        :param now: The current time.
        :return: None if they are kept for ever.
        """
        fine = [span for span in self.spans if LEVELS.index(span.level) <= LEVELS.index(level)]
        starts = [fine[-1].start(now), dict(self.dropped).get(level)]
        return max((start for start in starts if start is not None), default=None)

    def starts(self, now: datetime) -> dict[str, datetime]:
        """Return the levels, with the times before which their states are dropped, if they are."""
        levels = LEVELS[LEVELS.index(self.spans[0].level) :]
        starts = {level: self.start(level, now) for level in levels}
        return {level: start for level, start in starts.items() if start is not None}

    def problem(self, aggregation_period: str) -> str | None:
        """Return why the retention does not fit a model with an aggregation period; None if it does."""
        first = self.spans[0].level
        if first == aggregation_period:
            return None
        return (
            f"begins with {first!r}, but the buckets of the model are {aggregation_period}: begin with "
            f"'{aggregation_period} for …'"
        )

    @property
    def described(self) -> str:
        """Text of a message: the retention in quotes, and whether an earlier one kept less."""
        return f"{str(self)!r}{'; an earlier one kept less' if self.dropped else ''}"

    def __str__(self) -> str:
        return ", ".join(map(str, self.spans))


def _span(part: str, faults: list[str]) -> RetentionSpan | None:
    """Return a span; None, with the faults added to a list, if it cannot be read."""
    match = _PART.fullmatch(part)
    if match is None:
        faults.append(f"{part!r} is not a span as in {_EXAMPLE!r}")
        return None
    level, ever, number, unit = match.groups()
    fault_count = len(faults)
    level = level.lower()
    if level not in LEVELS:
        faults.append(f"in {part!r}, {choice_error(level, LEVELS, _SYNONYMS)}")
    if ever:
        return RetentionSpan(level, None) if len(faults) == fault_count else None
    count, written = _count(number), unit
    unit = written.lower().removesuffix("s") + "s"
    if count is None or count < 1:
        faults.append(f"in {part!r}, {number!r} is not a whole number of at least 1")
    if unit not in UNITS:
        faults.append(f"in {part!r}, {choice_error(written, UNITS)}")
    elif count is not None and count * _DAYS[unit] > MAX_YEARS * _DAYS["years"]:
        faults.append(f"{part!r} is longer than {MAX_YEARS} years; write '{level} for ever'")
    return RetentionSpan(level, count, unit) if len(faults) == fault_count else None


def _count(text: str) -> int | None:
    if text.lower() in _NUMBERS:
        return _NUMBERS.index(text.lower()) + 1
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


def _order_faults(spans: Sequence[RetentionSpan]) -> Iterator[str]:
    for span, following in pairwise(spans):
        if LEVELS.index(span.level) >= LEVELS.index(following.level):
            yield f"{following.level!r} follows {span.level!r}: the order is {', '.join(LEVELS)}"
        if span.count is None:
            yield f"'{span}' leaves nothing for '{following}': only the last span can be for ever"
        elif span.days >= following.days:
            yield f"'{following}' has to be longer than '{span}', since both begin now"


def retention_text(value: str | Retention | None) -> str | None:
    """
    Return the canonical text of a retention; None for None.

    :raises aporia_provider.errors.ValidationError: if it is not valid.
    """
    if value is None or isinstance(value, Retention):
        return None if value is None else str(value)
    if not isinstance(value, str):
        raise ValidationError(f"retention: {value!r} is not a text")
    return value if is_template(value) else str(Retention.parse(value))


def _checked(value: Any) -> Any:
    if isinstance(value, Retention):
        return str(value)
    if not isinstance(value, str) or is_template(value):
        return value
    try:
        return str(Retention.parse(value))
    except ValidationError as error:
        raise ValueError("; ".join(error.problems)) from None


# Text of a Retention in its canonical form. Values of that class are accepted as well.
RetentionText = Annotated[
    str,
    BeforeValidator(_checked),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_TITLE, "examples": [_EXAMPLE]}),
]
