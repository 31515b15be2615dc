"""Duplicate ids, within buckets and across them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aporia_provider.monitoring.states.row_state import RowState
from aporia_provider.monitoring.states.state import read_state
from aporia_provider.monitoring.statistics.duplicate_ids import duplicate_ids
from tests.monitoring.ids import hashes
from tests.sizes import sized


def bucket(ids: Any, seed: int = 0) -> RowState:
    """The state of a bucket as the database has it."""
    stored = json.loads(json.dumps(RowState.of(hashes(ids, seed), 0).settled().to_json()))
    state = read_state(stored)
    assert isinstance(state, RowState)
    return state


def duplicates(*buckets: Sequence[int]) -> int:
    together = [id_ for ids in buckets for id_ in ids]
    return len(together) - len(set(together))


@pytest.mark.slow
@given(st.lists(st.lists(st.integers(0, 60), max_size=40), min_size=1, max_size=6))
def test_few_ids_are_counted(ids: list[list[int]]) -> None:
    states = [bucket(part) for part in ids]
    found = duplicate_ids(states)
    assert (found.value, found.bound, found.status) == (duplicates(*ids), 0.0, "ok")
    assert found.samples == sum(map(len, ids))
    assert reduce(add, states) == reduce(add, states[::-1])
    assert reduce(add, states).duplicates == found.value
    assert (found.reason is not None) is (len(ids) > 1)
    for part, state in zip(ids, states, strict=True):
        assert duplicate_ids([state]).value == state.duplicate_ids == duplicates(part)


def test_predictions_sent_again_on_another_day_are_duplicates() -> None:
    found = duplicate_ids([bucket(range(200)), bucket(range(150, 350))])
    assert (found.value, found.bound) == (50, 0.0)
    assert "several buckets are included" in (found.reason or "")


def test_one_bucket_of_many_ids_is_counted_as_far_as_they_fit() -> None:
    found = duplicate_ids([bucket([*range(2_000), *range(30)])])
    assert (found.value, found.bound, found.reason) == (30, 0.0, None)


def test_there_are_no_buckets() -> None:
    assert duplicate_ids([]).value == 0


@pytest.mark.slow
@pytest.mark.parametrize("again", [0, 3, 500, 5_000])
def test_many_ids_are_estimated_within_the_bound(again: int) -> None:
    days = [
        np.arange(5_000),
        np.append(np.arange(5_000, 10_000), np.arange(again)),
        np.arange(10_000, 12_000),
    ]
    misses = 0
    for seed in range(40):
        found = duplicate_ids([bucket(day, seed) for day in days])
        misses += abs(found.value - again) > found.bound
        assert 0 < found.bound <= 12_000 + again
        assert "an estimate" in (found.reason or "")
    assert misses <= 1


@settings(max_examples=sized(5, 20), deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 3))
def test_what_is_kept_of_a_bucket_is_small(seed: int, times: int) -> None:
    rng = np.random.default_rng(seed)
    state = RowState.of(hashes(rng.integers(0, 3_000 * times, 20_000), seed), 0).settled()
    assert len(json.dumps(state.to_json())) < 4_000
    assert state.settled() == state
    assert len(state.ids.hashes) <= 256
