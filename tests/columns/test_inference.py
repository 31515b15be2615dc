"""Schemas from columns."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from aporia_provider.columns.inference import infer_fields, infer_schema
from aporia_provider.errors import ValidationError
from aporia_provider.schema import FieldSchema


def array(of: Any) -> dict[str, Any]:
    return {"type": "array", "elementType": of, "containsNull": True}


def mapping(key: Any, value: Any) -> dict[str, Any]:
    return {"type": "map", "keyType": key, "valueType": value, "valueContainsNull": True}


def struct(**fields: Any) -> dict[str, Any]:
    inner = [{"name": n, "type": t, "nullable": True, "metadata": {}} for n, t in fields.items()]
    return {"type": "struct", "fields": inner}


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("boolean", "boolean"),
        *((number, "numeric") for number in ("byte", "short", "integer", "long", "float", "double")),
        ("decimal(38,18)", "numeric"),
        ("string", "string"),
        ("varchar(10)", "string"),
        ("date", "datetime"),
        ("timestamp", "datetime"),
        ("timestamp_ntz", "datetime"),
        (array("double"), "vector"),
        (array("integer"), "vector"),
        (array("string"), "array"),
        (array("boolean"), "array"),
        (mapping("string", "float"), "dict"),
    ],
)
def test_field_types(type_: Any, expected: str) -> None:
    assert infer_fields([("c", type_)]) == {"c": FieldSchema(type=expected)}


@pytest.mark.parametrize(
    "type_",
    [
        "binary",
        "variant",
        "void",
        struct(a="double"),
        struct(),
        array(array("double")),
        array(struct(a="double")),
        mapping("string", "string"),
        mapping("long", "double"),
    ],
)
def test_types_without_a_field_type_say_how_to_go_on(type_: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        infer_fields([("good", "long"), ("c", type_)])
    (problem,) = caught.value.problems
    assert "column 'c'" in problem
    assert "overrides={'c': None}" in problem
    assert "select_expr" in problem


def test_a_pyarrow_schema() -> None:
    schema = pa.schema(
        [
            ("n", pa.int16()),
            ("s", pa.large_string()),
            ("at", pa.timestamp("us", "UTC")),
            ("v", pa.list_(pa.float32())),
            ("m", pa.map_(pa.string(), pa.float64())),
        ]
    )
    assert {name: field.type for name, field in infer_fields(schema).items()} == {
        "n": "numeric",
        "s": "string",
        "at": "datetime",
        "v": "vector",
        "m": "dict",
    }


COLUMNS = [
    ("id", "string"),
    ("at", "timestamp"),
    ("amount", "double"),
    ("owner", "string"),
    ("text", "string"),
    ("embedding", array("float")),
    ("blob", "binary"),
    ("proba", "double"),
    ("label", "boolean"),
]


def test_what_is_not_named_otherwise_is_a_feature() -> None:
    schema = infer_schema(
        COLUMNS,
        "binary",
        predictions=["proba"],
        raw_inputs={"text": "text"},
        exclude=["id", "at", "label"],
        overrides={
            "embedding": {"type": "tensor", "dimensions": [768]},
            "blob": None,
            "owner": "categorical",
        },
    )
    wire = schema.to_wire("v1")["version_schema"]
    assert wire["features"] == {
        "amount": "numeric",
        "owner": "categorical",
        "embedding": {"type": "tensor", "dimensions": [768]},
    }
    assert wire["predictions"] == {"proba": "numeric"}
    assert wire["raw_inputs"] == {"text": "text"}
    assert schema.model_type == "binary"


def test_predictions_keep_the_order_they_are_given_in() -> None:
    columns = {"a": "double", "b": "double", "c": "double"}
    assert list(infer_schema(columns, "regression", predictions=["c", "a"]).predictions) == ["c", "a"]


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        infer_schema(
            COLUMNS,
            "binary",
            predictions=["probba", "label"],
            raw_inputs=["txt"],
            exclude=["ID", "at", "label"],
            overrides={"ownr": "string", "amount": "tensor", "owner": "colour"},
        )
    told = "\n".join(caught.value.problems)
    for expected in (
        "predictions names 'probba', but there is no such column; did you mean 'proba'?",
        "raw_inputs names 'txt', but there is no such column; did you mean 'text'?",
        "exclude names 'ID', but there is no such column; did you mean 'id'?",
        "overrides names 'ownr', but there is no such column; did you mean 'owner'?",
        "'label' is in predictions and in exclude",
        "overrides['amount']: a tensor requires dimensions",
        "overrides['owner']: 'colour' is not one of",
        "column 'blob' is binary",
    ):
        assert expected in told
    assert len(caught.value.problems) == 8


def test_a_prediction_left_out_is_no_prediction() -> None:
    columns = {"x": "double", "y": "double", "z": struct(a="string")}
    schema = infer_schema(columns, "regression", predictions=["y"], overrides={"z": None})
    assert (list(schema.features), list(schema.predictions)) == (["x"], ["y"])
