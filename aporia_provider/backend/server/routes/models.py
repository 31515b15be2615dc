"""Routes of models, their tags and owners."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter

from aporia_provider.backend.request_paths import MODEL
from aporia_provider.backend.server import openapi
from aporia_provider.backend.server.openapi import documented
from aporia_provider.backend.server.requests import CurrentRegistry, SmallBody, checked_keys, single_object
from aporia_provider.backend.server.responses import EmptyResponse, OwnerResponse, TagsResponse
from aporia_provider.errors import ValidationError
from aporia_provider.models import Model
from aporia_provider.registrations import ModelUpdate, Registered

router = APIRouter(tags=["models"])


@router.post("/models", **documented(Registered, openapi.MODEL))
def create_model(registry: CurrentRegistry, body: SmallBody) -> Any:
    """Register a model. If no id is given, it is derived from the name."""
    fields = {key: value for key, value in body.items() if value is not None}
    if "id" not in fields and isinstance(fields.get("name"), str):
        fields["id"] = _id_from(fields["name"])
    return registry.create_model(Model(**fields))


@router.put(MODEL, **documented(ModelUpdate, openapi.MODEL_UPDATE))
def update_model(registry: CurrentRegistry, model_id: str, body: SmallBody) -> Any:
    """Change the retention of a model. Not part of Aporia's protocol."""
    return registry.update_model(model_id, retention=checked_keys(body, "retention")["retention"])


@router.delete(MODEL, **documented(EmptyResponse))
def delete_model(registry: CurrentRegistry, model_id: str) -> Any:
    """Delete a model with its versions and datasets."""
    registry.delete_model(model_id)
    return {}


@router.post(f"{MODEL}/owner", **documented(OwnerResponse, openapi.OWNER))
def set_owner(registry: CurrentRegistry, model_id: str, body: SmallBody) -> Any:
    """Set the owner of a model."""
    owner = checked_keys(body, "owner")["owner"]
    registry.set_model_owner(model_id, owner)
    return {"model_id": model_id, "owner": owner}


@router.get(f"{MODEL}/tags", **documented(TagsResponse))
def get_tags(registry: CurrentRegistry, model_id: str) -> Any:
    """Return the tags of a model."""
    return {"tags": registry.get_model_tags(model_id)}


@router.post(f"{MODEL}/tags", **documented(EmptyResponse, openapi.TAGS))
def add_tags(registry: CurrentRegistry, model_id: str, body: SmallBody) -> Any:
    """Set the given tags; other tags remain."""
    registry.add_model_tags(model_id, single_object(body, "tags"))
    return {}


@router.delete(f"{MODEL}/tags/{{key:segment}}", **documented(EmptyResponse))
def delete_tag(registry: CurrentRegistry, model_id: str, key: str) -> Any:
    """Remove a tag. Do nothing if the model does not have it."""
    registry.delete_model_tag(model_id, key)
    return {}


def _id_from(name: str) -> str:
    made = re.sub(r"\W+", "-", name.lower()).strip("-")
    if not made:
        raise ValidationError(f"No id can be derived from the name {name!r}; give one")
    return made
