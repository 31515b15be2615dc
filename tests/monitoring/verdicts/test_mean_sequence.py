"""Verdicts on the mean of labelled rows, compared with that of the first days."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from aporia_provider.monitoring.verdicts.confidence_sequence import MeanSums
from aporia_provider.monitoring.verdicts.mean_sequence import (
    BASELINE_BUCKETS,
    BUCKETS,
    first_bucket,
    judge_sequence,
)
from tests.sizes import FULL, sized

LABELS, YEAR = 500, 365


def days(right: list[int]) -> list[MeanSums]:
    return [MeanSums(hits, hits, LABELS) for hits in right]


def outcome(buckets: list[MeanSums], excluded: frozenset[int] = frozenset()) -> str:
    judged = judge_sequence(
        buckets, buckets_a_year=365.25, false_alarms_a_year=1, direction="decrease", excluded=excluded
    )
    return judged.found.outcome


def first_alarm(buckets: list[MeanSums], start: int, step: int = 1) -> int | None:
    """The number of days from a day to the first alarm."""
    looks = range(start + 1, len(buckets) + 1, step)
    return next((look - start for look in looks if outcome(buckets[:look]) == "fail"), None)


@pytest.mark.slow
def test_a_year_without_a_change_has_an_alarm_in_at_most_five_percent_of_streams() -> None:
    """In full size: 1,000 streams that are looked at every day. Otherwise, 40 that are looked at weekly."""
    streams, step = (1000, 1) if FULL else (40, 7)
    rng = np.random.default_rng(4)
    alarms = sum(
        first_alarm(days(right), BASELINE_BUCKETS, step) is not None
        for right in rng.binomial(LABELS, 0.9, (streams, BASELINE_BUCKETS + YEAR)).tolist()
    )
    assert alarms <= binom.ppf(0.99, streams, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("quiet", "most"), [(0, 7), (100, 10)])
def test_a_drop_of_two_points_is_found(quiet: int, most: int) -> None:
    """The median is 6 days after the baseline, and 8 or 9 days later on."""
    rng = np.random.default_rng(5)
    delays = []
    for _ in range(sized(30, 200)):
        before = rng.binomial(LABELS, 0.9, BASELINE_BUCKETS + quiet).tolist()
        buckets = days(before + rng.binomial(LABELS, 0.88, 60).tolist())
        found = first_alarm(buckets, len(before))
        delays.append(61 if found is None else found)
    assert np.median(delays) <= most


def test_an_alarm_lasts_until_the_recent_days_are_as_the_first_ones() -> None:
    usual, low = MeanSums(450, 450, 500), MeanSums(435, 435, 500)
    buckets = [usual] * 40 + [low] * 7
    # z = 0.03 / sqrt(0.0945 * (1/3500 + 1/14000)) = 5.2; the 1 - 0.04/365 quantile is 3.7.
    assert outcome(buckets) == "fail"
    # Without the failed day; the difference of the last seven days is 6/7 of 3 points: z = 4.4.
    assert outcome([*buckets, usual], frozenset({46})) == "fail"
    assert outcome([*buckets, *[usual] * 7], frozenset(range(40, 53))) == "pass"


def test_days_without_labels_do_not_count_for_the_baseline() -> None:
    nothing, usual = MeanSums(0, 0, 0), MeanSums(450, 450, 500)
    buckets = [nothing] * 10 + [usual] * 30
    judged = judge_sequence(buckets, buckets_a_year=365.25, false_alarms_a_year=1, direction="decrease")
    assert (judged.baseline.count, judged.judged.count) == (28 * 500, 2 * 500)
    few = judge_sequence(buckets[:11], buckets_a_year=365.25, false_alarms_a_year=1, direction="decrease")
    assert few.found.outcome == "insufficient"


@pytest.mark.parametrize(
    ("buckets", "first"),
    [(1, 0), (29, 0), (28 + BUCKETS, 0), (29 + BUCKETS, BUCKETS), (29 + 2 * BUCKETS, 2 * BUCKETS)],
)
def test_the_baseline_moves_once_a_year(buckets: int, first: int) -> None:
    assert first_bucket(buckets) == first
