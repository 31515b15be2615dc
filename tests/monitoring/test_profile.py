"""A profile is the same however its rows come: split, ordered and stored in any way."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aporia_provider.monitoring.bins.field_bins import CategoryBins
from aporia_provider.monitoring.profiles import gathering
from aporia_provider.monitoring.profiles.plan import FieldPlan, ProfilePlan, dump_bins, load_bins
from aporia_provider.monitoring.profiles.profile import Profile, add, profile
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.row_state import RowState
from aporia_provider.monitoring.states.sketches import HashSample
from aporia_provider.monitoring.states.state import read_state
from tests.monitoring.columns import DAY, KEY, KINDS, Kind, array_of, bins_by_key, profiled, table_of
from tests.sizes import sized

_SECONDS = {"daily": 86_400, "hourly": 3_600}
_times = st.none() | st.sampled_from([-1, 0, DAY - 1, DAY, -DAY, -DAY - 1]) | st.integers(-2 * DAY, 2 * DAY)
_ids = st.none() | st.integers(0, 5) | st.integers(-(2**63), 2**63 - 1)


@st.composite
def split_rows(draw: st.DrawFn) -> tuple[Kind, pa.RecordBatch, list[pa.RecordBatch], str, dict[str, Any]]:
    """Rows, and the same ones in another order and in several batches."""
    kind = KINDS[draw(st.sampled_from(sorted(KINDS)))]
    values = draw(st.lists(st.none() | kind.values, max_size=24))
    size = len(values)
    whole = table_of(
        array_of(values, kind.type),
        draw(st.lists(_times, min_size=size, max_size=size)),
        draw(st.lists(_ids, min_size=size, max_size=size)),
    )
    order = draw(st.permutations(range(size)))
    mixed = table_of(
        array_of([values[place] for place in order], kind.type),
        [_micros(whole)[place] for place in order],
        [whole["id"][place].as_py() for place in order],
    )
    cuts = sorted(draw(st.lists(st.integers(0, size), max_size=6)))
    parts = [mixed.slice(a, b - a) for a, b in zip([0, *cuts], [*cuts, size], strict=True)]
    known = draw(st.integers(0, size))
    bins = bins_by_key(array_of(values[:known], kind.type), kind.plan)
    return kind, whole, parts, draw(st.sampled_from(["daily", "hourly"])), bins


def _micros(batch: pa.RecordBatch) -> list[int | None]:
    found: list[int | None] = batch["time"].cast(pa.int64()).to_pylist()
    return found


def _stored(content: Any) -> Any:
    return json.loads(json.dumps(content))


def _texts(found: Profile) -> dict[Any, str]:
    return {place: json.dumps(state.to_json()) for place, state in found.items()}


@pytest.mark.slow
@settings(max_examples=sized(25, 100))
@given(split_rows(), st.sampled_from([(1, 0, 1 << 25), (5, 0, 1 << 25), (1, 2, 1 << 25), (1 << 18, 0, 150)]))
def test_splits_and_order_leave_no_trace(rows: Any, limits: tuple[int, int, int]) -> None:
    kind, whole, parts, period, bins = rows
    at_once_and_whole = profiled([whole], kind, period, bins)
    with patch.multiple(gathering, **dict(zip(("_ROWS", "_ROWS_OF_BUCKET", "_BYTES"), limits, strict=True))):
        assert profiled(parts, kind, period, bins) == at_once_and_whole
    added: Profile = {}
    for part in parts:
        for place, state in profiled(
            [part], kind, period, load_bins(json.loads(json.dumps(dump_bins(bins))))
        ).items():
            add(added, place, read_state(json.loads(json.dumps(state.to_json()))))
    assert added == at_once_and_whole
    # -0.0 equals 0.0, but is not written like it.
    assert _texts(added) == _texts(at_once_and_whole)


@pytest.mark.slow
@settings(max_examples=sized(15, 60))
@given(split_rows())
def test_every_row_is_in_one_bucket(rows: Any) -> None:
    kind, whole, _, period, bins = rows
    found = profiled([whole], kind, period, bins)
    seconds = _SECONDS[period]
    by_hand = Counter(
        None if micros is None else micros // (seconds * 1_000_000) * seconds for micros in _micros(whole)
    )
    keys = {key for _, key in found}
    assert keys <= {"rows", KEY} or kind.field == "dict"
    for key in keys:
        assert {bucket: state.rows for (bucket, of), state in found.items() if of == key} == by_hand


def test_buckets_before_1970_and_at_their_edges() -> None:
    times = [-1, 0, DAY - 1, DAY, None, -DAY, -DAY - 1]
    batch = table_of(pa.array([1.0] * len(times)), times)
    found = profile([batch], ProfilePlan("daily", ()))
    assert {bucket: state.rows for (bucket, _), state in found.items()} == {
        -2 * 86_400: 1,
        -86_400: 2,
        0: 2,
        86_400: 1,
        None: 1,
    }
    hours = profile([batch], ProfilePlan("hourly", ()))
    assert {bucket for bucket, _ in hours} == {-2 * 86_400 + 82_800, -86_400, -3_600, 0, 82_800, 86_400, None}


@pytest.mark.parametrize(
    "time",
    [
        pa.array([-1_001, 86_399_999_999_999], pa.timestamp("ns")),
        pa.array([-2, 86_399_999_999], pa.timestamp("us")),
        pa.array([-2, 86_399_999_999], pa.timestamp("us", "America/New_York")),
        pa.array([-1, 86_399_999], pa.timestamp("ms", "UTC")),
        pa.array([-1, 86_399], pa.timestamp("s")),
        pa.array([-1, 0], pa.date32()),
    ],
    ids=str,
)
def test_times_of_any_type_fall_into_utc_days(time: pa.Array) -> None:
    batch = pa.record_batch({"id": pa.array([1, 2]), "time": time})
    assert {bucket for bucket, _ in profile([batch], ProfilePlan("daily", ()))} == {-86_400, 0}


def test_no_rows_have_no_states() -> None:
    empty = table_of(pa.array([], pa.float64()))
    plan = ProfilePlan("daily", (FieldPlan(KEY, "numeric", "c"),))
    assert profile([], plan) == {}
    assert profile([empty, empty], plan) == {}


def test_ids() -> None:
    ids = [1, 1, 1, None, None, 2, -3, 2]
    batch = table_of(pa.array([0.0] * len(ids)), [0] * 4 + [DAY] * 4, ids)
    found = profile([batch.slice(0, 3), batch.slice(3)], ProfilePlan("daily", ()))
    settled = {bucket: state.settled() for (bucket, _), state in found.items() if isinstance(state, RowState)}
    first, second = HashSample(0, (1,), (1,)), HashSample(0, (-3, 2), (1, 1))
    assert settled[0] == RowState(rows=4, null_ids=1, duplicate_ids=2, id_level=0, ids=first)
    assert settled[86_400] == RowState(rows=4, null_ids=1, duplicate_ids=1, id_level=0, ids=second)
    assert read_state(json.loads(json.dumps(settled[0].to_json()))) == settled[0]


def test_two_fields_may_share_a_column() -> None:
    fields = (FieldPlan("a", "numeric", "c"), FieldPlan("b", "categorical", "c"))
    found = profile(
        [table_of(pa.array([1, 2, 2]))], ProfilePlan("daily", fields, (), {"b": CategoryBins(("2",))})
    )
    assert [found[0, key].kind for key in ("a", "b")] == ["numeric", "values"]


@pytest.mark.slow
def test_wide_rows_are_not_gathered_without_end() -> None:
    batches = [table_of(pa.array([[1.0] * 4_096] * 256)) for _ in range(20)]
    rest = iter(batches)
    found = list(iter(lambda: gathering.gathered(rest, 1_000), None))
    assert sum(batch.num_rows for batch in found) == 20 * 256
    assert max(batch.nbytes for batch in found) < 2 * gathering._BYTES
    assert len(found) > 1


def test_many_buckets_in_one_batch() -> None:
    rng = np.random.default_rng(4)
    values, times = rng.normal(size=5_000), rng.integers(0, 300 * DAY, 5_000)
    plan = ProfilePlan("daily", (FieldPlan(KEY, "numeric", "c"),))
    found = profile([table_of(pa.array(values), times.tolist())], plan)
    days = times // DAY
    for day in np.unique(days).tolist():
        state = found[day * 86_400, KEY]
        assert isinstance(state, NumericState)
        assert (state.rows, state.least) == (int((days == day).sum()), values[days == day].min())
