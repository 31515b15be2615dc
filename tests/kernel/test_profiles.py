"""The kernel computes the profiles that numpy computes, whatever the rows and their order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings

from aporia_provider.monitoring.kernel import text_accumulator
from aporia_provider.monitoring.profiles import kernel_profile as module
from aporia_provider.monitoring.profiles.baseline_bins import make_bins
from aporia_provider.monitoring.profiles.numpy_profile import numpy_profile
from aporia_provider.monitoring.profiles.plan import Bins, FieldPlan, OutcomePlan, ProfilePlan
from aporia_provider.monitoring.states.row_state import RowState
from aporia_provider.monitoring.states.value_state import ValueState
from tests.kernel.comparing import assert_equal, digest, kernel, with_kernel
from tests.monitoring.columns import DAY, KEY, table_of
from tests.monitoring.test_profile import split_rows
from tests.sizes import sized

ROWS = 3_000
FIELDS = (
    FieldPlan("doubles", "numeric", "double"),
    FieldPlan("floats", "numeric", "float"),
    FieldPlan("longs", "numeric", "long"),
    FieldPlan("truths", "numeric", "truth"),
    FieldPlan("lengths", "text", "many"),
    FieldPlan("times", "datetime", "moment"),
    FieldPlan("few", "categorical", "few"),
    FieldPlan("many", "string", "many"),
    FieldPlan("codes", "categorical", "long"),
    FieldPlan("flags", "boolean", "truth"),
    FieldPlan("vectors", "vector", "vector"),
)
OUTCOMES = (OutcomePlan("performance.double", "regression", "double", "float"),)


def _texts(rng: np.random.Generator, count: int) -> pa.Array:
    words = [f"{'x' * (place % 12)}{place}é" for place in range(count)] + ["", "y" * 300]
    return pa.array(words).take(pa.array(rng.integers(0, len(words), ROWS)))


def _nulled(rng: np.random.Generator, array: pa.Array) -> pa.Array:
    return pa.compute.if_else(pa.array(rng.random(ROWS) < 0.1), None, array)


def rows(seed: int = 1) -> pa.RecordBatch:
    """Rows with nulls in all columns, and ids of which many are duplicates, over two days in order."""
    rng = np.random.default_rng(seed)
    columns: Mapping[str, Any] = {
        "id": pa.array(rng.integers(-(2**63), 2**63 - 1, 2_000)[rng.integers(0, 2_000, ROWS)]),
        "time": pa.array(np.sort(rng.integers(-DAY // 2, DAY, ROWS)), pa.timestamp("us", "UTC")),
        "double": pa.array(np.where(rng.random(ROWS) < 0.1, np.nan, rng.lognormal(0, 3, ROWS))),
        "float": pa.array(rng.normal(0, 1, ROWS).astype(np.float32)),
        "long": pa.array(rng.integers(-9, 9, ROWS)),
        "truth": pa.array(rng.random(ROWS) < 0.5),
        "moment": pa.array(rng.integers(0, DAY, ROWS), pa.timestamp("us", "UTC")),
        "few": _texts(rng, 5),
        "many": _texts(rng, 900),
        "vector": pa.array(rng.normal(0, 1, (ROWS, 2)).tolist()),
    }
    ordered = ("time", "vector")
    arrays = {name: item if name in ordered else _nulled(rng, item) for name, item in columns.items()}
    return pa.RecordBatch.from_pydict(arrays)


def plan_of(batch: pa.RecordBatch, period: str = "daily") -> ProfilePlan:
    bins: dict[str, Bins] = {
        key: made.bins
        for key, made in make_bins(pa.Table.from_batches([batch.slice(0, 500)]), FIELDS).items()
    }
    return ProfilePlan(period, FIELDS, OUTCOMES, bins)


def shuffled(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.take(pa.array(np.random.default_rng(2).permutation(batch.num_rows)))


def sliced(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The rows in slices, whose offsets are not multiples of eight."""
    bounds = [0, 1, 13, 1_050, 1_050, 2_111, batch.num_rows]
    padded = pa.Table.from_batches([batch.slice(0, 3), batch]).combine_chunks().to_batches()[0].slice(3)
    yield from (padded.slice(start, end - start) for start, end in pairwise(bounds))


def untimed(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The rows, a third of them without a timestamp."""
    times = pa.compute.if_else(pa.array(np.arange(batch.num_rows) % 3 == 0), None, batch["time"])
    return batch.set_column(batch.schema.get_field_index("time"), "time", times)


WAYS: Mapping[str, Any] = {
    "ordered": lambda batch: [batch],
    "shuffled": lambda batch: [shuffled(batch)],
    "sliced": lambda batch: list(sliced(batch)),
    "shuffled and sliced": lambda batch: list(sliced(shuffled(batch))),
    "untimed": lambda batch: [untimed(batch)],
    "all untimed": lambda batch: [
        batch.set_column(1, "time", pa.nulls(batch.num_rows, pa.timestamp("us", "UTC")))
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("period", ["daily", "hourly"])
def test_digests_of_all_states_are_equal(way: str, period: str) -> None:
    batch = rows()
    plan = plan_of(batch, period)
    given_rows = WAYS[way](batch)
    found, expected = with_kernel(given_rows, plan), numpy_profile(given_rows, plan)
    assert digest(found) == digest(expected)
    if "untimed" not in way:
        assert digest(found) == digest(numpy_profile([batch], plan))
    assert sum(state.rows for state in found.values() if isinstance(state, RowState)) == ROWS


@pytest.mark.slow
@settings(max_examples=sized(38, 150))
@given(split_rows())
def test_columns_of_any_type(split: Any) -> None:
    kind, whole, parts, period, bins = split
    plan = ProfilePlan(period, (kind.plan,), (), bins)
    assert_equal([whole], plan)
    assert_equal(parts, plan)


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1 << 17, 1 << 20])
def test_memory_is_limited_however_many_buckets_there_are(limit: int) -> None:
    batch = shuffled(rows())
    plan = plan_of(batch, "hourly")
    expected = digest(numpy_profile([batch], plan))
    buckets = len({bucket for bucket, _ in numpy_profile([batch], plan)})
    with patch.object(module, "_BYTES", limit):
        assert digest(with_kernel([batch], plan)) == expected
        assert digest(with_kernel(list(sliced(batch)), plan)) == expected
        computation = module._Computation(plan, kernel())
        for part in sliced(batch):
            computation.add(part)
            assert len(computation._slots) <= computation.most_slots < buckets


@pytest.mark.slow
def test_a_single_bucket_may_be_larger_than_the_limit() -> None:
    batch = rows()
    plan = plan_of(batch)
    with patch.object(module, "_BYTES", 1):
        assert digest(with_kernel([batch], plan)) == digest(numpy_profile([batch], plan))


def text_states(values: list[str], sizes: list[int]) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """States of texts by both, in batches of the given sizes that are not gathered."""
    batches, start = [], 0
    for size in sizes:
        batches.append(table_of(pa.array(values[start : start + size])))
        start += size
    plan = ProfilePlan("daily", (FieldPlan(KEY, "string", "c"),))
    with patch("aporia_provider.monitoring.profiles.gathering._ROWS", 1):
        return with_kernel(batches, plan), numpy_profile(batches, plan)


@pytest.mark.parametrize(
    "sizes",
    [
        # The limit is 4096 texts: below it, at it, above it, and above it in the second batch only.
        *([4_000], [4_096], [4_097], [9_000], [3_000, 3_000], [3_000, 5_000, 3_000]),
    ],
    ids=str,
)
def test_more_texts_than_there_is_space_for(sizes: list[int]) -> None:
    assert text_accumulator._MOST_TEXTS == 4_096
    found, expected = text_states([f"text {place}" for place in range(sum(sizes))], sizes)
    assert found == expected


def test_codes_and_booleans_are_not_processed_by_bucket() -> None:
    """With more codes than there is space for, they are."""
    codes = pa.array([*range(4_000), None] * 2, pa.int16())
    fields = (FieldPlan("code", "categorical", "c"), FieldPlan("flag", "boolean", "f"))
    batch = table_of(codes).append_column("f", pa.compute.greater(codes, 9))
    for more, buckets in ((0, 0), (4_000, 1)):
        computation = module._Computation(ProfilePlan("daily", fields), kernel())
        column = pa.compute.add(codes, pa.array([more] * 4_001 + [0] * 4_001, pa.int16()))
        rows = batch.set_column(batch.schema.get_field_index("c"), "c", column)
        assert computation.add(rows) == buckets
        computation.take_all()
        assert computation.states == numpy_profile([rows], ProfilePlan("daily", fields))


def test_longer_texts_than_there_is_space_for() -> None:
    large = "z" * (text_accumulator._MOST_BYTES - 10)
    found, expected = text_states(["a", large, "b", large, "c" * 20, "a"], [3, 1, 2])
    assert found == expected


def test_texts_that_differ_in_one_byte() -> None:
    """Of every length up to three words, at every place."""
    values = [
        "".join("b" if place == other else "a" for other in range(length))
        for length in range(25)
        for place in range(length + 1)
    ]
    found, expected = text_states(values * 2, [2 * len(values)])
    assert found == expected
    (state,) = (state for state in found.values() if isinstance(state, ValueState))
    assert (state.count, state.distinct) == (2 * len(values), len(values))


def hash_of_eight_bytes(text: str) -> int:
    """The hash of ``texts.c`` for texts of this length."""
    product = (8 ^ int.from_bytes(text.encode(), "little")) * 0x9E3779B97F4A7C15
    return (product ^ product >> 64) & (2**64 - 1)


@pytest.mark.slow
def test_texts_whose_hashes_look_equal() -> None:
    """Texts of the same place in the table, and of the same bits that are stored beside the code."""
    known: dict[tuple[int, int], str] = {}
    pairs = []
    for number in range(150_000):
        text = f"{number:08}"
        hashed = hash_of_eight_bytes(text)
        seen = known.setdefault((hashed % text_accumulator._PLACES, hashed >> 48), text)
        if seen != text:
            pairs += [seen, text]
    assert len(pairs) >= 2
    found, expected = text_states(pairs * 3, [3 * len(pairs)])
    assert found == expected


def test_ids_beyond_the_capacity_of_a_sample() -> None:
    rng = np.random.default_rng(3)
    ids = rng.integers(-(2**63), 2**63 - 1, 20_000)[rng.integers(0, 20_000, 60_000)]
    days = np.where(rng.random(60_000) < 0.9, 0, DAY)
    batches = [
        table_of(
            pa.nulls(6_000, pa.float64()), days[start : start + 6_000].tolist(), ids[start : start + 6_000]
        )
        for start in range(0, 60_000, 6_000)
    ]
    plan = ProfilePlan("daily", ())
    with patch("aporia_provider.monitoring.profiles.gathering._ROWS", 1):
        assert_equal(batches, plan)
