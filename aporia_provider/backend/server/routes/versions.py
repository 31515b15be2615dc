"""Routes of versions and their attachments."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from aporia_provider.backend.request_paths import MODEL, VERSION
from aporia_provider.backend.server import openapi
from aporia_provider.backend.server.openapi import documented
from aporia_provider.backend.server.requests import (
    ArtifactBody,
    CurrentRegistry,
    RowsBody,
    SchemaBody,
    checked_keys,
    single_object,
)
from aporia_provider.backend.server.responses import EmptyResponse, StoredVersion
from aporia_provider.registrations import Registered
from aporia_provider.schema import VersionSchema

router = APIRouter(tags=["versions"])

_OPTIONAL = ("model_data_type", "labels", "feature_importance", "mapping")


@router.get(f"{MODEL}/versions", **documented(list[StoredVersion]))
def get_versions(registry: CurrentRegistry, model_id: str, name: str | None = None) -> Any:
    """Return the versions of a model, oldest first, or only the version with the given name."""
    return registry.get_model_versions(model_id, name)


@router.post(f"{MODEL}/versions", **documented(Registered, openapi.VERSION))
def create_version(registry: CurrentRegistry, model_id: str, body: SchemaBody) -> Any:
    """Register a version of a model with its schema."""
    checked_keys(body, "name", "model_type", "version_schema", optional=_OPTIONAL)
    schema = VersionSchema.from_wire({**body, "version_schema": _ordered(body["version_schema"])})
    return registry.create_model_version(model_id, body["name"], schema)


@router.post(f"{VERSION}/feature_importance", **documented(EmptyResponse, openapi.FEATURE_IMPORTANCE))
def set_feature_importance(registry: CurrentRegistry, model_id: str, version: str, body: SchemaBody) -> Any:
    """Set the importance of features."""
    registry.set_feature_importance(model_id, version, single_object(body, "feature_importance"))
    return {}


@router.post(f"{VERSION}/feature_positions", **documented(EmptyResponse, openapi.FEATURE_POSITIONS))
def set_feature_positions(registry: CurrentRegistry, model_id: str, version: str, body: SchemaBody) -> Any:
    """Set the order of features."""
    registry.set_feature_positions(model_id, version, single_object(body, "feature_positions"))
    return {}


@router.post(f"{VERSION}/model_artifact", **documented(EmptyResponse, openapi.MODEL_ARTIFACT))
def set_model_artifact(registry: CurrentRegistry, model_id: str, version: str, body: ArtifactBody) -> Any:
    """Store the file of the model."""
    registry.set_model_artifact(model_id, version, **checked_keys(body, "artifact_base64", "artifact_type"))
    return {}


@router.post(f"{VERSION}/index_to_word_mapping", **documented(EmptyResponse, openapi.INDEX_TO_WORD_MAPPING))
def set_index_to_word_mapping(registry: CurrentRegistry, model_id: str, version: str, body: RowsBody) -> Any:
    """Store the words that the indexes of a text model represent."""
    registry.set_index_to_word_mapping(model_id, version, single_object(body, "index_to_word_mapping"))
    return {}


@router.post(f"{VERSION}/training_sample", **documented(EmptyResponse, openapi.TRAINING_SAMPLE))
def set_training_sample(registry: CurrentRegistry, model_id: str, version: str, body: RowsBody) -> Any:
    """Store a sample of the training set."""
    rows = checked_keys(body, "features", optional=("labels", "raw_inputs"))
    registry.set_training_sample(model_id, version, **rows)
    return {}


def _ordered(fields: Any) -> Any:
    """Sort features by position, for clients that cannot send an object's keys in order."""
    if not isinstance(fields, dict):
        return fields
    features, positions = fields.get("features"), fields.get("feature_positions")
    if not isinstance(features, dict) or not isinstance(positions, dict) or set(features) != set(positions):
        return fields
    if not all(isinstance(position, int) for position in positions.values()):
        return fields
    return {
        **fields,
        "features": {name: features[name] for name in sorted(features, key=positions.__getitem__)},
    }
