"""Which columns can bring labels: those whose values the states of performance can read."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from aporia_provider.columns.types import fit, label_type
from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.performance import state_class
from aporia_provider.schema import FIELD_TYPES, MODEL_TYPES, FieldSchema
from tests.columns.test_inference import array, mapping, struct

# Types in Spark's form and in Arrow's, with a value.
SCALARS: dict[str, tuple[Any, pa.DataType, Any]] = {
    "text": ("string", pa.string(), "1"),
    "whole": ("long", pa.int64(), 1),
    "double": ("double", pa.float64(), 1.0),
    "decimal": ("decimal(5,2)", pa.decimal128(5, 2), Decimal(1)),
    "boolean": ("boolean", pa.bool_(), True),
    "date": ("date", pa.date32(), dt.date(2024, 1, 1)),
    "time": ("timestamp", pa.timestamp("us", "UTC"), dt.datetime(2024, 1, 1, tzinfo=dt.UTC)),
    "binary": ("binary", pa.binary(), b"1"),
}


def _columns() -> dict[str, tuple[Any, pa.Array]]:
    """Columns of one row, by what they are called here."""
    made = {name: (type_, pa.array([value], arrow)) for name, (type_, arrow, value) in SCALARS.items()}
    for name, (type_, arrow, value) in SCALARS.items():
        listed, named = pa.list_(arrow), pa.map_(pa.string(), arrow)
        made[f"array of {name}"] = array(type_), pa.array([[value]], listed)
        made[f"arrays of {name}"] = array(array(type_)), pa.array([[[value]]], pa.list_(listed))
        made[f"map to {name}"] = mapping("string", type_), pa.array([[("a", value)]], named)
        made[f"map of {name}"] = (
            mapping(type_, "boolean"),
            pa.array([[(value, True)]], pa.map_(arrow, pa.bool_())),
        )
        made[f"struct of {name}"] = struct(a=type_), pa.array([{"a": value}], pa.struct({"a": arrow}))
    return made


COLUMNS = _columns()
PREDICTIONS = {
    "numeric": pa.array([0.5]),
    "categorical": pa.array([1]),
    "string": pa.array(["a"]),
    "boolean": pa.array([True]),
    "vector": pa.array([[0.5]]),
    "tensor": pa.array([[0.5]]),
    "dict": pa.array([[("a", 0.5)]], pa.map_(pa.string(), pa.float64())),
    "array": pa.array([["a"]]),
}


def declared(type_: str) -> FieldSchema:
    return FieldSchema(type=type_, dimensions=[1] if type_ == "tensor" else None)


def reads(model_type: str, prediction: pa.Array, label: pa.Array) -> bool:
    try:
        state_class(model_type).of(prediction, label)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("model_type", MODEL_TYPES)
@pytest.mark.parametrize("type_", FIELD_TYPES)
def test_labels_fit_just_if_their_performance_can_be_computed(model_type: str, type_: str) -> None:
    field = declared(type_)
    if label_type(model_type, field) is None:
        return
    prediction = PREDICTIONS[type_]
    # Where candidates have a row each, they are gathered before they are compared.
    gathered = model_type == "ranking" and type_ == "numeric"
    for name, (spark, column) in COLUMNS.items():
        pair = (_gathered(prediction), _gathered(column)) if gathered else (prediction, column)
        expected = "fits" if reads(model_type, *pair) else "differs"
        assert fit(field, spark, labels_of=model_type) == expected, name


def _gathered(column: pa.Array) -> pa.Array:
    return pa.array([column.to_pylist()], pa.list_(column.type))


@pytest.mark.parametrize(
    ("model_type", "type_", "label"),
    [
        ("multi-label", "dict", array("string")),
        ("multi-label", "dict", mapping("string", "boolean")),
        ("multi-label", "dict", struct(cat="boolean", dog="integer")),
        ("multi-label", "array", array("string")),
        ("multi-label", "array", mapping("string", "boolean")),
        ("ranking", "vector", array("boolean")),
        ("ranking", "tensor", array("boolean")),
        ("ranking", "array", array("integer")),
        ("binary", "numeric", "string"),
        ("multiclass", "vector", "string"),
    ],
)
def test_labels_in_their_natural_shape_fit(model_type: str, type_: str, label: Any) -> None:
    assert fit(declared(type_), label, labels_of=model_type) == "fits"


def test_a_label_does_not_fit_for_being_like_its_prediction() -> None:
    assert fit(declared("dict"), mapping("string", "double"), labels_of="multiclass") == "differs"
    assert fit(declared("vector"), array("double"), labels_of="multiclass") == "differs"
    assert fit(declared("dict"), mapping("string", "double")) == "fits"


def test_labels_of_predictions_that_are_not_judged_are_like_them_or_say_less() -> None:
    for label in (mapping("string", "double"), "string", "boolean"):
        assert fit(declared("dict"), label, labels_of="binary") == "fits"
    assert fit(declared("dict"), array("string"), labels_of="binary") == "differs"
    image = FieldSchema(type="tensor", dimensions=[2, 3])
    assert label_type("ranking", image) is None
    assert fit(image, array(array("double")), labels_of="ranking") == "fits"
