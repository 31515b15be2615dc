"""Routes of datasets and their syncs."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import APIRouter

from aporia_provider.backend.request_paths import VERSION
from aporia_provider.backend.server import openapi
from aporia_provider.backend.server.openapi import documented
from aporia_provider.backend.server.requests import CurrentRegistry, MediumBody, check_environment
from aporia_provider.backend.server.responses import DatasetSyncStatus, EmptyResponse
from aporia_provider.datasets import DatasetConnection
from aporia_provider.registrations import Registered

log = logging.getLogger(__name__)
router = APIRouter(prefix=VERSION, tags=["datasets"])


@router.post("/datasets", **documented(Registered, openapi.DATASET))
def connect_dataset(registry: CurrentRegistry, model_id: str, version: str, body: MediumBody) -> Any:
    """Connect a data source to a version. Its secrets are not stored."""
    dataset = DatasetConnection.from_wire(body)
    check_environment(registry, (body.get("sync") or {}).get("environment"))
    registered = registry.connect_dataset(model_id, version, dataset)
    if not dataset.data_source.readable:
        subject = f"The {dataset.role} dataset of version {version!r} of model {model_id!r}"
        # The protocol's response has no field for this warning.
        log.warning(
            "%s is connected, but will not be monitored. %s",
            subject,
            dataset.data_source.unreadable_reason,
        )
    return registered


@router.post(
    "/datasets_sync",
    responses=openapi.responses(EmptyResponse),
    openapi_extra={"requestBody": {"content": {"application/json": {"schema": openapi.EMPTY}}}},
)
def set_sync_enabled(registry: CurrentRegistry, model_id: str, version: str, enabled: bool) -> Any:
    """Enable or disable the syncs of all datasets of a version."""
    registry.set_sync_enabled(model_id, version, enabled)
    return {}


@router.get("/sync_status/{name:segment}", **documented(DatasetSyncStatus))
def get_sync_status(registry: CurrentRegistry, model_id: str, version: str, name: str) -> Any:
    """Return the sync status of a dataset."""
    return registry.get_dataset_sync_status(model_id, version, name)  # type: ignore[arg-type]
