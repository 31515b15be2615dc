"""Profiles made inside a real Sail: all rows, or an error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from aporia_provider.engine.dataframes import profiling, worker_functions
from aporia_provider.engine.dataframes.profiling import baseline_bins, profile_columns, profile_frame
from aporia_provider.engine.session import spark_session
from aporia_provider.monitoring.bins.field_bins import NumericBins
from aporia_provider.monitoring.profiles.plan import FieldPlan, ProfilePlan, dump_fields, dump_plan
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.row_state import RowState
from aporia_provider.monitoring.states.sketches import HashSample
from tests.processes import starts_process

TIME = pa.timestamp("us", "UTC")
FIELD = FieldPlan("features.x", "numeric", "c0")
PLAN = json.dumps(dump_plan(ProfilePlan("daily", (FIELD,))))


@pytest.fixture(scope="module")
@starts_process()
def spark() -> Iterator[Any]:
    with spark_session() as opened:
        yield opened


def frame(spark: Any, folder: Path, *parts: pa.Table) -> Any:
    for part in parts:
        write_deltalake(folder, part, mode="append")
    return profile_columns(spark.read.format("delta").load(f"file://{folder}"), "id", "at", {"c0": "x"})


def rows(ids: Any, x: Any = None) -> pa.Table:
    return pa.table(
        {
            "id": ids,
            "at": pa.array([0] * len(ids), TIME),
            "x": pa.array([1.0] * len(ids) if x is None else x, pa.float64()),
        }
    )


def row_state(found: Any) -> RowState:
    state = found[0, "rows"]
    assert isinstance(state, RowState)
    return replace(state.settled(), ids=HashSample())


@pytest.mark.parametrize(
    ("ids", "nulls", "duplicates"),
    [
        (pa.array(["b"] * 3), 0, 2),
        (pa.array([7] * 3), 0, 2),
        (pa.array([None] * 3, pa.string()), 3, 0),
        (pa.array(["a", None, "a"]), 1, 1),
        (pa.array(["a"]), 0, 0),
    ],
    ids=str,
)
def test_ids_that_are_the_same_all_through_a_file(
    spark: Any, tmp_path: Path, ids: Any, nulls: int, duplicates: int
) -> None:
    found = profile_frame(frame(spark, tmp_path, rows(ids)), ProfilePlan("daily", (FIELD,)))
    assert row_state(found) == RowState(len(ids), nulls, duplicates, id_level=0)
    assert found[0, FIELD.key].rows == len(ids)


def test_states_of_many_files_are_added(spark: Any, tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=3_000)
    ids = pa.array([f"i{place % 900}" for place in range(3_000)])
    parts = [rows(ids[start : start + 500], values[start : start + 500]) for start in range(0, 3_000, 500)]
    found = profile_frame(frame(spark, tmp_path, *parts), ProfilePlan("daily", (FIELD,)))
    assert row_state(found) == RowState(3_000, 0, 2_100, id_level=0)
    assert found[0, FIELD.key] == NumericState.of(values, 0, None)


class TestBaseline:
    def test_a_large_one_is_sampled_alike_each_time(
        self, spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(profiling, "_SAMPLE_ROWS", 1_000)
        values = np.arange(4_000.0)
        table = rows(pa.array([str(n) for n in range(4_000)]), values)
        shuffled = table.take(pa.array(np.random.default_rng(2).permutation(4_000)))
        bins = [
            baseline_bins(frame(spark, tmp_path / str(place), *parts), [FIELD])
            for place, parts in enumerate(([table], [shuffled[:900], shuffled[900:]]))
        ]
        assert bins[0] == bins[1]
        field_bins, count = bins[0][FIELD.key]
        assert isinstance(field_bins, NumericBins)
        assert 800 < count < 1_200
        # Four standard deviations of the median of 1,000 numbers.
        assert abs(field_bins.boundaries[4] - 2_000) < 4 * 4_000 * 0.5 / 1_000**0.5
        assert (field_bins.edges[0], field_bins.edges[-1]) != (0.0, np.nextafter(3_999.0, np.inf))

    def test_ids_that_are_in_many_rows(
        self, spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Eight ids, each with numbers of its own: a sample of ids would know but some of the numbers."""
        monkeypatch.setattr(profiling, "_SAMPLE_ROWS", 1_000)
        ids = [str(n % 8) for n in range(8_000)]
        table = rows(pa.array(ids), np.arange(8_000.0) % 8 * 100)
        table = table.set_column(1, "at", pa.array(range(8_000), pa.int64()).cast(TIME))
        bins = baseline_bins(frame(spark, tmp_path, table), [FIELD])[FIELD.key].bins
        assert isinstance(bins, NumericBins)
        assert set(range(0, 800, 100)) <= set(bins.edges)

    def test_rows_that_all_have_one_id_and_time(
        self, spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(profiling, "_SAMPLE_ROWS", 10)
        values = np.arange(400.0)
        for place in range(8):
            table = rows(pa.array([f"only {place}"] * 400), values)
            bins = baseline_bins(frame(spark, tmp_path / str(place), table), [FIELD])[FIELD.key].bins
            assert isinstance(bins, NumericBins)
            assert 2 < len(bins.edges) <= 21

    def test_an_empty_one_has_no_bins(self, spark: Any, tmp_path: Path) -> None:
        assert baseline_bins(frame(spark, tmp_path, rows(pa.array([], pa.string()))), [FIELD]) == {}


class TestBreakdown:
    """An engine that breaks down must not look as if it had come to the end of the rows."""

    class Panic(BaseException):
        """What a panic of an extension in Rust is in Python."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"id": pa.array([1]), "time": pa.array([0], TIME), "c0": [1.0]})
        raise self.Panic("index out of bounds")

    def test_profile(self) -> None:
        with pytest.raises(RuntimeError, match="crashed: index out of bounds"):
            list(worker_functions.compute_states(self.batches(), PLAN))

    def test_bins(self) -> None:
        with pytest.raises(RuntimeError, match="crashed: index out of bounds"):
            list(worker_functions.compute_bins(self.batches(), json.dumps(dump_fields([FIELD]))))

    def test_errors_are_passed_on_as_they_are(self) -> None:
        def broken() -> Iterator[pa.RecordBatch]:
            yield from ()
            raise OSError("no more")

        with pytest.raises(OSError, match="no more"):
            list(worker_functions.compute_states(broken(), PLAN))
