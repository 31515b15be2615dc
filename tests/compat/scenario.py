"""Every call of the official SDK that the protocol has a route for, in an order a real server can follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MODEL = "fraud model"
VERSION = "2024-03 ü"
IDS = {"model_id": MODEL, "model_version": VERSION}
COLUMNS = {"id_column": "id", "timestamp_column": "ts"}


@dataclass(frozen=True)
class Step:
    """
    One call.

    :param call: Its name in the SDK.
    :param arguments: Its arguments. A data source is written ``{"class": …, "arguments": …}``.
    """

    call: str
    arguments: dict[str, Any]


def source(name: str, **arguments: Any) -> dict[str, Any]:
    return {"class": name, "arguments": arguments}


DELTA = source(
    "S3DataSource",
    object_path="s3://bucket/serving",
    object_format="delta",
    select_expr=["*", "amount * 2 AS doubled"],
    read_options={"versionAsOf": "3"},
)
PLAIN = source("S3DataSource", object_path="bucket/training", object_format="parquet", sample_size=0.5)

OTHER_SOURCES = {
    "jdbc": source("JDBCDataSource", url="jdbc:x://host/db", query="SELECT 1", user="u", password='pä"ss'),
    "redshift": source("JDBCDataSource", url="jdbc:redshift:iam://host/db?a=b", query="SELECT 1"),
    "postgres": source("PostgresJDBCDataSource", url="jdbc:postgresql://h/db", query="SELECT 1"),
    "athena": source(
        "AthenaDataSource", url="jdbc:awsathena://h", query="SELECT 1", s3_output_location="s3://b/out"
    ),
    "bigquery": source(
        "BigQueryDataSource", credentials_base64="eyJhIjoxfQ==", table="t", dataset="d", parent_project="p"
    ),
    "snowflake": source(
        "SnowflakeDataSource",
        url="u",
        query="SELECT 1",
        user="u",
        password="pw",
        database="d",
        schema="s",
        read_options={"a": "b"},
    ),
    "glue": source("GlueDataSource", query="SELECT 1", sample_size=0.25, select_expr=["a"]),
}

FULL_VERSION = {
    "model_type": "multiclass",
    "features": {"z": "numeric", "amount": "numeric", "country": "string"},
    "predictions": {"class": "categorical", "scores": "dict"},
    "raw_inputs": {"note": "text", "when": "datetime"},
    "metrics": {"latency": "numeric"},
    "model_data_type": "tabular",
    "labels": ["good", "bad"],
    "feature_importance": {"amount": 0.75, "z": 1.25},
}
SMALL_VERSION = {"model_type": "regression", "features": {"a": "numeric"}, "predictions": {"y": "numeric"}}
TENSOR_VERSION = {
    "model_type": "ranking",
    "features": {"e": {"type": "tensor", "dimensions": [3, 2]}, "v": "vector"},
    "predictions": {"rank": "numeric"},
    "raw_inputs": {"batch": "string"},
    "mapping": {"batch_id_column_name": "batch", "relevance_column_name": "rank"},
}

MONITOR = {
    "name": "Drift of amount",
    "monitor_type": "data_drift",
    "scheduling": "*/5 * * * *",
    "configuration": {
        "identification": {"models": {"id": MODEL}, "segment": {"group": None}},
        "configuration": {"focal": {"timePeriod": "1d"}, "thresholds": {"numeric": 0.3}},
    },
}

REGISTERING = [
    Step("create_model", {"model_id": MODEL, "name": "Fraud"}),
    Step("create_model", {"model_id": MODEL, "name": "Fraud"}),
    Step(
        "create_model",
        {
            "model_id": "other",
            "name": "Other é",
            "description": "For the test",
            "owner": "someone@example.org",
            "color": "arctic_blue",
            "icon": "fraud-detection",
            "tags": {"team": "risk"},
        },
    ),
    Step("create_model_version", {**IDS, **FULL_VERSION}),
    Step("create_model_version", {"model_id": MODEL, "model_version": "tensors", **TENSOR_VERSION}),
    Step(
        "connect_serving",
        {
            **IDS,
            **COLUMNS,
            "data_source": DELTA,
            "predictions": {"class": "predicted"},
            "features": {"amount": "doubled"},
            "labels": {"class": "truth"},
            "raw_inputs": {"note": "remark"},
            "schedule": "0 * * * *",
        },
    ),
    Step("connect_training", {**IDS, **COLUMNS, "data_source": PLAIN, "features": {}}),
    Step("connect_testing", {**IDS, **COLUMNS, "data_source": PLAIN, "labels": {"class": "truth"}}),
    Step(
        "connect_actuals",
        {**IDS, **COLUMNS, "data_source": DELTA, "labels": {"class": "truth"}, "schedule": "5 4 * * *"},
    ),
]

CONNECTING_EVERYTHING = [
    step
    for name, data_source in OTHER_SOURCES.items()
    for step in (
        Step("create_model_version", {"model_id": MODEL, "model_version": name, **SMALL_VERSION}),
        Step(
            "connect_serving",
            {"model_id": MODEL, "model_version": name, **COLUMNS, "data_source": data_source},
        ),
    )
]

USING = [
    Step("set_sync_enabled", {**IDS, "enabled": False}),
    Step("set_sync_enabled", {**IDS, "enabled": True}),
    Step("get_dataset_sync_status", {**IDS, "dataset": "serving"}),
    Step("add_model_tags", {"model_id": MODEL, "tags": {"team": "risk", "cost centre": "12"}}),
    Step("delete_model_tag", {"model_id": MODEL, "tag_key": "cost centre"}),
    Step("delete_model_tag", {"model_id": MODEL, "tag_key": "never-there"}),
    Step("get_model_tags", {"model_id": MODEL}),
    Step("set_feature_importance", {**IDS, "feature_importance": {"amount": 0.5, "z": 2}}),
    Step("create_monitor", {**MONITOR, "is_active": False, "custom_alert_description": "Look!"}),
    Step("create_monitor", {**MONITOR, "name": "Drift of amount, hourly", "scheduling": "0 * * * *"}),
    Step("delete_monitor", {"monitor_id": "the last one created"}),
    Step("delete_model", {"model_id": "other"}),
]

SDK_ONLY = [
    Step("upload_model_artifact", {**IDS, "model_artifact": "bytes of a model", "artifact_type": "onnx"}),
    Step("log_index_to_word_mapping", {**IDS, "index_to_word_mapping": {"1": "one", "2": "two"}}),
    Step("log_index_to_word_mapping", {**IDS, "index_to_word_mapping": {"one": 1, "two": 2}}),
    Step(
        "log_training_sample",
        {
            **IDS,
            "features": {"amount": [1.5], "country": ["fr"], "z": [0]},
            "labels": {"class": [1]},
            "raw_inputs": {"note": ["hello"]},
        },
    ),
    Step("environments", {}),
]

SHARED = [*REGISTERING, *CONNECTING_EVERYTHING, *USING]
EVERYTHING = [*REGISTERING, *CONNECTING_EVERYTHING, *SDK_ONLY, *USING]
