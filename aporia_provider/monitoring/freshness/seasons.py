"""Seasons of a table's commits: the hour, weekday or day of the month that explains their gaps and sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Keys = NDArray[np.int64]

Season = Literal["none", "weekday", "hour", "day_of_month", "hour_of_week"]
SEASONS: Final[tuple[Season, ...]] = get_args(Season)
"""The seasons, those with fewer keys first."""
SEASON_WORDS: Final[dict[Season, str]] = {
    "none": "",
    "weekday": "on the same weekday",
    "hour": "in the same hour of the day",
    "day_of_month": "on the same day of the month",
    "hour_of_week": "in the same hour of the week",
}
HOUR: Final = 3_600
DAY: Final = 86_400
LAST_DAY: Final = -1
"""Key of the last day of a month among days of the month."""
_THURSDAY = 3
_MIN_CONCENTRATION = 0.5
_MIN_IMPROVEMENT = 0.2
_NEGLIGIBLE_ERROR = 0.02


@dataclass(frozen=True)
class Calendar:
    """
    Hours and days whose boundaries are far from the usual times of the commits.

    If the commits are near one time of the day, days begin twelve hours before that time, so that a commit
    that is somewhat earlier or later belongs to the same day; hours accordingly.

    :param zone: Time zone.
    :param day_start: Seconds after midnight at which days begin.
    :param hour_start: Seconds after the full hour at which hours begin.
    """

    zone: tzinfo
    day_start: int = 0
    hour_start: int = 0

    @classmethod
    def of(cls, times: Floats, zone: tzinfo) -> Calendar:
        """
        Return the calendar for the commits of a table.

        :param times: Times of the commits, in seconds since 1970.
        :param zone: Time zone.
        """
        local = cls(zone).local(times)
        return cls(zone, _start(local, DAY, HOUR), _start(local, HOUR, 60))

    def local(self, times: Floats) -> Floats:
        """Return times as seconds since 1970 on a local clock."""
        if self.zone is UTC:
            return times
        return times + np.array([self._offset(time) for time in times.tolist()], np.float64)

    def utc(self, local: float) -> float:
        """Return the time in seconds since 1970 at which the local clock shows a time."""
        return local - self._offset(local - self._offset(local))

    def days(self, times: Floats) -> Keys:
        """Return the numbers of days since 1970 in which times are."""
        return np.floor((self.local(times) - self.day_start) / DAY).astype(np.int64)

    def hours(self, times: Floats) -> Keys:
        """Return the numbers of hours since 1970 in which times are."""
        return np.floor((self.local(times) - self.hour_start) / HOUR).astype(np.int64)

    def keys(self, season: Season, times: Floats) -> Keys:
        """Return the keys of times in a season, such as 0 for Mondays."""
        if season == "none":
            return np.zeros(len(times), np.int64)
        if season == "weekday":
            return (self.days(times) + _THURSDAY) % 7
        if season == "day_of_month":
            return _days_of_month(self.days(times))
        hours = self.hours(times)
        return hours % 24 if season == "hour" else (hours + 24 * _THURSDAY) % 168

    def _offset(self, time: float) -> float:
        if self.zone is UTC:
            return 0.0
        offset = datetime.fromtimestamp(time, self.zone).utcoffset()
        return offset.total_seconds() if offset else 0.0


def _start(local: Floats, period: int, step: int) -> int:
    """Return the start of periods that is opposite of the mean of times; 0 if they are spread evenly."""
    if not len(local):
        return 0
    mean = np.exp(2j * math.pi * (local % period) / period).mean()
    if abs(mean) < _MIN_CONCENTRATION:
        return 0
    opposite = (np.angle(mean) / (2 * math.pi) + 0.5) * period
    return round(float(opposite) / step) * step % period


def _days_of_month(days: Keys) -> Keys:
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    numbers = (dates - months.astype("datetime64[D]")).astype(np.int64) + 1
    is_last = (dates + 1).astype("datetime64[M]") != months
    return np.where(is_last, LAST_DAY, numbers)


def choose_season(
    values: Floats,
    calendar: Calendar,
    times: Floats,
    seasons: Sequence[Season],
    weights: Floats | None = None,
) -> Season:
    """
    Return the season whose keys explain past values best.

    The error of a season is the mean distance of the values from the median of the other values with the same
    key, or of all others if there are none. In the order of ``seasons``, a season replaces the one chosen so
    far if its error is smaller by a fifth and by more than 0.02.

    :param values: Past values, on a logarithmic scale.
    :param calendar: The calendar.
    :param times: Times of the values.
    :param seasons: The seasons to choose from, those with fewer keys first. The first is the default.
    :param weights: Weights of the values in the mean. Default: equal.
    """
    if len(values) < 2:
        return seasons[0]
    chosen, least = seasons[0], math.inf
    of_all = _medians_of_others(values, np.zeros(len(values), np.int64))
    for season in seasons:
        medians = _medians_of_others(values, calendar.keys(season, times))
        distances = np.abs(values - np.where(np.isnan(medians), of_all, medians))
        error = float(np.average(distances, weights=weights))
        if error < (1 - _MIN_IMPROVEMENT) * least and error < least - _NEGLIGIBLE_ERROR:
            chosen, least = season, error
    return chosen


def _medians_of_others(values: Floats, keys: Keys) -> Floats:
    """Return for each value the median of the others with the same key; NaN if there are none."""
    order = np.lexsort((values, keys))
    ranked, ranked_keys = values[order], keys[order]
    starts = np.searchsorted(ranked_keys, ranked_keys)
    counts = np.searchsorted(ranked_keys, ranked_keys, side="right") - starts
    ranks = np.arange(len(values)) - starts
    # If the value of a rank is removed, values of this and higher ranks move down by one rank.
    low, high = np.maximum(counts - 2, 0) // 2, (counts - 1) // 2
    last = len(values) - 1
    below = ranked[np.minimum(starts + low + (ranks <= low), last)]
    above = ranked[np.minimum(starts + high + (ranks <= high), last)]
    medians = np.empty(len(values))
    medians[order] = np.where(counts > 1, (below + above) / 2, np.nan)
    return medians
