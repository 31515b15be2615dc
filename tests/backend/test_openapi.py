"""The request bodies of the OpenAPI document are those that the public types accept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
from jsonschema import Draft202012Validator

from aporia_provider.backend.server.app import create_app
from aporia_provider.backend.store.database import Database
from aporia_provider.custom_metrics import CustomMetric
from aporia_provider.data_sources import JDBCDataSource, S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.errors import ValidationError
from aporia_provider.models import Model, Monitor
from aporia_provider.schema import VersionSchema
from aporia_provider.segments import Segment

PATHS = create_app(cast("Database", None)).openapi()["paths"]
VERSIONS = "/v1beta/models/{model_id}/versions"
MODEL = Model(
    id="m", name="M", description="d", owner="o", tags={"a": "b"}, aggregation_period="hourly"
).to_wire()
VERSION = VersionSchema(
    model_type="ranking",
    features={"age": "numeric", "e": {"type": "tensor", "dimensions": [3]}},
    predictions={"p": "array"},
    raw_inputs={"q": "string"},
    metrics={"m": "numeric"},
    model_data_type="nlp",
    labels=["x", "y"],
    feature_importance={"age": 0.5},
    mapping={"batch_id_column_name": "q"},
).to_wire("v1")
DATASET = DatasetConnection(
    role="serving",
    data_source=S3DataSource(object_path="b/k", object_format="delta", select_expr=["*"]),
    id_column="id",
    timestamp_column="at",
    features={"age": "a"},
    labels={"p": "l"},
    schedule="0 * * * *",
).to_wire("prod")
MONITOR = Monitor(name="n", type="data_drift", scheduling="0 * * * *", configuration={"a": 1}).to_wire()
SEGMENT = Segment(name="S", field="age", values=[18, "x", True]).to_wire()
CUSTOM_METRIC = CustomMetric(name="C", code="count()").to_wire()
QUERY = JDBCDataSource(url="jdbc:postgresql://db/x", query="SELECT 1", user="u", password="p").to_wire()

Parse = Callable[[dict[str, Any]], Any]
KINDS: dict[str, tuple[Parse, dict[str, Any]]] = {
    "/v1beta/models": (lambda body: Model(**body), MODEL),
    VERSIONS: (VersionSchema.from_wire, VERSION),
    f"{VERSIONS}/{{version}}/datasets": (DatasetConnection.from_wire, DATASET),
    "/v1beta/monitors": (Monitor.from_wire, MONITOR),
    "/v1beta/models/{model_id}/segments": (lambda body: Segment(**body), SEGMENT),
    "/v1beta/models/{model_id}/custom_metrics": (lambda body: CustomMetric(**body), CUSTOM_METRIC),
}


def document(path: str) -> Draft202012Validator:
    body = PATHS[path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    Draft202012Validator.check_schema(body)
    return Draft202012Validator(body)


@pytest.mark.slow
@pytest.mark.parametrize("path", KINDS)
def test_every_key_of_a_request_is_documented(path: str) -> None:
    _, body = KINDS[path]
    document(path).validate(body)
    for key in body:
        without = {name: value for name, value in body.items() if name != key}
        assert document(path).is_valid({**without, f"{key}_": body[key]}) is False


@pytest.mark.slow
def test_the_key_of_another_data_source_is_documented() -> None:
    document(f"{VERSIONS}/{{version}}/datasets").validate({**DATASET, "data_source": QUERY})


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("/v1beta/models", {"name": " "}),
        ("/v1beta/models", {"name": "x" * 256}),
        ("/v1beta/models", {"description": "x" * 10_001}),
        ("/v1beta/models", {"color": "mauve"}),
        ("/v1beta/models", {"icon": "cat"}),
        ("/v1beta/models", {"aggregation_period": "weekly"}),
        ("/v1beta/models", {"tags": {"k" * 16: "x"}}),
        ("/v1beta/models", {"tags": {"é": "x"}}),
        ("/v1beta/models", {"tags": {"a": "x" * 101}}),
        ("/v1beta/models", {"tags": {f"tag{number}": "x" for number in range(11)}}),
        (VERSIONS, {"model_type": "clustering"}),
        (VERSIONS, {"model_data_type": "video"}),
        (VERSIONS, {"mapping": {"query": "q"}}),
        (VERSIONS, {"version_schema": {**VERSION["version_schema"], "features": {"age": "decimals"}}}),
        (VERSIONS, {"version_schema": {**VERSION["version_schema"], "features": {"e": {"type": "tensor"}}}}),
        (VERSIONS, {"version_schema": {**VERSION["version_schema"], "targets": {}}}),
        (VERSIONS, {"version_schema": {**VERSION["version_schema"], "features": {" ": "numeric"}}}),
        (f"{VERSIONS}/{{version}}/datasets", {"name": "holdout"}),
        (f"{VERSIONS}/{{version}}/datasets", {"id_column": ""}),
        (f"{VERSIONS}/{{version}}/datasets", {"features": {"age": " "}}),
        (f"{VERSIONS}/{{version}}/datasets", {"data_source": {"type": "ftp", "config": {}}}),
        (f"{VERSIONS}/{{version}}/datasets", {"data_source": {"type": "s3", "config": {"path": "b/k"}}}),
        ("/v1beta/models/{model_id}/segments", {"name": "x" * 256}),
        ("/v1beta/models/{model_id}/segments", {"values": []}),
        ("/v1beta/models/{model_id}/segments", {"edges": [1]}),
        ("/v1beta/models/{model_id}/segments", {"conditions": [["age > 1"]]}),
        ("/v1beta/models/{model_id}/custom_metrics", {"code": ""}),
        ("/v1beta/models/{model_id}/custom_metrics", {"code": "1" * 4_001}),
        ("/v1beta/monitors", {"type": "weather"}),
        ("/v1beta/monitors", {"configuration": {}}),
        ("/v1beta/monitors", {"is_active": "maybe"}),
    ],
)
def test_what_a_type_refuses_is_not_documented(path: str, change: dict[str, Any]) -> None:
    parse, body = KINDS[path]
    with pytest.raises(ValidationError):
        parse({**body, **change})
    assert document(path).is_valid({**body, **change}) is False


def test_parameters_are_documented_as_in_the_docstrings() -> None:
    properties = document("/v1beta/models").schema["properties"]
    assert properties["name"]["description"] == "Display name."
    assert properties["color"]["default"] == "blue"
