"""From times that changed to buckets."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from aporia_provider.backend.store.buckets import Interval, describe_intervals, whole_buckets

HOUR, DAY = 3_600, 86_400


@pytest.mark.parametrize(
    ("intervals", "seconds", "buckets"),
    [
        ([], DAY, []),
        ([(0, 1)], DAY, [(0, DAY)]),
        ([(DAY * 1_000_000 - 1, DAY * 1_000_000)], DAY, [(0, DAY)]),
        ([(DAY * 1_000_000 - 1, DAY * 1_000_000 + 1)], DAY, [(0, 2 * DAY)]),
        ([(-1, 1)], HOUR, [(-HOUR, HOUR)]),
        ([(5 * DAY * 1_000_000, 5 * DAY * 1_000_000 + 1), (1, 2)], DAY, [(0, DAY), (5 * DAY, 6 * DAY)]),
        ([(1, 2), (3, 4), (DAY * 1_000_000, DAY * 1_000_000 + 5)], DAY, [(0, 2 * DAY)]),
        ([(0, 9 * DAY * 1_000_000), (1, 2)], DAY, [(0, 9 * DAY)]),
    ],
)
def test_buckets_of_times(intervals: list[Interval], seconds: int, buckets: list[Interval]) -> None:
    assert whole_buckets(intervals, seconds) == buckets


def test_many_spans_are_joined_where_they_are_closest() -> None:
    rng = np.random.default_rng(0)
    # All gaps are different, so there is one answer.
    gaps = rng.permutation(np.arange(1, 201))
    starts = np.cumsum(gaps + 1).tolist()
    found = whole_buckets([(day * DAY * 1_000_000, day * DAY * 1_000_000 + 1) for day in starts], DAY)
    assert len(found) == 64
    assert all(any(start <= day * DAY < end for start, end in found) for day in starts)
    assert sorted((later - end) // DAY for (_, end), (later, _) in pairwise(found)) == list(range(138, 201))


def test_in_words() -> None:
    assert describe_intervals(None, True) == "all rows"
    assert describe_intervals([], True) == "rows without a timestamp"
    assert describe_intervals([], False) == "nothing"
    day = "1970-01-01 00:00 to 1970-01-02 00:00"
    assert describe_intervals([(0, DAY)], False) == day
    assert describe_intervals([(0, DAY)], True) == f"{day} and rows without a timestamp"
    assert describe_intervals([(n * DAY, (n + 1) * DAY) for n in range(5)], False).endswith(
        "and 2 more intervals"
    )
    assert (
        describe_intervals([(253_402_214_400, 253_402_300_800)], False)
        == "9999-12-31 00:00 to 9999-12-31 23:59"
    )
