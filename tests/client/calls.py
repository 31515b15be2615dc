"""What the tests of the client call, and how: waiting, or with await."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aporia_provider.client import AporiaClient, AsyncAporiaClient, Retries
from aporia_provider.custom_metrics import CustomMetric
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.models import Model
from aporia_provider.schema import VersionSchema
from aporia_provider.segments import Segment
from tests.recording import Answer

TOKEN = "tok-3f9a-secret"
QUICK = Retries(attempts=4, first_wait=0.0, longest_wait=0.0)
SCHEMA = VersionSchema(model_type="binary", features={"age": "numeric"}, predictions={"p": "boolean"})
TENSORS = VersionSchema(
    model_type="binary",
    features={"e": {"type": "tensor", "dimensions": [3]}},
    predictions={"p": "boolean"},
)
SOURCE = S3DataSource(object_path="bucket/key", object_format="delta")
COLUMNS = {"id_column": "id", "timestamp_column": "ts"}
MODEL = Model(id="m", name="M")
SEGMENT = Segment(name="S", field="age", values=[18])
CUSTOM_METRIC = CustomMetric(name="C", code="count()")
DATASET = DatasetConnection(role="serving", data_source=SOURCE, **COLUMNS)
VERSIONS = "/v1beta/models/m/versions"
CONFLICT = Answer(409, {"error": {"message": "exists", "detail": "it exists"}})

Ask = Callable[..., Any]


def ask_sync(url: str, method: str, *args: Any, client: dict[str, Any], **kwargs: Any) -> Any:
    with AporiaClient(url, TOKEN, "prod", **client) as connected:
        return getattr(connected, method)(*args, **kwargs)


def ask_async(url: str, method: str, *args: Any, client: dict[str, Any], **kwargs: Any) -> Any:
    async def ask() -> Any:
        async with AsyncAporiaClient(url, TOKEN, "prod", **client) as connected:
            return await getattr(connected, method)(*args, **kwargs)

    return asyncio.run(ask())


CALLS = [
    ("create_model", (MODEL,), {}, "POST", "/v1beta/models"),
    ("delete_model", ("m",), {}, "DELETE", "/v1beta/models/m"),
    ("update_model", ("m",), {"retention": None}, "PUT", "/v1beta/models/m"),
    ("create_model_version", ("m", "v", SCHEMA), {}, "POST", VERSIONS),
    ("connect_dataset", ("m", "v", DATASET), {}, "POST", f"{VERSIONS}/v/datasets"),
    ("set_sync_enabled", ("m", "v", True), {}, "POST", f"{VERSIONS}/v/datasets_sync?enabled=True"),
    ("set_sync_enabled", ("m", "v", False), {}, "POST", f"{VERSIONS}/v/datasets_sync?enabled=False"),
    ("get_dataset_sync_status", ("m", "v", "serving"), {}, "GET", f"{VERSIONS}/v/sync_status/serving"),
    ("add_model_tags", ("m", {"a": "b"}), {}, "POST", "/v1beta/models/m/tags"),
    ("get_model_tags", ("m",), {}, "GET", "/v1beta/models/m/tags"),
    ("delete_model_tag", ("m", "a b"), {}, "DELETE", "/v1beta/models/m/tags/a%20b"),
    ("set_feature_importance", ("m", "v", {"age": 1}), {}, "POST", f"{VERSIONS}/v/feature_importance"),
    ("delete_monitor", ("x",), {}, "DELETE", "/v1beta/monitors/x"),
    ("evaluate_monitors", ("m", "v"), {}, "POST", "/v1/monitors/evaluate"),
    ("apply_monitors", ("m", []), {}, "POST", "/v1/monitors/apply"),
    ("get_monitors", ("a b",), {}, "GET", "/v1/monitors?model_id=a%20b"),
    ("create_segment", ("a b", SEGMENT), {}, "POST", "/v1beta/models/a%20b/segments"),
    ("delete_segment", ("m", "a/b"), {}, "DELETE", "/v1beta/models/m/segments/a%2Fb"),
    ("create_custom_metric", ("m", CUSTOM_METRIC), {}, "POST", "/v1beta/models/m/custom_metrics"),
    ("delete_custom_metric", ("m", "x"), {}, "DELETE", "/v1beta/models/m/custom_metrics/x"),
    ("get_verdicts", ("m", "v"), {}, "GET", "/v1/monitors/verdicts?model_id=m&model_version=v"),
]
