"""
JSON schemas of request bodies for the OpenAPI document.

They are generated from the public types. This module only defines what differs in a request.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

from fastapi.responses import PlainTextResponse
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from aporia_provider.backend.registration.attachments import ARTIFACT_TYPES
from aporia_provider.backend.server.error_handlers import ErrorResponse
from aporia_provider.backend.store.json_columns import MAX_NAME
from aporia_provider.custom_metrics import CustomMetric
from aporia_provider.data_sources import DATA_SOURCES
from aporia_provider.datasets import DatasetConnection
from aporia_provider.metrics import MetricsQuery
from aporia_provider.models import EvaluationRequest, Model, ModelTags, Monitor
from aporia_provider.monitor_changes import ApplyRequest
from aporia_provider.monitoring.catalogue import metric_names
from aporia_provider.schema import WIRE_CATEGORIES, VersionSchema
from aporia_provider.segments import Segment

Schema = dict[str, Any]

_PARAMETER = re.compile(r"^:param (\w+): (.*?)(?=^:|\Z)", re.MULTILINE | re.DOTALL)
_ROLE = re.compile(r":\w+:`~?([^`]+)`")
_ONLY_REFERENCE = re.compile(r"(One of|See) [\w.]+\.")

_REASONS = {
    400: "The path or the body cannot be read",
    401: "The token is missing or wrong",
    403: "The token belongs to another environment",
    404: "There is no such model, version, dataset, monitor, segment, custom metric or alert",
    405: "The path has no such method",
    409: "The name is already used by a different object",
    413: "The body is too large",
    422: "The request is not valid",
    429: "Too many wrong tokens have come from the client's address",
    503: "The database does not respond",
}
_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_NAME, "pattern": r"[^\s\x00]"}


def documented(response: Any, body: Schema | None = None) -> dict[str, Any]:
    """
    Return keyword arguments for a FastAPI route that document its responses and its request body.

    :param response: Type of the body of a successful response.
    :param body: Schema of the body of a request, if the route has one.
    """
    described: dict[str, Any] = {"responses": responses(response)}
    if body is not None:
        content = {"application/json": {"schema": body}}
        described["openapi_extra"] = {"requestBody": {"required": True, "content": content}}
    return described


def documented_text(description: str) -> dict[str, Any]:
    """
    Return keyword arguments for a FastAPI route whose successful response is plain text.

    :param description: Description of the text.
    """
    content = {"text/plain": {"schema": {"type": "string"}}}
    documentation = {"description": description, "content": content}
    return {"response_class": PlainTextResponse, "responses": {**responses(None), 200: documentation}}


def responses(response: Any) -> dict[int | str, dict[str, Any]]:
    """Return the possible responses of a route."""
    errors: dict[int | str, dict[str, Any]] = {
        status: {"model": ErrorResponse, "description": reason} for status, reason in _REASONS.items()
    }
    return {200: {"model": response, "description": "Done"}, **errors}


def object_schema(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """Return the schema of an object with these keys and no others."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def mapping_schema(values: Schema, **limits: Any) -> Schema:
    """Return the schema of an object with arbitrary keys."""
    return {"type": "object", "additionalProperties": values, **limits}


class _Documented(GenerateJsonSchema):
    """Schemas without titles, whose properties have the descriptions of the parameters in the docstring."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def dict_schema(self, schema: Any) -> Schema:
        described = super().dict_schema(schema)
        if "patternProperties" in described:
            described["additionalProperties"] = False
        return described

    def model_schema(self, schema: Any) -> Schema:
        described = super().model_schema(schema)
        described.pop("title", None)
        docstrings = [_plain_text(base.__doc__ or "") for base in schema["cls"].__mro__]
        for name, text in (item for docstring in docstrings for item in _PARAMETER.findall(docstring)):
            if name in described["properties"] and not _ONLY_REFERENCE.fullmatch(text.strip()):
                described["properties"][name].setdefault("description", " ".join(text.split()))
        described["description"] = docstrings[0].partition("\n:")[0].strip()
        return described


def remove_markup(document: Schema) -> Schema:
    """Remove the fields and roles of docstrings from the descriptions of the response schemas."""
    for schema in document["components"]["schemas"].values():
        if "description" in schema:
            schema["description"] = _plain_text(schema["description"]).partition("\n:")[0].strip()
    return document


def _plain_text(docstring: str) -> str:
    return _ROLE.sub(r"\1", inspect.cleandoc(docstring))


def inline_definitions(model: type[BaseModel]) -> Schema:
    """Return the schema of a model without ``$ref``, since routes cannot declare definitions."""
    schema = model.model_json_schema(by_alias=False, schema_generator=_Documented)
    definitions = schema.pop("$defs", {})

    def resolved(part: Any) -> Any:
        if isinstance(part, list):
            return [resolved(item) for item in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            part = {**definitions[part["$ref"].rpartition("/")[2]], **part}
        return {key: resolved(value) for key, value in part.items() if key != "$ref"}

    whole: Schema = resolved(schema)
    return whole


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _metrics_query() -> Schema:
    """Return the schema of a query, with the names of the metrics."""
    schema = inline_definitions(MetricsQuery)
    schema["properties"]["metrics"]["items"]["properties"]["metric"]["enum"] = metric_names()
    return schema


def _model() -> Schema:
    properties = inline_definitions(Model)["properties"]
    # The server derives a missing id from the name.
    return object_schema({"name": properties.pop("name")}, {**properties, "id": _or_null(_NAME)})


def _version() -> Schema:
    properties = inline_definitions(VersionSchema)["properties"]
    fields = {key: properties.pop(key) for key in WIRE_CATEGORIES}
    required = {key: fields.pop(key) for key in ("features", "predictions")}
    schema = object_schema(required, {**fields, "feature_positions": _or_null(_POSITIONS)})
    model_type = properties.pop("model_type")
    return object_schema({"name": _NAME, "model_type": model_type, "version_schema": schema}, properties)


def _dataset() -> Schema:
    properties = inline_definitions(DatasetConnection)["properties"]
    environment = {"type": ["string", "null"]}
    sync = {key: properties.pop(key) for key in ("enabled", "schedule")} | {"environment": environment}
    required = {
        "name": properties.pop("role"),
        "data_source": {"anyOf": [_data_source(name) for name in DATA_SOURCES]},
        **{key: properties.pop(key) for key in ("id_column", "timestamp_column")},
    }
    del properties["data_source"]
    return object_schema(required, {**properties, "sync": _or_null(object_schema({}, sync))})


def _data_source(name: str) -> Schema:
    return object_schema({"type": {"const": name}, "config": inline_definitions(DATA_SOURCES[name])})


_IMPORTANCE = mapping_schema({"type": "number"})
_POSITIONS = mapping_schema({"type": "integer"})
_ROWS: Schema = {"type": "array", "items": {"type": "object"}}

MODEL = _model()
MODEL_UPDATE = object_schema({"retention": inline_definitions(Model)["properties"]["retention"]})
VERSION = _version()
DATASET = _dataset()
MONITOR = inline_definitions(Monitor)
MONITORS = inline_definitions(ApplyRequest)
SEGMENT = inline_definitions(Segment)
CUSTOM_METRIC = inline_definitions(CustomMetric)
EVALUATION = inline_definitions(EvaluationRequest)
TAGS = inline_definitions(ModelTags)
METRICS = _metrics_query()
OWNER = object_schema({"owner": _NAME})
ENVIRONMENT = object_schema({"name": _NAME})
ACKNOWLEDGEMENT = object_schema({}, {"by": _or_null(_NAME)})
SNOOZE = object_schema({"until": {"type": "string", "format": "date-time"}})
FEATURE_IMPORTANCE = object_schema({"feature_importance": _IMPORTANCE})
FEATURE_POSITIONS = object_schema({"feature_positions": _POSITIONS})
MODEL_ARTIFACT = object_schema(
    {"artifact_base64": {"type": "string", "minLength": 4}, "artifact_type": {"enum": list(ARTIFACT_TYPES)}}
)
INDEX_TO_WORD_MAPPING = object_schema(
    {"index_to_word_mapping": mapping_schema({"type": "string"}, propertyNames={"pattern": "^[0-9]+$"})}
)
TRAINING_SAMPLE = object_schema(
    {"features": _ROWS}, {"labels": _or_null(_ROWS), "raw_inputs": _or_null(_ROWS)}
)
EMPTY: Schema = {"type": "object"}
