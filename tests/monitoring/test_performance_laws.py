"""What holds for every performance state: sums, JSON, and the types of the columns make no difference."""

from __future__ import annotations

import functools
import itertools
import json
import math
import operator
from decimal import Decimal
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aporia_provider.backend.store.state_encoding import decode_state, encode_state
from aporia_provider.monitoring.performance import STATES, Options
from aporia_provider.monitoring.performance.states import multiclass_state, multilabel_state
from tests.sizes import sized

pytestmark = pytest.mark.slow

SCORES = st.one_of(
    st.none(),
    st.sampled_from([0.0, -0.0, 1.0, 0.5, 0.001, math.nan, math.inf, 5e-324, 1e-15, 1e150]),
    st.floats(0, 1),
    st.floats(),
)
CLASSES = st.sampled_from([None, "a", "b", "c"])
SHORT = st.lists(st.one_of(st.floats(0, 1), st.sampled_from([None, math.nan, 0.5])), max_size=4)
RELEVANCES = st.lists(
    st.one_of(st.integers(0, 3).map(float), st.sampled_from([None, 1e-17, 0.5, 1e308])), max_size=4
)
NAMES = st.one_of(st.none(), st.lists(st.sampled_from("abcd"), max_size=4))
DICTS = st.one_of(st.none(), st.lists(st.tuples(st.sampled_from("abcd"), SCORES), max_size=4))

USUAL = Options()
KINDS = {
    "binary": (SCORES, pa.float64(), st.sampled_from([None, True, False]), pa.bool_()),
    "multiclass": (CLASSES, pa.string(), CLASSES, pa.string()),
    "multi-label": (DICTS, pa.map_(pa.string(), pa.float64()), NAMES, pa.list_(pa.string())),
    "regression": (SCORES, pa.float64(), SCORES, pa.float64()),
    "ranking": (st.one_of(st.none(), SHORT), pa.list_(pa.float64()), RELEVANCES, pa.list_(pa.float64())),
}


def of(model_type: str, rows: list, kind: tuple, options: Options) -> object:
    _, prediction, _, label = kind
    predictions, labels = zip(*rows, strict=True) if rows else ((), ())
    return STATES[model_type].of(pa.array(predictions, prediction), pa.array(labels, label), options)


@pytest.mark.parametrize("model_type", KINDS)
@settings(max_examples=sized(15, 60))
@given(data=st.data())
def test_any_order_and_any_split_give_the_same_state(model_type, data):
    check_law(model_type, data, KINDS[model_type])


@settings(max_examples=sized(15, 60))
@given(data=st.data())
def test_any_order_and_any_split_give_the_same_scores_of_classes(data):
    check_law("multiclass", data, (DICTS, pa.map_(pa.string(), pa.float64()), CLASSES, pa.string()))


@settings(max_examples=sized(15, 60))
@given(data=st.data())
def test_any_order_and_any_split_give_the_same_bins_of_scores(data):
    options = Options(edges=(-2.0, 0.0, 5e-324, 0.001, 0.5, math.nextafter(0.5, 1), 1.0))
    check_law("binary", data, KINDS["binary"], options)


WORDS = st.sampled_from([None, "yes", "FALSE", "ok", "fraud"])


@settings(max_examples=sized(15, 60))
@given(data=st.data())
def test_any_order_and_any_split_give_the_same_faults(data):
    check_law("binary", data, (WORDS, pa.string(), WORDS, pa.string()))


@pytest.mark.parametrize("model_type", ["multiclass", "multi-label"])
@pytest.mark.parametrize("most", [1, 2, 3])
@settings(max_examples=sized(15, 60))
@given(data=st.data())
def test_too_many_classes_are_too_many_in_any_order_and_any_split(model_type, most, data):
    with (
        patch.object(multiclass_state, "MOST_CLASSES", most),
        patch.object(multilabel_state, "MOST_LABELS", most),
    ):
        whole = check_law(model_type, data, KINDS[model_type])
        parts = [getattr(whole, name, {}) for name in ("confusion", "positives", "negatives", "skipped")]
        assert all(part is None or len(part) <= most for part in parts)


def check_law(model_type: str, data: st.DataObject, kind: tuple, options: Options = USUAL) -> object:
    predictions, _, labels, _ = kind
    rows = data.draw(st.lists(st.tuples(predictions, labels), max_size=30))
    whole = of(model_type, rows, kind, options)
    shuffled = data.draw(st.permutations(rows))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=4)))
    pieces = [shuffled[start:end] for start, end in itertools.pairwise([0, *cuts, len(rows)])]
    states = data.draw(st.permutations([of(model_type, piece, kind, options) for piece in pieces]))
    added = functools.reduce(operator.add, states)
    assert added == whole
    assert added.to_json() == whole.to_json()
    assert json.dumps(added.to_json()) == json.dumps(whole.to_json())
    assert whole + STATES[model_type]() == STATES[model_type]() + whole == whole
    assert STATES[model_type].from_json(json.loads(json.dumps(whole.to_json()))) == whole
    assert decode_state(encode_state(whole)) == whole
    total = STATES[model_type].sum([decode_state(encode_state(state)) for state in states])
    assert total == whole
    assert total.to_json() == whole.to_json()
    assert whole.rows == len(rows) >= whole.labelled + whole.unusable
    return whole


@pytest.mark.parametrize("model_type", KINDS)
def test_many_rows_add_in_any_split(model_type):
    random = np.random.default_rng(1)
    rows = 50_000
    # More than one slice of the sums.
    columns = {
        "binary": (random.random(rows), random.random(rows) < 0.3),
        "multiclass": (random.integers(0, 9, rows), random.integers(0, 9, rows)),
        "multi-label": (
            [["a", "b"][: i % 3] for i in range(rows)],
            [["a", "b"][: i % 2] for i in range(rows)],
        ),
        "regression": (random.lognormal(0, 5, rows), random.lognormal(0, 5, rows)),
        "ranking": (random.random((rows, 3)).tolist(), random.integers(0, 3, (rows, 3)).tolist()),
    }
    predictions, labels = (pa.array(column) for column in columns[model_type])
    made = STATES[model_type]
    edges = [0, 7, 20_001, 20_001, 49_999, rows]
    parts = [made.of(predictions[start:end], labels[start:end]) for start, end in itertools.pairwise(edges)]
    assert functools.reduce(operator.add, reversed(parts)) == made.of(predictions, labels)
    backwards = pa.array(range(rows - 1, -1, -1))
    assert made.of(predictions.take(backwards), labels.take(backwards)) == made.of(predictions, labels)


def casts(values: list, types: list[pa.DataType]) -> list[pa.Array]:
    made = [pa.array(values).cast(type_) for type_ in types]
    return [
        *made,
        *(array.dictionary_encode() for array in made),
        pa.chunked_array([made[0][:2], made[0][2:]]),
        pa.concat_arrays([made[0], made[0]])[len(values) :],
    ]


SMALL = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint64(), pa.float32(), pa.float64()]
WHOLE = [*SMALL, pa.decimal128(20, 0), pa.decimal128(38, 18), pa.decimal256(50, 2)]
TEXT = [pa.string(), pa.large_string(), pa.string_view()]
EXACT = [pa.float64(), pa.float32(), pa.float16(), pa.decimal128(20, 10)]


def equal(model_type: str, predictions: list[pa.Array], labels: list[pa.Array]) -> None:
    made = STATES[model_type]
    expected = made.of(predictions[0], labels[0])
    assert expected.labelled > 0
    for array in predictions:
        assert made.of(array, labels[0]) == expected, array.type
    for array in labels:
        assert made.of(predictions[0], array) == expected, array.type


def test_binary_states_are_equal_whatever_the_types():
    truth = [True, False, None, True, False]
    labels = [
        *casts([1, 0, None, 1, 0], WHOLE),
        *casts(truth, [pa.bool_()]),
        *casts(["true", "False", None, "1", "0"], TEXT),
    ]
    equal("binary", casts([0.5, 0.25, 0.75, None, 0.125], EXACT), labels)
    equal("binary", labels, labels)


def test_regression_states_are_equal_whatever_the_types():
    equal("regression", casts([1, 2, None, 100, 5], WHOLE), casts([2, 2, 7, None, 0], WHOLE))
    equal(
        "regression", casts([0.5, 0.25, 0.75, None, 3], EXACT), casts([0.5, -0.25, 0.75, None, 0.125], EXACT)
    )


def test_multiclass_states_are_equal_whatever_the_types():
    numbers, texts = [1, 2, None, 3, 3], ["1", "2", None, "3", "3"]
    equal(
        "multiclass", casts(numbers, WHOLE) + casts(texts, TEXT), casts(texts, TEXT) + casts(numbers, WHOLE)
    )
    short = casts([0.1, 2.5, None, 3, 1], [pa.float64(), pa.float32(), pa.decimal128(20, 10)])
    equal("multiclass", short + casts(["0.1", "2.5", None, "3", "1"], TEXT), short)
    halves = pa.array(np.array([0.1, 2.5, 7], dtype=np.float16))
    assert STATES["multiclass"].of(halves, halves).confusion.keys() == {"0.1", "2.5", "7"}
    equal("multiclass", [pa.array([-0.0, 1.0])], [pa.array([0.0, 1.0]), pa.array([0, 1])])


LISTS = [pa.list_, pa.large_list, pa.list_view, pa.large_list_view]


def test_ranking_states_are_equal_whatever_the_types():
    scores, relevances = [[0.5, 0.25], None, [0.75, 0.125], [0.5, 0.5]], [[1, 0], [0, 1], None, [0, 2]]
    predictions = [pa.array(scores, made(type_)) for made in LISTS for type_ in (pa.float64(), pa.float32())]
    labels = [pa.array(relevances, made(type_)) for made in LISTS for type_ in WHOLE]
    fixed = [pa.array(scores, pa.list_(pa.float32(), 2)), pa.array(relevances, pa.list_(pa.int8(), 2))]
    equal("ranking", [*predictions, fixed[0]], [*labels, fixed[1]])
    equal("ranking", [array[1:] for array in predictions], [array[1:] for array in labels])
    items = [["a", "b"], None, [], ["c", "d", "e"]]
    listed = [pa.array(items, made(type_)) for made in LISTS for type_ in TEXT]
    encoded = pa.array(items, pa.list_(pa.dictionary(pa.int8(), pa.string())))
    equal("ranking", [*listed, encoded], listed)


def test_multi_label_states_are_equal_whatever_the_types():
    items = [["a", "b"], None, [], ["c"]]
    listed = [pa.array(items, made(type_)) for made in LISTS for type_ in TEXT]
    equal("multi-label", listed, listed)
    rows = [[("a", 1), ("b", 0)], None, [("a", 0), ("b", 1)]]
    maps = [pa.array(rows, pa.map_(key, type_)) for key in TEXT for type_ in (*SMALL, pa.decimal128(5, 1))]
    structs = [
        pa.array([None if row is None else dict(row) for row in rows], pa.struct({"a": one, "b": other}))
        for one, other in zip(SMALL, reversed(SMALL), strict=True)
    ]
    views = pa.array([{"a": "1", "b": "0"}, None, {"a": "false", "b": "True"}])
    views = views.cast(pa.struct({"a": pa.string_view(), "b": pa.large_string()}))
    equal("multi-label", [*maps, *structs], [*maps, *structs, views])
    equal("multi-label", [array[1:] for array in maps + structs], [array[1:] for array in maps + structs])


def test_vectors_are_equal_whatever_the_types():
    vectors, labels = [[0.5, 0.25], None, [0.25, 0.5]], pa.array(["0", "1", "1"])
    arrays = [pa.array(vectors, made(type_)) for made in LISTS for type_ in (pa.float32(), pa.float64())]
    equal("multiclass", [*arrays, pa.array(vectors, pa.list_(pa.float16(), 2))], [labels])


def test_a_decimal_is_the_float_nearest_to_it():
    random = np.random.default_rng(3)
    digits = [Decimal(int(number)).scaleb(-18) for number in random.integers(0, 10**18, 500)]
    labels = pa.array(random.random(500) < 0.5)
    decimals = pa.array(digits, pa.decimal128(38, 18))
    floats = pa.array([float(number) for number in digits])
    assert STATES["binary"].of(decimals, labels) == STATES["binary"].of(floats, labels)


def test_what_is_behind_a_null_row_does_not_count():
    offsets, mask = pa.array([0, 1, 3], pa.int32()), pa.array([False, True])
    keys, items = pa.array(["a", "b", "c"]), pa.array([0.9, 0.9, 0.9])
    hidden = pa.MapArray.from_arrays(offsets, keys, items, mask=mask)
    state = STATES["multi-label"].of(hidden, pa.array([["a"], ["b"]]))
    assert (state.labelled, list(state.positives)) == (1, ["a"])
    assert STATES["multiclass"].of(hidden, pa.array(["a", "b"])).labelled == 1
    values = pa.StructArray.from_arrays([pa.array([0.9, 0.8])], ["a"], mask=mask)
    assert STATES["multiclass"].of(values, pa.array(["a", "a"])).labelled == 1


def test_a_large_integer_is_itself_as_a_class():
    great = 2**63 - 1
    state = STATES["multiclass"].of(pa.array([great, great - 1]), pa.array([str(great), str(great)]))
    assert state.confusion == {str(great): {str(great): 1, str(great - 1): 1}}


def test_states_are_read_by_kind():
    from aporia_provider.monitoring.states.state import read_state

    for made in STATES.values():
        state = made(rows=3)
        assert read_state(state.to_json()) == state


def test_empty_bins_cost_nothing_in_json():
    state = STATES["binary"].of(pa.array([0.5, 0.25]), pa.array([True, False]), Options())
    assert len(json.dumps(state.to_json())) < 400
    assert state.to_json()["positives"] == [-501, 1, -501]
    one_class = STATES["binary"].of(pa.array([0.5]), pa.array([True]))
    assert "negatives" not in one_class.to_json()
