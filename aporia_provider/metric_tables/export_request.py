"""What an export writes: the model version, the windows and their length."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from math import ceil, floor
from typing import Literal, get_args

from aporia_provider.backend.metrics.periods import PERIODS
from aporia_provider.errors import ValidationError

Granularity = Literal["1 hour", "1 day", "1 week", "1 month"]
GRANULARITIES: tuple[str, ...] = get_args(Granularity)
MAX_ROWS = 20_000
"""Maximum number of windows times fields, plus one for the table, times parts of the rows of an export."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PERIOD_NAMES = dict(zip(GRANULARITIES, ("hourly", "daily", "weekly", "monthly"), strict=True))


@dataclass(frozen=True)
class ExportRequest:
    """
    A model version and the windows whose metrics are exported.

    :param model_id: Id of the model.
    :param model_version: Name of the version.
    :param granularity: Length of the windows, in UTC; weeks start on Monday.
    :param start: Start of the range. Windows that overlap the range are exported as a whole.
    :param end: End of the range, exclusive. If it equals ``start``, the range is the last window that ends
        at or before it.
    :param unreliable: Whether metrics that are not reliable are exported as well; otherwise they are null.
    """

    model_id: str
    model_version: str
    granularity: Granularity
    start: datetime
    end: datetime
    unreliable: bool = False

    @property
    def period(self) -> str:
        """Return the aggregation period of queries."""
        return _PERIOD_NAMES[self.granularity]

    @cached_property
    def windows(self) -> list[tuple[datetime, datetime]]:
        """Return the windows in chronological order."""
        first, last = self._numbers
        return [self._window(number) for number in range(first, last + 1)]

    @property
    def previous(self) -> tuple[datetime, datetime]:
        """Return the window before the first one."""
        return self._window(self._numbers[0] - 1)

    def check_size(self, fields: int, parts: int = 1) -> None:
        """
        Raise an error if the export is too large.

        :param fields: Number of fields.
        :param parts: Number of terms of segments, plus one for all rows.
        :raises aporia_provider.errors.ValidationError: if it has more than :data:`MAX_ROWS` rows.
        """
        first, last = self._numbers
        count = last - first + 1
        if (rows := count * (fields + 1) * parts) > MAX_ROWS:
            others = f" in {parts - 1:,} terms of segments and in all rows" if parts > 1 else ""
            raise ValidationError(
                f"The export has {count:,} windows of {self.granularity} and {fields:,} fields{others}, "
                f"which are {rows:,} rows; {MAX_ROWS:,} is the limit. Give a shorter range, a longer "
                f"granularity, or fewer fields{' or segments' if parts > 1 else ''}"
            )

    @property
    def _numbers(self) -> tuple[int, int]:
        number = PERIODS[self.period].number
        if self.start == self.end:
            last = number(floor(self.end.timestamp())) - 1
            return last, last
        return number(floor(self.start.timestamp())), number(ceil(self.end.timestamp()) - 1)

    def _window(self, number: int) -> tuple[datetime, datetime]:
        start = PERIODS[self.period].start
        return _time(start(number)), _time(start(number + 1))


def _time(second: int) -> datetime:
    return _EPOCH + timedelta(seconds=second)
