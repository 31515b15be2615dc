"""Verdicts on means that are looked at every day."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from aporia_provider.monitoring.verdicts.confidence_sequence import (
    MeanVerdict,
    judge_mean,
)

LABELS, DAYS, BASELINE = 500, 365, 20_000
MIXTURE = (-2 * math.log(0.05) + math.log(-2 * math.log(0.05) + 1)) / 2000  # Narrowest at 2,000 values.


def _verdict(right: int, count: int, baseline: int, alpha: float = 0.05) -> MeanVerdict:
    return judge_mean(right, right, count, baseline, baseline, BASELINE, alpha=alpha, direction="decrease")


def _alarms(right: NDArray[np.int64], baseline: NDArray[np.int64]) -> Iterator[int]:
    """Yield the day of the first alarm of each stream, from one; a day after the last if there is none."""
    for stream, base in zip(right.cumsum(axis=1), baseline, strict=True):
        looks = (_verdict(int(r), LABELS * (d + 1), int(base)).outcome for d, r in enumerate(stream))
        yield next((day for day, outcome in enumerate(looks, 1) if outcome == "fail"), len(stream) + 1)


@pytest.mark.slow
def test_at_most_five_percent_of_streams_without_a_change_have_an_alarm_in_a_year() -> None:
    rng = np.random.default_rng(4)
    streams = 1000
    baseline = rng.binomial(BASELINE, 0.9, streams)
    firsts = np.array(list(_alarms(rng.binomial(LABELS, 0.9, (streams, DAYS)), baseline)))
    assert (firsts <= DAYS).sum() <= binom.ppf(0.99, streams, 0.05)
    assert (firsts <= DAYS).mean() <= 0.05


def test_a_drop_of_two_points_is_found_in_a_week() -> None:
    rng = np.random.default_rng(5)
    baseline = rng.binomial(BASELINE, 0.9, 100)
    assert np.median(list(_alarms(rng.binomial(LABELS, 0.88, (100, 40)), baseline))) <= 7


def test_the_interval_is_that_of_the_published_formula() -> None:
    # Robbins' normal mixture: s * sqrt((1 + I r) / (I**2 r) * log((1 + I r) / alpha**2)).
    verdict = judge_mean(4500, 4500, 5000, 18_000, 18_000, BASELINE)
    information = 1 / (1 / 5000 + 1 / BASELINE)
    deviation = math.sqrt(0.09 * 25_000 / 24_998)
    inside = (1 + information * MIXTURE) / (information**2 * MIXTURE)
    half = deviation * math.sqrt(inside * math.log((1 + information * MIXTURE) / 0.05**2))
    assert verdict.high == pytest.approx(half, rel=1e-9)
    assert verdict.low == pytest.approx(-half, rel=1e-9)


def test_the_power_at_the_detectable_effect_is_eighty_percent() -> None:
    rng = np.random.default_rng(8)
    detectable = _verdict(4500, 5000, 18_000).detectable
    assert detectable is not None
    right = rng.binomial(5000, 0.9 - detectable, 3000)
    baseline = rng.binomial(BASELINE, 0.9, 3000)
    found = [_verdict(int(r), 5000, int(b)).outcome == "fail" for r, b in zip(right, baseline, strict=True)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.06)


def test_only_the_harmful_direction_is_an_alarm() -> None:
    better = _verdict(4950, 5000, 18_000)
    assert (better.outcome, better.low) == ("pass", -math.inf)
    assert judge_mean(4950, 4950, 5000, 18_000, 18_000, BASELINE).outcome == "fail"


def test_few_values_are_insufficient() -> None:
    verdict = _verdict(20, 29, 18_000)
    assert verdict.outcome == "insufficient"
    assert verdict.reason == "there are 29 values, and 20000 in the baseline; 30 are required"
