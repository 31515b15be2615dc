"""Bins of baselines: the same for the same rows in any order."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aporia_provider.monitoring.bins.field_bins import CategoryBins, NumericBins
from aporia_provider.monitoring.profiles.baseline_bins import make_bins
from aporia_provider.monitoring.profiles.plan import FieldPlan, dump_bins, fingerprint, load_bins
from aporia_provider.monitoring.states.vector_state import VectorBins
from tests.monitoring.columns import KEY, KINDS, array_of, bins_by_key
from tests.sizes import sized


@pytest.mark.slow
@settings(max_examples=sized(20, 80))
@given(st.sampled_from(sorted(KINDS)), st.data())
def test_order_and_chunks_do_not_matter(name: str, data: st.DataObject) -> None:
    kind = KINDS[name]
    values = data.draw(st.lists(st.none() | kind.values, max_size=20))
    bins = bins_by_key(array_of(values, kind.type), kind.plan)
    mixed = data.draw(st.permutations(values))
    cut = data.draw(st.integers(0, len(values)))
    parts = [pa.table({"c": array_of(some, kind.type)}) for some in (mixed[:cut], mixed[cut:])]
    table = pa.concat_tables(parts, promote_options="none")
    assert {key: made.bins for key, made in make_bins(table, [kind.plan]).items()} == bins
    stored = json.loads(json.dumps(dump_bins(bins)))
    assert load_bins(stored) == bins
    assert fingerprint(dump_bins(load_bins(stored))) == fingerprint(dump_bins(bins))
    assert all(key == KEY or key.startswith(f"{KEY}[") for key in bins)


@pytest.mark.parametrize("name", KINDS)
def test_nothing_has_no_bins(name: str) -> None:
    kind = KINDS[name]
    for values in ([], [None, None]):
        bins = bins_by_key(array_of(values, kind.type), kind.plan)
        assert bins == ({KEY: VectorBins(4, None)} if kind.dimensions else {})
    empty = pa.table({"c": pa.chunked_array([], kind.type)})
    assert make_bins(empty, [kind.plan]).keys() == ({KEY} if kind.dimensions else set())


def bins_of(array: Any, type_: str, dimensions: tuple[int, ...] = ()) -> Any:
    return bins_by_key(array, FieldPlan(KEY, type_, "c", dimensions)).get(KEY)


def test_numbers() -> None:
    values = np.random.default_rng(0).normal(size=1_000)
    assert bins_of(pa.array([*values, None, np.nan, np.inf]), "numeric") == NumericBins.of(values)
    assert bins_of(pa.array([True, False]), "numeric") == NumericBins.of(np.array([0.0, 1.0]))
    assert bins_of(pa.array(["ab", "c", None]), "text") == NumericBins.of(np.array([1.0, 2.0]))
    assert bins_of(pa.array(["1970-01-01", "never"]), "datetime") == NumericBins.of(np.array([0.0]))
    assert bins_of(pa.array([np.nan, None], pa.float64()), "numeric") is None


def test_categories() -> None:
    assert bins_of(pa.array(["b", "a", "b", None, "c"]), "categorical") == CategoryBins(("b", "a", "c"))
    assert bins_of(pa.array([["b"], None, ["a", "b"]]), "array") == CategoryBins(("b", "a"))
    assert bins_of(pa.array([1, 0, 1, -1, -1, -1]), "boolean") == CategoryBins(("true", "false"))
    many = [f"c{place:04}" for place in range(1_000)]
    bins = bins_of(pa.array(many + many[500:]), "string")
    assert bins.values == tuple(many[500:756])
    assert all(len(value) < 220 for value in bins_of(pa.array(["x" * 999]), "string").values)


class TestVectors:
    def test_the_commonest_dimension(self) -> None:
        rows = [[1.0], [3.0, 4.0], [0.0, 1.0], [], [], [], None]
        bins = bins_of(pa.array(rows), "vector")
        assert bins == VectorBins(2, NumericBins.of(np.array([5.0, 1.0])))
        assert bins_of(pa.array([[1.0, 2.0], [1.0]]), "vector").dimension == 1

    def test_empty_ones_have_no_dimension(self) -> None:
        assert bins_of(pa.array([[], [], None], pa.list_(pa.float64())), "vector") is None

    def test_tensors_have_that_of_the_schema(self) -> None:
        rows = [[3.0, 4.0, 0.0, 0.0], [1.0], [2.0], None]
        expected = VectorBins(4, NumericBins.of(np.array([5.0])))
        assert bins_of(pa.array(rows), "tensor", (2, 2)) == expected
        nested = [[[3.0, 4.0], [0.0, 0.0]], [[1.0, 1.0, 1.0], [1.0]]]
        assert bins_of(pa.array(nested), "tensor", (2, 2)) == expected

    def test_numbers_that_are_none(self) -> None:
        rows = [[3.0, 4.0], [np.nan, 1.0], [None, 1.0], [np.inf, 1.0]]
        assert bins_of(pa.array(rows), "vector") == VectorBins(2, NumericBins.of(np.array([5.0])))


def test_dicts() -> None:
    rows = [[("a", 1.0), ("b[c]", None)], None, [("a", 3.0)], [("k" * 300, 2.0)]]
    bins = bins_by_key(array_of(rows, pa.map_(pa.string(), pa.float64())), FieldPlan(KEY, "dict", "c"))
    keys = bins.pop(KEY)
    assert isinstance(keys, CategoryBins)
    assert keys.values[:2] == ("a", "b[c]")
    assert bins == {
        f"{KEY}[a]": NumericBins.of(np.array([1.0, 3.0])),
        f"{KEY}[{keys.values[2]}]": NumericBins.of(np.array([2.0])),
    }


def test_several_fields_of_one_table() -> None:
    table = pa.table({"x": [1.0, None], "y": ["a", "b"], "z": pa.nulls(2)})
    fields = [
        FieldPlan("f.x", "numeric", "x"),
        FieldPlan("f.y", "string", "y"),
        FieldPlan("f.z", "text", "z"),
    ]
    assert list(make_bins(table, fields)) == ["f.x", "f.y"]
