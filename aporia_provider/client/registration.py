"""Results of registrations: created, existing or in conflict."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, cast

from aporia_provider.client.messages import Call, Reply, Request
from aporia_provider.errors import ValidationError
from aporia_provider.registrations import IfExists, Registered, Version, differences, existing_registration

log = logging.getLogger(__name__)


def field_schemas_supported(subject: str, body: Mapping[str, Any]) -> Call[None]:
    fields = body["version_schema"]
    objects = [
        name
        for category in ("features", "predictions", "raw_inputs")
        for name, kind in (fields[category] or {}).items()
        if not isinstance(kind, str)
    ]
    # The official SDK requests the capabilities before it creates any version, but they matter only if a
    # field type is an object instead of a string. All other versions need no second request that can fail.
    if not objects:
        return
    reply = yield Request(f"Getting the capabilities for {subject}", "GET", "/v1beta/capabilities/")
    if reply.status in (401, 403) or reply.status >= 500:
        raise reply.failure()
    answer = reply.body if reply.ok and isinstance(reply.body, Mapping) else {}
    if answer.get("is_field_schema_supported") is not True:
        raise ValidationError(
            f"{subject} cannot be created: this server does not support tensors",
            problems=[f"{name}: is a tensor" for name in objects],
        )


def registered(reply: Reply, subject: str, given_id: str, if_exists: IfExists) -> Registered:
    body = reply.mapping()
    registered_id = str(body.get("id") or given_id)
    if body.get("status") == "unchanged":
        return settled(reply, subject, registered_id, [], if_exists)
    return {"id": registered_id, "status": "created"}


def settled(
    reply: Reply, subject: str, registered_id: str, differences: Sequence[str], if_exists: IfExists
) -> Registered:
    if reply.ambiguous and not differences:
        log.warning("%s exists. An earlier attempt, whose reply was lost, has probably created it.", subject)
        return existing_registration(subject, registered_id, differences, "match")
    return existing_registration(subject, registered_id, differences, if_exists)


def compared(there: Version, body: Mapping[str, Any], subject: str) -> list[str]:
    if "registration" in there:
        return differences(there["registration"], body)
    log.warning("%s exists. The server returns only its model type, so its schema was not compared.", subject)
    shown = {"model_type": there["model_type"]} if there["model_type"] else {}
    return differences(shown, {key: body[key] for key in shown})


def version_in(item: Mapping[str, Any]) -> Version:
    keys = ("id", "name", "model_type", "created_at")
    version: dict[str, Any] = {key: str(item.get(key) or "") for key in keys}
    if isinstance(item.get("registration"), Mapping):
        version["registration"] = dict(item["registration"])
    return cast("Version", version)
