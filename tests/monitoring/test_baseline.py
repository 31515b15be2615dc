"""Grids of baselines: the same for the same rows in any order."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aporia_provider.monitoring.grids.grid import CategoryGrid, NumericGrid
from aporia_provider.monitoring.profiles.baseline_grids import make_grids
from aporia_provider.monitoring.profiles.plan import FieldPlan, dump_grids, fingerprint, load_grids
from aporia_provider.monitoring.states.vector_state import VectorGrid
from tests.monitoring.columns import KEY, KINDS, array_of, grids_of


@pytest.mark.slow
@settings(max_examples=80)
@given(st.sampled_from(sorted(KINDS)), st.data())
def test_order_and_chunks_do_not_matter(name: str, data: st.DataObject) -> None:
    kind = KINDS[name]
    values = data.draw(st.lists(st.none() | kind.values, max_size=20))
    grids = grids_of(array_of(values, kind.type), kind.plan)
    mixed = data.draw(st.permutations(values))
    cut = data.draw(st.integers(0, len(values)))
    parts = [pa.table({"c": array_of(some, kind.type)}) for some in (mixed[:cut], mixed[cut:])]
    table = pa.concat_tables(parts, promote_options="none")
    assert {key: made.grid for key, made in make_grids(table, [kind.plan]).items()} == grids
    stored = json.loads(json.dumps(dump_grids(grids)))
    assert load_grids(stored) == grids
    assert fingerprint(dump_grids(load_grids(stored))) == fingerprint(dump_grids(grids))
    assert all(key == KEY or key.startswith(f"{KEY}[") for key in grids)


@pytest.mark.parametrize("name", KINDS)
def test_nothing_has_no_grid(name: str) -> None:
    kind = KINDS[name]
    for values in ([], [None, None]):
        grids = grids_of(array_of(values, kind.type), kind.plan)
        assert grids == ({KEY: VectorGrid(4, None)} if kind.dimensions else {})
    empty = pa.table({"c": pa.chunked_array([], kind.type)})
    assert make_grids(empty, [kind.plan]).keys() == ({KEY} if kind.dimensions else set())


def grid_of(array: Any, type_: str, dimensions: tuple[int, ...] = ()) -> Any:
    return grids_of(array, FieldPlan(KEY, type_, "c", dimensions)).get(KEY)


def test_numbers() -> None:
    values = np.random.default_rng(0).normal(size=1_000)
    assert grid_of(pa.array([*values, None, np.nan, np.inf]), "numeric") == NumericGrid.of(values)
    assert grid_of(pa.array([True, False]), "numeric") == NumericGrid.of(np.array([0.0, 1.0]))
    assert grid_of(pa.array(["ab", "c", None]), "text") == NumericGrid.of(np.array([1.0, 2.0]))
    assert grid_of(pa.array(["1970-01-01", "never"]), "datetime") == NumericGrid.of(np.array([0.0]))
    assert grid_of(pa.array([np.nan, None], pa.float64()), "numeric") is None


def test_categories() -> None:
    assert grid_of(pa.array(["b", "a", "b", None, "c"]), "categorical") == CategoryGrid(("b", "a", "c"))
    assert grid_of(pa.array([["b"], None, ["a", "b"]]), "array") == CategoryGrid(("b", "a"))
    assert grid_of(pa.array([1, 0, 1, -1, -1, -1]), "boolean") == CategoryGrid(("true", "false"))
    many = [f"c{place:04}" for place in range(1_000)]
    grid = grid_of(pa.array(many + many[500:]), "string")
    assert grid.values == tuple(many[500:756])
    assert all(len(value) < 220 for value in grid_of(pa.array(["x" * 999]), "string").values)


class TestVectors:
    def test_the_commonest_dimension(self) -> None:
        rows = [[1.0], [3.0, 4.0], [0.0, 1.0], [], [], [], None]
        grid = grid_of(pa.array(rows), "vector")
        assert grid == VectorGrid(2, NumericGrid.of(np.array([5.0, 1.0])))
        assert grid_of(pa.array([[1.0, 2.0], [1.0]]), "vector").dimension == 1

    def test_empty_ones_have_no_dimension(self) -> None:
        assert grid_of(pa.array([[], [], None], pa.list_(pa.float64())), "vector") is None

    def test_tensors_have_that_of_the_schema(self) -> None:
        rows = [[3.0, 4.0, 0.0, 0.0], [1.0], [2.0], None]
        expected = VectorGrid(4, NumericGrid.of(np.array([5.0])))
        assert grid_of(pa.array(rows), "tensor", (2, 2)) == expected
        nested = [[[3.0, 4.0], [0.0, 0.0]], [[1.0, 1.0, 1.0], [1.0]]]
        assert grid_of(pa.array(nested), "tensor", (2, 2)) == expected

    def test_numbers_that_are_none(self) -> None:
        rows = [[3.0, 4.0], [np.nan, 1.0], [None, 1.0], [np.inf, 1.0]]
        assert grid_of(pa.array(rows), "vector") == VectorGrid(2, NumericGrid.of(np.array([5.0])))


def test_dicts() -> None:
    rows = [[("a", 1.0), ("b[c]", None)], None, [("a", 3.0)], [("k" * 300, 2.0)]]
    grids = grids_of(array_of(rows, pa.map_(pa.string(), pa.float64())), FieldPlan(KEY, "dict", "c"))
    keys = grids.pop(KEY)
    assert isinstance(keys, CategoryGrid)
    assert keys.values[:2] == ("a", "b[c]")
    assert grids == {
        f"{KEY}[a]": NumericGrid.of(np.array([1.0, 3.0])),
        f"{KEY}[{keys.values[2]}]": NumericGrid.of(np.array([2.0])),
    }


def test_several_fields_of_one_table() -> None:
    table = pa.table({"x": [1.0, None], "y": ["a", "b"], "z": pa.nulls(2)})
    fields = [
        FieldPlan("f.x", "numeric", "x"),
        FieldPlan("f.y", "string", "y"),
        FieldPlan("f.z", "text", "z"),
    ]
    assert list(make_grids(table, fields)) == ["f.x", "f.y"]
