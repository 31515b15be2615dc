"""JSON schemas of request bodies for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from aporia_provider.backend.registration.attachments import ARTIFACT_TYPES
from aporia_provider.backend.server.error_handlers import ErrorReply
from aporia_provider.backend.store.json_columns import MAX_NAME
from aporia_provider.data_sources import DATA_SOURCES
from aporia_provider.datasets import MAPPINGS, ROLES
from aporia_provider.metrics import MetricsQuery
from aporia_provider.models import (
    AGGREGATION_PERIODS,
    COLORS,
    ICONS,
    MAX_DESCRIPTION,
    MAX_TAGS,
    MONITOR_TYPES,
)
from aporia_provider.monitoring.catalogue import metric_names
from aporia_provider.schema import FIELD_TYPES, MODEL_DATA_TYPES, MODEL_TYPES

Schema = dict[str, Any]

_REASONS = {
    400: "The path or the body cannot be read",
    401: "The token is missing or wrong",
    403: "The token belongs to another environment",
    404: "There is no such model, version or dataset",
    405: "The path has no such method",
    409: "The name is taken by something different",
    413: "The body is too large",
    422: "The request is not valid",
    429: "Too many wrong tokens have come from the client's address",
    503: "The database does not answer",
}
_OPTIONAL_TEXT: Schema = {"type": ["string", "null"]}
_DESCRIPTION: Schema = {"type": ["string", "null"], "maxLength": MAX_DESCRIPTION}
_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_NAME, "pattern": r"[^\s\x00]"}
_COLUMN: Schema = {"type": "string", "minLength": 1, "pattern": r"[^\s\x00]"}


def replies(success: type[BaseModel] | None = None) -> dict[int | str, dict[str, Any]]:
    """Return the possible responses of a route."""
    good: dict[str, Any] = {"description": "Done"}
    if success is not None:
        good["model"] = success
    errors: dict[int | str, dict[str, Any]] = {
        status: {"model": ErrorReply, "description": reason} for status, reason in _REASONS.items()
    }
    return {200: good, **errors}


def body(schema: Schema) -> dict[str, Any]:
    """Return the part of a route's OpenAPI description that declares its body."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def keys(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """Return the schema of an object with these keys and no others."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def mapping(values: Schema, **limits: Any) -> Schema:
    """Return the schema of an object with arbitrary keys."""
    return {"type": "object", "additionalProperties": values, **limits}


def inlined(model: type[BaseModel]) -> Schema:
    """Return the schema of a model without ``$ref``, since routes cannot declare definitions."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def resolved(part: Any) -> Any:
        if isinstance(part, list):
            return [resolved(item) for item in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            return resolved(definitions[part["$ref"].rpartition("/")[2]])
        return {key: resolved(value) for key, value in part.items()}

    whole: Schema = resolved(schema)
    return whole


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _metrics_query() -> Schema:
    """Return the schema of a query, with the names of the metrics."""
    schema = inlined(MetricsQuery)
    schema["properties"]["metrics"]["items"]["properties"]["metric"]["enum"] = metric_names()
    return schema


_TENSOR = keys(
    {
        "type": {"const": "tensor"},
        "dimensions": {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1},
    }
)
_FIELD: Schema = {"anyOf": [{"enum": [name for name in FIELD_TYPES if name != "tensor"]}, _TENSOR]}
_FIELDS = mapping(_FIELD, propertyNames=_COLUMN)
_MAPPING = keys(
    {},
    {
        name: {"type": "string"}
        for name in ("batch_id_column_name", "relevance_column_name", "actual_relevance_column_name")
    },
)
_IMPORTANCE = mapping({"type": "number"})
_POSITIONS = mapping({"type": "integer"})
_VERSION_SCHEMA = keys(
    {"features": _FIELDS, "predictions": _FIELDS},
    {
        "raw_inputs": _or_null(_FIELDS),
        "metrics": _or_null(_FIELDS),
        "feature_positions": _or_null(_POSITIONS),
    },
)
_TAGS = mapping(
    {"type": "string", "maxLength": 100},
    maxProperties=MAX_TAGS,
    propertyNames={"pattern": r"^[A-Za-z0-9_ \-]{1,15}$"},
)
_ROWS: Schema = {"type": "array", "items": {"type": "object"}}

MODEL = keys(
    {"name": _NAME},
    {
        "id": _or_null(_NAME),
        "description": _DESCRIPTION,
        "owner": _or_null({"type": "string", "maxLength": MAX_NAME}),
        "color": {"enum": list(COLORS)},
        "icon": {"enum": list(ICONS)},
        "tags": _or_null(_TAGS),
        "aggregation_period": {"enum": [*AGGREGATION_PERIODS, None]},
    },
)
VERSION = keys(
    {"name": _NAME, "model_type": {"enum": list(MODEL_TYPES)}, "version_schema": _VERSION_SCHEMA},
    {
        "model_data_type": {"enum": [*MODEL_DATA_TYPES, None]},
        "labels": _or_null({"type": "array", "items": {"type": "string"}}),
        "feature_importance": _or_null(_IMPORTANCE),
        "mapping": _or_null(_MAPPING),
    },
)
_SOURCE: Schema = {
    "anyOf": [
        keys({"type": {"const": name}, "config": source.model_json_schema(by_alias=False)})
        for name, source in DATA_SOURCES.items()
    ]
}
DATASET = keys(
    {
        "name": {"enum": list(ROLES)},
        "data_source": _SOURCE,
        "id_column": _COLUMN,
        "timestamp_column": _COLUMN,
    },
    {
        "sync": _or_null(
            keys(
                {},
                {"enabled": {"type": "boolean"}, "environment": _OPTIONAL_TEXT, "schedule": _OPTIONAL_TEXT},
            )
        ),
        **{name: _or_null(mapping(_COLUMN)) for name in MAPPINGS},
    },
)
MONITOR = keys(
    {
        "name": _NAME,
        "type": {"enum": list(MONITOR_TYPES)},
        "scheduling": {"type": "string", "examples": ["0 * * * *"]},
        "configuration": {"type": "object", "minProperties": 1},
    },
    {
        "is_active": {"type": "boolean"},
        "custom_alert_description": _DESCRIPTION,
    },
)
TAGS = keys({"tags": _TAGS})
OWNER = keys({"owner": _NAME})
ENVIRONMENT = keys({"name": _NAME})
FEATURE_IMPORTANCE = keys({"feature_importance": _IMPORTANCE})
FEATURE_POSITIONS = keys({"feature_positions": _POSITIONS})
MODEL_ARTIFACT = keys(
    {"artifact_base64": {"type": "string", "minLength": 4}, "artifact_type": {"enum": list(ARTIFACT_TYPES)}}
)
INDEX_TO_WORD_MAPPING = keys(
    {"index_to_word_mapping": mapping({"type": "string"}, propertyNames={"pattern": "^[0-9]+$"})}
)
TRAINING_SAMPLE = keys({"features": _ROWS}, {"labels": _or_null(_ROWS), "raw_inputs": _or_null(_ROWS)})
METRICS = _metrics_query()
EMPTY: Schema = {"type": "object"}
