"""
Verdicts on the values of a metric in the buckets, with a promised rate of false alarms.

A value is compared to the median of the last eight values of the same season. Its deviation, in relation to
the median deviation in the past, is ranked among past deviations, with a tail fitted to the greatest of them.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from aporia_provider.monitoring.verdicts.fitted_tails import StudentTail
from aporia_provider.monitoring.verdicts.null_sample import NullSample
from aporia_provider.monitoring.verdicts.outcome import Outcome
from aporia_provider.monitoring.verdicts.promised_rate import SPENT, level_of_bucket, pooled_buckets
from aporia_provider.monitoring.verdicts.seasonal_past import Floats, season_codes
from aporia_provider.monitoring.verdicts.series_deviations import Deviations, Kind, deviations, shown

_FEWEST_DEVIATIONS: Final = 10
_OF_POWER: Final = NormalDist().inv_cdf(0.8) / NormalDist().inv_cdf(0.75)
"""Standard errors of a power of 80 %, in median magnitudes of a normal variable."""


@dataclass(frozen=True)
class SeriesVerdict:
    """
    Verdict on a value of a series.

    :param outcome: ``fail`` if the value is outside the expected range.
    :param value: The value.
    :param expected: Typical value of a bucket of this season.
    :param low: Lower end of the expected range; None if a decrease is not judged.
    :param high: Upper end of the expected range.
    :param p_value: Probability of a deviation from the typical value of at least this size if nothing
        changed.
    :param threshold: P-value at or below which the outcome is ``fail``.
    :param reason: Why the outcome is ``insufficient``.
    :param detectable: Smallest change from the typical value that would have been outside the expected range
        with a probability of 80 %, if deviations are normal; None if the outcome is not ``pass``.
    """

    outcome: Outcome
    value: float | None
    expected: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    threshold: float | None = None
    reason: str | None = None
    detectable: float | None = None


def judge_series(
    values: ArrayLike,
    sizes: ArrayLike | None,
    seasons: Sequence[Hashable],
    *,
    buckets_a_year: float,
    false_alarms_a_year: float = 1.0,
    only_increase: bool = False,
    kind: Kind = "value",
    excluded: Collection[int] = (),
) -> SeriesVerdict:
    """
    Judge the last value of a series.

    :param values: Values of the buckets from the oldest to the newest; NaN for a bucket without one.
    :param sizes: Number of rows of each bucket, if values of fewer rows deviate more.
    :param seasons: Season of each bucket, such as its weekday.
    :param buckets_a_year: Number of buckets in a year.
    :param false_alarms_a_year: Promised number of false alarms of this series.
    :param only_increase: Whether only an increase is an anomaly.
    :param kind: What the values are. Counts are compared by their ratios.
    :param excluded: Indices of buckets that were alarmed, and whose alert is not acknowledged.
    :raises ValueError: if the numbers of buckets differ, or the promised rate is not positive.
    """
    series = Series(
        values, sizes, seasons, buckets_a_year=buckets_a_year, only_increase=only_increase, kind=kind
    )
    series.exclude(excluded)
    return series.judge(len(seasons) - 1, false_alarms_a_year)


def judge_series_history(
    values: ArrayLike,
    sizes: ArrayLike | None,
    seasons: Sequence[Hashable],
    *,
    buckets_a_year: float,
    false_alarms_a_year: float = 1.0,
    only_increase: bool = False,
    kind: Kind = "value",
    acknowledged: bool = False,
) -> list[SeriesVerdict]:
    """
    Judge every value of a series, as if each had been judged when it was the last one.

    For the other parameters see :func:`judge_series`.

    :param acknowledged: Whether alerts are acknowledged at once. Otherwise they never are: the buckets in
        which there is an alarm are excluded from then on.
    """
    series = Series(
        values, sizes, seasons, buckets_a_year=buckets_a_year, only_increase=only_increase, kind=kind
    )
    verdicts = []
    for bucket in range(len(seasons)):
        verdicts.append(series.judge(bucket, false_alarms_a_year))
        if verdicts[-1].outcome == "fail" and not acknowledged:
            series.exclude([bucket])
    return verdicts


@dataclass(frozen=True)
class PooledPast:
    """
    Past of series that are judged together, such as the series of all values of a segment.

    Deviations are in relation to what is typical of their series, so a deviation of one is ranked among those
    of all. The more there are, the less the fitted tail has to be extrapolated.

    :param null: Deviations of all series; None if there are too few.
    :param open_alarms: Number of alarms of all series that have ended, but are not acknowledged.
    """

    null: NullSample | None
    open_alarms: int

    @classmethod
    def of(cls, series: Sequence[tuple[Series, int]]) -> PooledPast:
        """
        Pool the past of series.

        :param series: The series, and the buckets before which their past ends.
        """
        past = np.concatenate([each.past(bucket) for each, bucket in series])
        return cls(_null_of(past), sum(each.open_alarms(bucket) for each, bucket in series))


def _null_of(past: Floats) -> NullSample | None:
    return NullSample.of(past, StudentTail) if len(past) >= _FEWEST_DEVIATIONS else None


class Series:
    """
    The buckets of a series, each judged from the buckets before it.

    For the parameters see :func:`judge_series`.
    """

    def __init__(
        self,
        values: ArrayLike,
        sizes: ArrayLike | None,
        seasons: Sequence[Hashable],
        *,
        buckets_a_year: float,
        only_increase: bool = False,
        kind: Kind = "value",
    ) -> None:
        self._values = np.asarray(values, dtype=np.float64)
        self._sizes = np.ones(len(seasons)) if sizes is None else np.asarray(sizes, dtype=np.float64)
        if not len(self._values) == len(self._sizes) == len(seasons):
            raise ValueError(
                f"there are {len(self._values)} values, {len(self._sizes)} sizes and {len(seasons)} seasons"
            )
        self._codes = season_codes(seasons)
        self._kind, self._only_increase = kind, only_increase
        self._sized = sizes is not None
        self._buckets_a_year = buckets_a_year
        self._pooled = pooled_buckets(buckets_a_year)
        self._included = np.ones(len(seasons), dtype=np.bool_)
        self._nulls: dict[int, NullSample | None] = {}
        self._deviations = self._compute()

    def exclude(self, buckets: Collection[int]) -> None:
        """Exclude buckets from the reference of later buckets."""
        if not buckets:
            return
        self._nulls.clear()
        self._included[list(buckets)] = False
        self._deviations = self._compute()

    def judge(self, bucket: int, false_alarms_a_year: float, pool: PooledPast | None = None) -> SeriesVerdict:
        """
        Judge the value of a bucket.

        :param bucket: Index of the bucket.
        :param false_alarms_a_year: Promised number of false alarms of this series.
        :param pool: Past of all series that are judged together; None to rank the value among the values of
            this series only.
        :raises ValueError: if the promised rate is not positive.
        """
        promised = SPENT * level_of_bucket(false_alarms_a_year, self._buckets_a_year)
        value = float(self._values[bucket])
        if not np.isfinite(value):
            return SeriesVerdict("insufficient", None, reason="the bucket has no value")
        null = self._own_null(bucket) if pool is None else pool.null
        expected = float(self._deviations.expected[bucket])
        if null is None or not np.isfinite(expected):
            reason = "too few of the buckets before can be compared"
            return SeriesVerdict("insufficient", value, reason=reason)
        level = promised / (1 + (self.open_alarms(bucket) if pool is None else pool.open_alarms))
        unit = float(self._deviations.unit[bucket])
        radius = null.quantile(level) * unit
        low, high = (float(shown(expected + sign * radius, self._kind)) for sign in (-1, 1))
        p_value = float(null.p_values(self._ratios(bucket, bucket + 1))[0])
        passes = p_value > level
        return SeriesVerdict(
            "pass" if passes else "fail",
            value,
            float(shown(expected, self._kind)),
            None if self._only_increase else low,
            high,
            p_value,
            level,
            detectable=self._detectable(expected, radius + _OF_POWER * unit) if passes else None,
        )

    def _detectable(self, expected: float, change: float) -> float:
        """Return a change of the value, from one on the scale on which values are compared."""
        ends = [float(shown(expected + sign * change, self._kind)) for sign in (1, -1)]
        changes = [abs(end - float(shown(expected, self._kind))) for end in ends]
        return changes[0] if self._only_increase else min(changes)

    def _compute(self) -> Deviations:
        return deviations(
            self._values, self._sizes if self._sized else None, self._codes, self._included, self._kind
        )

    def _ratios(self, start: int, end: int) -> Floats:
        ratios = self._deviations.deviation[start:end] / self._deviations.unit[start:end]
        return np.maximum(ratios, 0.0) if self._only_increase else np.abs(ratios)

    def _own_null(self, bucket: int) -> NullSample | None:
        if bucket not in self._nulls:
            self._nulls[bucket] = _null_of(self.past(bucket))
        return self._nulls[bucket]

    def past(self, bucket: int) -> Floats:
        """Return the deviations before a bucket in relation to typical ones, without excluded buckets."""
        start = max(0, bucket - self._pooled)
        ratios = self._ratios(start, bucket)[self._included[start:bucket]]
        return ratios[np.isfinite(ratios)]

    def open_alarms(self, bucket: int) -> int:
        """Return how many alarms before a bucket have ended, but are not acknowledged."""
        alarmed = (~self._included[max(0, bucket - self._pooled) : bucket]).astype(np.int64)
        return int((np.diff(alarmed, append=alarmed[-1:]) < 0).sum())
