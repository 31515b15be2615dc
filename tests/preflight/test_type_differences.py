"""Notes about fields whose columns have another type in another dataset."""

from __future__ import annotations

from typing import Any

import pytest

from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.preflight.type_differences import field_types, type_notes
from aporia_provider.schema import VersionSchema


def array(of: Any, nulls: bool = True) -> dict[str, Any]:
    return {"type": "array", "elementType": of, "containsNull": nulls}


def struct(**types: Any) -> dict[str, Any]:
    fields = [
        {"name": name, "type": type_, "nullable": True, "metadata": {}} for name, type_ in types.items()
    ]
    return {"type": "struct", "fields": fields}


def mapping(value: Any) -> dict[str, Any]:
    return {"type": "map", "keyType": "string", "valueType": value, "valueContainsNull": True}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("double", "float"),
        ("double", "decimal(10,2)"),
        ("float", "decimal(10,2)"),
        ("decimal(10,2)", "decimal(10,3)"),
        ("boolean", "integer"),
        ("integer", "double"),
        ("string", "integer"),
        ("date", "timestamp"),
        ("timestamp", "timestamp_ntz"),
        (array("double"), array("float")),
        (array("double"), array(array("double"))),
        (mapping("double"), mapping("decimal(4,1)")),
        (struct(a="double", b="double"), struct(a="double", b="float")),
        (struct(a="double"), struct(b="double")),
        (struct(a="double"), mapping("double")),
    ],
)
def test_types_whose_values_may_differ(one: Any, other: Any) -> None:
    for here, there in ((one, other), (other, one)):
        assert len(type_notes("serving", {"features.x": here}, {"training": {"features.x": there}})) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("integer", "long"),
        ("byte", "decimal(20,0)"),
        ("decimal(20)", "short"),
        ("string", "varchar(10)"),
        ("decimal(10,2)", "decimal(38, 2)"),
        ("double", "double"),
        (array("integer"), array("long", nulls=False)),
        (mapping("short"), mapping("long")),
        (struct(a="integer", b="date"), struct(a="long", b="date")),
    ],
)
def test_types_whose_values_are_alike(one: Any, other: Any) -> None:
    for here, there in ((one, other), (other, one)):
        assert type_notes("serving", {"features.x": here}, {"training": {"features.x": there}}) == []


def test_the_note_names_the_field_and_both_types() -> None:
    types = {"features.price": "decimal(10,2)", "labels.score": "integer", "features.new": "double"}
    others = {
        "serving": {"features.price": "float"},
        "training": {"features.price": "double", "labels.score": "boolean"},
        "actuals": {"labels.score": "string"},
    }
    assert type_notes("serving", types, others) == [
        "feature 'price' is decimal(10,2) here and double in the training dataset",
        "label of 'score' is int here and boolean in the training dataset",
    ]
    assert type_notes("training", {"features.price": "double"}, others) == [
        "feature 'price' is double here and float in the serving dataset"
    ]


def test_types_by_field() -> None:
    schema = VersionSchema(
        model_type="binary", features={"age": "numeric"}, predictions={"score": "numeric", "other": "numeric"}
    )
    dataset = DatasetConnection(
        role="serving",
        data_source=S3DataSource(object_path="b/t", object_format="delta"),
        id_column="id",
        timestamp_column="at",
        features={"age": "years"},
        labels={"score": "churned"},
    )
    columns = {"id": "long", "years": "integer", "score": "double", "other": None, "churned": "boolean"}
    assert field_types(dataset, schema, columns) == {
        "features.age": "integer",
        "predictions.score": "double",
        "labels.score": "boolean",
    }
