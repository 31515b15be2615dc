"""Verdicts on a mean that is tested after each bucket, in comparison with the first buckets."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Final

from aporia_provider.monitoring.verdicts.confidence_sequence import (
    Direction,
    MeanSums,
    MeanVerdict,
    judge_sums,
    mean_difference,
)

BASELINE_BUCKETS: Final = 28
"""Number of buckets with values that later ones are compared with."""
BUCKETS: Final = 365
"""Number of buckets after which a sequence ends, and another one begins."""
MOST_ALPHA: Final = 0.05
"""Greatest probability of a false alarm in a sequence."""

_RECENT: Final = 7
_OF_RECENT: Final = 0.8  # Share of the promised probability that the last buckets have.
_RETURNED: Final = 1.645  # Standard errors below which the recent buckets do not differ.
_NOTHING: Final = MeanSums(0.0, 0.0, 0)
_NOT_RETURNED: Final = (
    f"already in alarm; that ends when the mean of the last {_RECENT} buckets no longer differs"
)


@dataclass(frozen=True)
class SequenceVerdict:
    """
    Verdict on the last bucket of a sequence.

    :param found: The verdict on the mean since some bucket.
    :param baseline: Sums of the buckets that it is compared with.
    :param judged: Sums of all later buckets that are not excluded.
    """

    found: MeanVerdict
    baseline: MeanSums
    judged: MeanSums


def first_bucket(buckets: int) -> int:
    """
    Return the first bucket that the last one is compared with.

    Every sequence begins a fixed number of buckets after the one before, so its baseline does not move.

    :param buckets: Number of all buckets.
    """
    return max(0, buckets - 1 - BASELINE_BUCKETS) // BUCKETS * BUCKETS


def judge_sequence(
    buckets: Sequence[MeanSums],
    *,
    buckets_a_year: float,
    false_alarms_a_year: float,
    direction: Direction,
    excluded: Collection[int] = (),
) -> SequenceVerdict:
    """
    Judge the last bucket: whether the mean of the last seven buckets, or of all, differs from the baseline.

    A test of the mean of all buckets finds small changes. A test of the mean of the last seven finds greater
    changes that begin late, when the mean of all buckets hardly moves.

    The probability of a false alarm in a sequence of :data:`BUCKETS` buckets is at most ``BUCKETS /
    buckets_a_year * false_alarms_a_year``, and at most :data:`MOST_ALPHA`, although the mean is tested after
    each bucket. Buckets without values do not count for the baseline.

    :param buckets: Sums of the buckets since the first one, from the oldest to the newest.
    :param buckets_a_year: Number of buckets in a year.
    :param false_alarms_a_year: Promised number of false alarms in a year.
    :param direction: Which change is harmful.
    :param excluded: Indices of buckets that failed, and whose alert is not acknowledged. If the bucket before
        the last is among them, the mean is in alarm until it has returned.
    """
    start = _end_of_baseline(buckets)
    baseline = _total(buckets, range(start), excluded)
    judged = [place for place in range(start, len(buckets)) if place not in excluded]
    alpha = min(MOST_ALPHA, false_alarms_a_year * min(1.0, BUCKETS / buckets_a_year))
    found = _judged(buckets, judged, baseline, alpha, direction)
    if found.outcome == "pass" and len(buckets) - 2 in excluded:
        recent = _total(buckets, range(max(start, len(buckets) - _RECENT), len(buckets)), ())
        if _differs(recent, baseline, direction):
            found = replace(found, outcome="fail", reason=_NOT_RETURNED)
    return SequenceVerdict(found, baseline, _total(buckets, judged, ()))


def _judged(
    buckets: Sequence[MeanSums],
    places: Sequence[int],
    baseline: MeanSums,
    alpha: float,
    direction: Direction,
) -> MeanVerdict:
    """Judge the mean of the last buckets, and the mean of all buckets."""
    last = places[-_RECENT:]
    recent = judge_sums(
        _total(buckets, last, ()),
        baseline,
        alpha=alpha * _OF_RECENT,
        direction=direction,
        looks=BUCKETS,
    )
    every = judge_sums(
        _total(buckets, places, ()), baseline, alpha=alpha * (1 - _OF_RECENT), direction=direction
    )
    verdicts = [replace(recent, buckets=len(last)), replace(every, buckets=len(places))]
    # A failed verdict is returned if there is one, else the one that would have found the smaller change.
    return min(verdicts, key=lambda each: (each.outcome != "fail", each.detectable or 0.0))


def _end_of_baseline(buckets: Sequence[MeanSums]) -> int:
    filled = 0
    for place, bucket in enumerate(buckets[:-1]):
        filled += bucket.count > 0
        if filled == BASELINE_BUCKETS:
            return place + 1
    return max(0, len(buckets) - 1)


def _total(buckets: Sequence[MeanSums], places: Collection[int], excluded: Collection[int]) -> MeanSums:
    return reduce(MeanSums.__add__, (buckets[place] for place in places if place not in excluded), _NOTHING)


def _differs(recent: MeanSums, baseline: MeanSums, direction: Direction) -> bool:
    found = mean_difference(recent, baseline)
    if found is None:
        return True
    difference, error = found
    harmful = {"decrease": -difference, "increase": difference, "both": abs(difference)}[direction]
    return harmful > _RETURNED * error
