"""States of fields, against counts by hand."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aporia_provider.monitoring.bins.field_bins import CategoryBins, NumericBins
from aporia_provider.monitoring.profiles.plan import FieldPlan
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.state import read_state
from aporia_provider.monitoring.states.value_state import ValueState, shortened
from aporia_provider.monitoring.states.vector_state import VectorBins, VectorState
from tests.monitoring.columns import KEY, KINDS, array_of, bins_by_key, states_of
from tests.sizes import sized

_LARGEST = 1.7976931348623157e308
_floats = st.floats() | st.sampled_from([0.0, -0.0, 1.0, 1.5, 2.0, -_LARGEST, _LARGEST, math.nan, math.inf])


def number(array: pa.Array, type_: str = "numeric", bins: NumericBins | None = None) -> NumericState:
    return cast("NumericState", states_of(array, type_, {KEY: bins} if bins else {})[KEY])


def texts(array: pa.Array, type_: str = "categorical", bins: CategoryBins | None = None) -> ValueState:
    return cast("ValueState", states_of(array, type_, {KEY: bins} if bins else {})[KEY])


def total(values: Any) -> Fraction:
    return sum(map(Fraction, values), Fraction())


def counted(state: ValueState) -> dict[str, int]:
    assert not state.known.keys() & state.others.counts.keys()
    return {**state.known, **state.others.counts}


class TestNumbers:
    @pytest.mark.slow
    @settings(max_examples=sized(50, 200))
    @given(st.lists(st.none() | _floats, min_size=1, max_size=30), st.lists(_floats, max_size=12))
    def test_all_of_it(self, values: list[float | None], baseline: list[float]) -> None:
        bins = NumericBins.of(np.array(baseline))
        state = number(pa.array(values, pa.float64()), bins=bins)
        given_ = [value for value in values if value is not None]
        finite = [value for value in given_ if math.isfinite(value)]
        assert state.rows == len(values)
        assert state.nulls == len(values) - len(given_)
        assert state.nans == sum(map(math.isnan, given_))
        assert state.positive_infinities == given_.count(math.inf)
        assert state.negative_infinities == given_.count(-math.inf)
        assert (state.finite, state.zeros) == (len(finite), finite.count(0.0))
        assert (state.least, state.greatest) == (min(finite, default=None), max(finite, default=None))
        assert "-0.0" not in (str(state.least), str(state.greatest))
        assert state.total == total(finite)
        assert state.positive_sum == total(value for value in finite if value > 0)
        self.check_bins(state, finite, bins)

    def check_bins(self, state: NumericState, finite: list[float], bins: NumericBins | None) -> None:
        if bins is None or not finite:
            assert (state.counts, state.below, state.above) == ((), 0, 0)
            return
        ranges = [(-math.inf, bins.edges[0]), *zip(bins.edges, bins.edges[1:], strict=False)]
        ranges.append((bins.edges[-1], math.inf))
        assert state.counts == tuple(sum(low <= value < high for value in finite) for low, high in ranges)
        below = [min(bins.edges[0] - value, _LARGEST) for value in finite if value < bins.edges[0]]
        above = [min(value - bins.edges[-1], _LARGEST) for value in finite if value >= bins.edges[-1]]
        assert (state.below, state.above) == (total(below), total(above))

    def test_moments_are_those_of_numpy(self) -> None:
        values = np.random.default_rng(0).normal(1e6, 2.0, 20_000)
        bins = NumericBins.of(values[:500])
        assert bins is not None
        state = number(pa.array(values), bins=bins)
        mean = state.total / state.finite
        variance = state.squares / state.finite - (mean - Fraction(bins.centre)) ** 2
        assert float(mean) == pytest.approx(values.mean(), rel=1e-14)
        assert float(variance) == pytest.approx(values.var(), rel=1e-9)
        histogram, _ = np.histogram(values, bins=[-np.inf, *bins.edges, np.inf])
        assert state.counts == tuple(histogram.tolist())

    def test_squares_without_a_bins_are_from_zero(self) -> None:
        assert number(pa.array([3.0, -4.0])).squares == 25
        assert number(pa.array([1e200])).squares == Fraction(_LARGEST)

    def test_whole_numbers_beyond_what_floats_hold(self) -> None:
        values = [2**53 + 1, 2**63 - 1, -(2**63)]
        assert number(pa.array(values)).total == total(map(float, values))
        assert number(pa.array([2**64 - 1], pa.uint64())).greatest == 2.0**64

    def test_decimals_and_truths(self) -> None:
        assert number(pa.array([Decimal("0.1"), Decimal("-2.5")])).total == Fraction(0.1) - Fraction(5, 2)
        assert number(pa.array([True, False, None, True])).total == 2

    def test_texts_are_measured_in_characters(self) -> None:
        state = number(pa.array(["é", "", "日本", None, "x" * 500]), "text")
        assert (state.rows, state.nulls, state.zeros, state.least, state.greatest) == (5, 1, 1, 0, 500)
        assert state.total == 503


class TestTimes:
    def test_microseconds_since_1970(self) -> None:
        moment = dt.datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC)
        assert number(pa.array([moment]), "datetime").total == -1
        assert number(pa.array([dt.date(1970, 1, 2), None]), "datetime").total == 86_400_000_000
        nanoseconds = pa.array([-1, 1_999], pa.timestamp("ns", "Asia/Tokyo"))
        assert number(nanoseconds, "datetime").total == 0

    def test_text_that_says_when(self) -> None:
        given_ = ["1970-01-01T00:00:01Z", " 1970-01-01 01:00:02+01:00", "1970-01-02", "soon", "", None]
        for type_ in (pa.string(), pa.large_string(), pa.string_view()):
            state = number(pa.array(given_, type_), "datetime")
            assert (state.rows, state.nulls, state.nans) == (6, 1, 2)
            assert state.total == 3_000_000 + 86_400_000_000


class TestTexts:
    @pytest.mark.slow
    @settings(max_examples=sized(38, 150))
    @given(
        st.lists(
            st.none() | st.sampled_from(["a", "b", "c", ""]) | st.text(max_size=3), min_size=1, max_size=40
        ),
        st.lists(st.sampled_from(["a", "b", "z"]), max_size=3, unique=True),
    )
    def test_all_of_it(self, values: list[str | None], known: list[str]) -> None:
        state = texts(pa.array(values, pa.string()), "string", CategoryBins(tuple(known)))
        counts = Counter(value for value in values if value is not None)
        assert (state.rows, state.nulls) == (len(values), values.count(None))
        assert state.known == {text: counts[text] for text in known if text in counts}
        assert state.others.counts == {text: count for text, count in counts.items() if text not in known}
        assert (state.count, state.distinct) == (counts.total(), len(counts))
        assert state.other_count == sum(state.others.counts.values())
        assert state.length == sum(len(text) * count for text, count in counts.items())
        assert (state.shortest, state.longest) == (
            min(map(len, counts), default=None),
            max(map(len, counts), default=None),
        )

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            (pa.array([True, False, True]), {"true": 2, "false": 1}),
            (pa.array([0.0, -0.0, 3.0, 0.1, 1e-7]), {"0": 2, "3": 1, "0.1": 1, "1e-7": 1}),
            (pa.array([math.nan, math.nan, math.inf, -math.inf]), {"inf": 1, "-inf": 1}),
            (
                pa.array([1e15, -(2.0**62), 1e21]),
                {"1000000000000000": 1, str(-(2**62)): 1, "1" + "0" * 21: 1},
            ),
            (pa.array([10**15, -(2**62), 2**63 - 1]), {str(n): 1 for n in (10**15, -(2**62), 2**63 - 1)}),
            (
                pa.array([0.5, 0.1, 1e-7, 1e20, 3, -0.0, math.nan, -math.inf], pa.float32()),
                {"0.5": 1, "0.1": 1, "1e-7": 1, "1" + "0" * 20: 1, "3": 1, "0": 1, "-inf": 1},
            ),
            (pa.array(np.array([0.1, 2, 6e-8], np.float16)), {"0.1": 1, "2": 1, "6e-8": 1}),
            (
                pa.array([Decimal("1.10"), Decimal("200"), Decimal("-0.0"), Decimal("0.0000001")]),
                {"1.1": 1, "200": 1, "0": 1, "1e-7": 1},
            ),
            (pa.array([Decimal(10**25), Decimal(10**25 + 1)]), {str(10**25): 1, str(10**25 + 1): 1}),
            (pa.array([dt.date(2024, 2, 29)]), {"2024-02-29": 1}),
            (
                pa.array([dt.datetime(2024, 2, 29, 1, 2, 3, 4)]),  # noqa: DTZ001
                {"2024-02-29 01:02:03.000004Z": 1},
            ),
        ],
        ids=str,
    )
    def test_what_values_look_like(self, values: pa.Array, expected: dict[str, int]) -> None:
        assert counted(texts(values)) == expected

    def test_integers_as_booleans(self) -> None:
        state = texts(pa.array([1, 0, None, 5, -1]), "boolean")
        assert counted(state) == {"true": 1, "false": 1}
        assert (state.rows, state.nulls, state.misfits) == (5, 1, 2)

    def test_long_texts(self) -> None:
        long, other = "x" * 5_000, "x" * 4_999 + "y"
        state = texts(pa.array([long, other, long, "x" * 200]), bins=CategoryBins((shortened(long),)))
        assert state.known == {shortened(long): 2}
        assert state.others.counts == {shortened(other): 1, "x" * 200: 1}
        assert (state.length, state.shortest, state.longest) == (15_200, 200, 5_000)
        assert len(shortened(long)) < 220

    def test_more_new_categories_than_are_kept(self) -> None:
        numbers = np.random.default_rng(5).zipf(1.2, 30_000) % 20_000
        values = [f"city {place}" for place in numbers.tolist()]
        state = texts(pa.array(values), bins=CategoryBins(("city 1", "nowhere")))
        counts = Counter(values)
        assert state.known == {"city 1": counts.pop("city 1")}
        for at_most, kept in ((2_048, state), (256, state.settled())):
            assert (kept.others.level > 0, len(kept.others.counts) <= at_most) == (True, True)
            assert {text: counts[text] for text in kept.counts if text != "city 1"} == {
                **kept.frequent,
                **kept.others.counts,
            }
            assert (kept.count, kept.other_count) == (len(values), counts.total())
            assert abs(kept.distinct - len(counts) - 1) < 3 * kept.tail.sample.distinct_error
        # 320 texts, 2,048 hashes of eight bytes each in base64 with their counts, 2,048 cells.
        assert len(str(state.settled().to_json())) < 320 * 60 + 2_048 * (11 + 2 + 2)

    @pytest.mark.slow
    def test_a_frequent_new_category_is_not_lost_among_rare_ones(self) -> None:
        for seed in range(20):
            rare = [f"{seed} {place}" for place in range(2_000)]
            state = texts(pa.array([*rare, *["flood"] * 500, *["wave"] * 20]), bins=CategoryBins(("known",)))
            kept = read_state(json.loads(json.dumps(state.settled().to_json())))
            assert isinstance(kept, ValueState)
            assert (kept.counts["flood"], kept.counts["wave"]) == (500, 20)
            assert (kept.others.level > 0, len(kept.counts) <= 256 + 64) == (True, True)
            twice = kept + kept
            assert (twice.counts["flood"], twice.other_count) == (1_000, 5_040)
            # Of texts that are equally frequent the lesser ones.
            assert set(kept.frequent) == {"flood", "wave", *sorted(rare)[:62]}


class TestArrays:
    def test_items(self) -> None:
        rows = [["a", None, "b", "a"], None, [], ["c"]]
        state = texts(pa.array(rows), "array", CategoryBins(("a",)))
        assert (state.rows, state.nulls, state.count) == (4, 1, 4)
        assert (state.known, state.others.counts) == ({"a": 2}, {"b": 1, "c": 1})

    def test_arrays_of_arrays(self) -> None:
        rows: list[Any] = [[["a"], None, ["b", "a"]], None, [[]], []]
        assert counted(texts(pa.array(rows), "array")) == {"a": 2, "b": 1}

    def test_slices(self) -> None:
        whole = pa.array([["x"], ["a", "b"], None, ["a", "c"], ["y"]], pa.list_(pa.string()))
        assert counted(texts(whole.slice(1, 3), "array")) == {"a": 2, "b": 1, "c": 1}


class TestVectors:
    def of(self, array: pa.Array, bins: VectorBins | None, dimensions: tuple[int, ...] = ()) -> VectorState:
        plan = FieldPlan(KEY, "tensor" if dimensions else "vector", "c", dimensions)
        return cast("VectorState", states_of(array, plan, {KEY: bins} if bins else {})[KEY])

    def test_all_of_it(self) -> None:
        rows = [[3.0, 4.0], None, [1.0], [1.0, None], [math.nan, 1.0], [math.inf, 0.0], [], [0.1, -0.2]]
        state = self.of(pa.array(rows), VectorBins(2, None))
        assert (state.rows, state.nulls, state.dimension_errors, state.vectors) == (8, 1, 5, 2)
        assert state.sums == (total([3.0, 0.1]), total([4.0, -0.2]))
        assert state.norm == NumericState.of(np.array([5.0, math.sqrt(0.1 * 0.1 + 0.2 * 0.2)]), 0, None)

    def test_without_a_bins_they_are_only_counted(self) -> None:
        assert self.of(pa.array([[1.0], None]), None) == VectorState(rows=2, nulls=1)

    def test_norms_against_numpy(self) -> None:
        vectors = np.random.default_rng(0).normal(size=(500, 300))
        state = self.of(pa.array(list(vectors)), VectorBins(300, None))
        norms = np.linalg.norm(vectors, axis=1)
        assert float(state.norm.total) == pytest.approx(norms.sum(), rel=1e-12)
        assert [float(item) for item in state.sums] == pytest.approx(vectors.sum(axis=0), abs=1e-10)

    @pytest.mark.filterwarnings("error")
    def test_a_norm_beyond_all_floats(self) -> None:
        array = pa.array([[1e200, 1e200], [3.0, 4.0]])
        state = self.of(array, VectorBins(2, None))
        assert (state.norm.positive_infinities, state.norm.total, state.vectors) == (1, 5, 2)
        assert bins_by_key(array, FieldPlan(KEY, "vector", "c"))[KEY].dimension == 2  # type: ignore[union-attr]

    @pytest.mark.parametrize(
        ("row", "proper"),
        [
            ([[1.0, 2.0], [3.0, 4.0]], True),
            ([[1.0, 2.0, 3.0], [4.0]], False),
            ([[1.0, 2.0, 3.0, 4.0]], False),
            ([[1.0, 2.0], [3.0, 4.0], []], False),
            ([[1.0, 2.0], None, [3.0, 4.0]], False),
            ([[1.0, 2.0], [3.0, None]], False),
            ([], False),
        ],
        ids=str,
    )
    def test_the_shape_of_a_tensor(self, row: Any, proper: bool) -> None:
        others = [[[5.0, 6.0], [7.0, 8.0]], None]
        array = pa.array([others[0], row, others[1], others[0]], pa.list_(pa.list_(pa.float64())))
        state = self.of(array, None, (2, 2))
        assert (state.rows, state.nulls, state.dimension_errors) == (4, 1, 0 if proper else 1)
        given_ = [5, 6, 7, 8]
        assert state.sums == tuple(2 * value + (place + 1) * proper for place, value in enumerate(given_))

    def test_three_levels(self) -> None:
        good, bad = [[[1.0], [2.0]]], [[[1.0, 2.0], []]]
        state = self.of(pa.array([good, bad, good]), None, (1, 2, 1))
        assert (state.dimension_errors, state.sums) == (1, (2, 4))


class TestDicts:
    def check(self, array: pa.Array, expected: dict[str, list[Any]], rows: int, nulls: int) -> None:
        """Counts of keys, and the values of each."""
        found = states_of(array, "dict", {KEY: CategoryBins(tuple(shortened(name) for name in expected))})
        keys = cast("ValueState", found.pop(KEY))
        assert (keys.rows, keys.nulls) == (rows, nulls)
        assert keys.known == {shortened(name): len(values) for name, values in expected.items()}
        assert set(found) == {f"{KEY}[{shortened(name)}]" for name in expected}
        for name, values in expected.items():
            state = cast("NumericState", found[f"{KEY}[{shortened(name)}]"])
            given_ = [value for value in values if value is not None]
            assert (state.rows, state.nulls, state.total) == (rows, rows - len(given_), total(given_))

    def test_maps(self) -> None:
        rows = [[("a", 1.0), ("b", None)], None, [], [("a[b]", 0.5), ("a", 2.0)], [("k" * 300, 7.0)]]
        array = pa.array(rows, pa.map_(pa.string(), pa.float64()))
        expected: dict[str, list[Any]] = {"a": [1.0, 2.0], "b": [None], "a[b]": [0.5], "k" * 300: [7.0]}
        self.check(array, expected, 5, 1)
        self.check(pa.concat_arrays([array, array]).slice(5), expected, 5, 1)

    def test_the_last_of_two_equal_keys_counts(self) -> None:
        rows = [[("a", 1.0), ("b", 5.0), ("a", 2.0)], [("a", 4.0)]]
        self.check(pa.array(rows, pa.map_(pa.string(), pa.float64())), {"a": [2.0, 4.0], "b": [5.0]}, 2, 0)

    def test_structs(self) -> None:
        rows = [{"a": 1, "b": None}, None, {"a": None, "b": Decimal("0.5")}, {"a": None, "b": None}]
        self.check(pa.array(rows), {"a": [1], "b": [0.5]}, 4, 1)

    def test_what_lies_under_a_null_struct_is_nothing(self) -> None:
        array = pa.StructArray.from_arrays([pa.array([1.0, 2.0])], ["a"], mask=pa.array([False, True]))
        self.check(array, {"a": [1.0]}, 2, 1)

    def test_no_fields_and_no_entries(self) -> None:
        for type_ in (pa.struct([]), pa.struct([("a", pa.float64())])):
            array = pa.array([{}, None], type_)
            assert states_of(array, "dict") == {KEY: ValueState(rows=2, nulls=1)}

    def test_a_key_that_only_the_baseline_has(self) -> None:
        array = pa.array([[("a", 1.0)]], pa.map_(pa.string(), pa.float64()))
        found = states_of(array, "dict", {KEY: CategoryBins(("a", "b"))})
        assert found[f"{KEY}[b]"] == NumericState(rows=1, nulls=1)


@pytest.mark.slow
@settings(max_examples=sized(38, 150))
@given(st.sampled_from(sorted(KINDS)), st.data())
def test_every_row_is_counted_once(name: str, data: st.DataObject) -> None:
    kind = KINDS[name]
    values = data.draw(st.lists(st.none() | kind.values, max_size=15))
    array = array_of(values, kind.type)
    missing = values.count(None)
    if kind.field == "categorical":
        missing += sum(isinstance(value, float) and math.isnan(value) for value in values)
    for key, state in states_of(array, kind.plan).items():
        assert state.rows == len(values)
        nulls = cast("Any", state).nulls
        assert nulls == missing if key == KEY else nulls >= missing
