"""
Verdicts on the drift of the fields of a model, with a promised rate of false alarms.

A bucket is compared to the last eight buckets of the same season. The distance, in relation to its median in
the past of the field, is ranked among the past numbers of all fields of the model, so that what is usual in
this model from one bucket to the next is no drift. Two statistics share the promised rate: the distance of a
bucket, and the lesser one of two consecutive buckets. The former detects a great drift at once, the latter a
small one that remains. Since the latter is ranked among its own past values, deviations that usually last
for several buckets are no drift either.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aporia_provider.monitoring.verdicts.drift_pool import DriftPool
from aporia_provider.monitoring.verdicts.effect_rule import Effect, judge_effect
from aporia_provider.monitoring.verdicts.outcome import Outcome
from aporia_provider.monitoring.verdicts.promised_rate import level_of_bucket

FEWEST_FIELDS: Final = 5
FEWEST_BUCKETS: Final = 28
"""With fewer fields or buckets, the outcome is by the effect, without a promised rate."""

_RETURNED: Final = 0.05  # P-value of a bucket above which a field that is in alarm is no longer.
_NOT_RETURNED: Final = f"already in alarm; that ends with a bucket whose own p-value is above {_RETURNED}"
_NOTHING_TO_COMPARE: Final = "the bucket has no values, or no bucket of its season before has any"
_NOT_COMPARED: Final = "by effect, since too few of the buckets before can be compared"


@dataclass(frozen=True)
class FieldHistory:
    """
    Counts of the bins of a field in each bucket.

    :param counts: Counts in the same bins, one row for each bucket from the oldest to the newest. The row of
        a bucket without values contains zeros.
    :param importance: Importance of the field in relation to the others. A drift of an important field is
        found with less evidence, one of an unimportant field with more.
    """

    counts: NDArray[np.int64]
    importance: float = 1.0


@dataclass(frozen=True)
class FieldVerdict:
    """
    Verdict on a field in one bucket.

    :param outcome: ``fail`` if the field drifted.
    :param statistic: Distance of the bucket from its reference, in relation to the median of the distances
        of the field before. By effect: the effect.
    :param p_value: P-value adjusted for all fields and both statistics; None if the outcome is by effect.
    :param threshold: P-value at or below which the outcome is ``fail``. By effect: the effect at or above
        which it is.
    :param effect: Eight times the squared Hellinger distance, minus its expected value without drift. It is
        close to the PSI if it is small, and does not depend on the number of rows.
    :param reason: Note on the outcome.
    """

    outcome: Outcome
    statistic: float | None
    p_value: float | None
    threshold: float | None
    effect: float | None = None
    reason: str | None = None


def judge_drift(
    fields: Mapping[str, FieldHistory],
    seasons: Sequence[Hashable],
    *,
    buckets_a_year: float,
    false_alarms_a_year: float = 1.0,
    excluded: Mapping[str, Collection[int]] | None = None,
) -> dict[str, FieldVerdict]:
    """
    Judge the fields of a model in the last bucket.

    :param fields: Counts of the fields, by name.
    :param seasons: Season of each bucket, such as its weekday.
    :param buckets_a_year: Number of buckets in a year.
    :param false_alarms_a_year: Promised number of false alarms of all fields together.
    :param excluded: For each field, the indices of buckets in which it was alarmed, and whose alert is not
        acknowledged. They are in no reference. If the bucket before the last is among them, the field
        is in alarm until it has returned.
    :raises ValueError: if the numbers of buckets differ, or the promised rate is not positive.
    """
    history = DriftHistory(fields, seasons, buckets_a_year=buckets_a_year)
    history.exclude(excluded or {})
    return history.judge(len(seasons) - 1, false_alarms_a_year)


def judge_drift_history(
    fields: Mapping[str, FieldHistory],
    seasons: Sequence[Hashable],
    *,
    buckets_a_year: float,
    false_alarms_a_year: float = 1.0,
    acknowledged: bool = False,
) -> list[dict[str, FieldVerdict]]:
    """
    Judge the fields of a model in every bucket, as if each had been judged when it was the last one.

    For the other parameters see :func:`judge_drift`.

    :param acknowledged: Whether alerts are acknowledged at once. Otherwise they never are: the buckets in
        which a field is alarmed are excluded from then on.
    """
    history = DriftHistory(fields, seasons, buckets_a_year=buckets_a_year)
    return list(_replayed(history, len(seasons), false_alarms_a_year, acknowledged))


def _replayed(
    history: DriftHistory, buckets: int, false_alarms_a_year: float, acknowledged: bool
) -> Iterator[dict[str, FieldVerdict]]:
    for bucket in range(buckets):
        verdicts = history.judge(bucket, false_alarms_a_year)
        yield verdicts
        if not acknowledged:
            failed = [name for name, verdict in verdicts.items() if verdict.outcome == "fail"]
            history.exclude({name: [bucket] for name in failed})


class DriftHistory:
    """
    The buckets of a model, each judged from the buckets before it.

    For the parameters see :func:`judge_drift`.
    """

    def __init__(
        self, fields: Mapping[str, FieldHistory], seasons: Sequence[Hashable], *, buckets_a_year: float
    ) -> None:
        self._buckets_a_year = buckets_a_year
        self._p_values: dict[int, tuple[NDArray[np.float64], NDArray[np.float64]] | None] = {}
        self.pool = DriftPool(
            {name: field.counts for name, field in fields.items()},
            [field.importance for field in fields.values()],
            seasons,
            buckets_a_year,
        )

    def exclude(self, excluded: Mapping[str, Collection[int]]) -> None:
        """Exclude buckets of fields from the reference of later buckets; unknown fields are ignored."""
        for name, buckets in excluded.items():
            if name in self.pool.rows:
                self._p_values.clear()
                self.pool.exclude(name, buckets)

    def judge(self, bucket: int, false_alarms_a_year: float) -> dict[str, FieldVerdict]:
        """
        Judge the fields in a bucket.

        :raises ValueError: if the promised rate is not positive.
        """
        level = level_of_bucket(false_alarms_a_year, self._buckets_a_year)
        reason = self._too_few(bucket)
        if not reason and bucket not in self._p_values:
            self._p_values[bucket] = self.pool.p_values(bucket)
        p_values = None if reason else self._p_values[bucket]
        if p_values is None:
            reason = reason or _NOT_COMPARED
            return {name: self._by_effect(name, bucket, reason, level) for name in self.pool.rows}
        single, adjusted = p_values
        return {
            name: self._by_rank(name, bucket, float(single[row]), float(adjusted[row]), level)
            for name, row in self.pool.rows.items()
        }

    def _too_few(self, bucket: int) -> str | None:
        fields = len(self.pool.rows)
        if fields < FEWEST_FIELDS:
            return f"by effect, since the model has {fields} fields; {FEWEST_FIELDS} are required"
        if bucket + 1 < FEWEST_BUCKETS:
            return f"by effect, since there are {bucket + 1} buckets; {FEWEST_BUCKETS} are required"
        return None

    def _by_rank(self, name: str, bucket: int, single: float, adjusted: float, level: float) -> FieldVerdict:
        if np.isnan(adjusted):
            return self._by_effect(name, bucket, _NOT_COMPARED, level)
        statistics = self.pool.statistics[name]
        ratio = float(statistics.ratio[bucket])
        verdict = FieldVerdict("pass", ratio, adjusted, level, float(statistics.effect[bucket]))
        if adjusted <= level:
            return replace(verdict, outcome="fail")
        if single <= _RETURNED and self.pool.excludes(name, bucket - 1):
            return replace(verdict, outcome="fail", reason=_NOT_RETURNED)
        return verdict

    def _by_effect(self, name: str, bucket: int, reason: str, level: float) -> FieldVerdict:
        current = self._effect(name, bucket)
        if np.isnan(current.value):
            return FieldVerdict("insufficient", None, None, None, None, _NOTHING_TO_COMPARE)
        previous = self._effect(name, bucket - 1) if bucket else None
        outcome, threshold, qualified = judge_effect(current, previous, level / len(self.pool.rows))
        reason = f"{reason}; {qualified}" if qualified else reason
        return FieldVerdict(outcome, current.value, None, threshold, current.value, reason)

    def _effect(self, name: str, bucket: int) -> Effect:
        statistics = self.pool.statistics[name]
        return Effect(
            float(statistics.effect[bucket]), int(statistics.degrees[bucket]), float(statistics.noise[bucket])
        )
