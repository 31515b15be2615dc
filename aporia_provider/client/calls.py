"""The calls of the protocol as generators of requests, shared by both clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aporia_provider.choices import parse_boolean
from aporia_provider.client.environment import Environment
from aporia_provider.client.error_redaction import secrets_between
from aporia_provider.client.error_responses import explanation, lines
from aporia_provider.client.messages import Call, Request, segment
from aporia_provider.client.monitor_calls import MonitorCalls, deletion
from aporia_provider.client.registration import (
    compared,
    field_schemas_supported,
    registered,
    settled,
    version_in,
)
from aporia_provider.client.segment_calls import SegmentCalls
from aporia_provider.datasets import DatasetConnection, Role
from aporia_provider.errors import AporiaError, ValidationError
from aporia_provider.metric_results import RangeResults, parse_results
from aporia_provider.metrics import MetricsQuery
from aporia_provider.models import Model, ModelTags, finite_numbers
from aporia_provider.registrations import IfExists, ModelUpdate, Registered, Version, check_if_exists
from aporia_provider.retention import Retention, retention_text
from aporia_provider.schema import VersionSchema

DATASET_TIMEOUT = 600.0
"""Timeout of connecting a dataset in seconds. The server reads the data before it replies."""
_MAX_PROBLEMS = 3


class Calls(MonitorCalls, SegmentCalls):
    """
    The calls without I/O, which a transport performs.

    Parameters, results and errors: see :class:`~aporia_provider.api.AporiaApi`.

    :param environment: Environment in which datasets are connected.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def resolve_environment(self) -> Call[str]:
        """
        Return the environment that all calls read and write.

        Every call does so before its first request. It is requested from this project's server once.

        :raises aporia_provider.errors.AuthenticationError: if the token belongs to another environment than
            the named one.
        """
        return (yield from self._environment.resolved())

    def identify_server(self) -> Call[str]:
        """
        Return a short description of the server and of the environment.

        :raises aporia_provider.errors.AporiaError: if the server does not implement the protocol, or rejects
            the token.
        """
        return (yield from self._environment.identified())

    def create_model(self, model: Model, *, if_exists: IfExists = "match") -> Call[Registered]:
        """
        Register a model.

        If the server replies 409 without differences, the model counts as unchanged, as in the protocol.

        :raises aporia_provider.errors.ConflictError: if the server lists differences to the registered model.
        """
        check_if_exists(if_exists)
        Model.check_type(model)
        subject = f"Model {model.id!r}"
        reply = yield Request(f"Creating model {model.id!r}", "POST", "/v1beta/models", model.to_wire())
        if reply.status == 409:
            return settled(reply, subject, model.id, lines(reply.body, "differences"), if_exists)
        return registered(reply, subject, model.id, if_exists)

    def update_model(self, model_id: str, *, retention: str | Retention | None) -> Call[ModelUpdate]:
        """Change the retention of a model. Only this project's server can do so."""
        body = {"retention": retention_text(retention)}
        reply = yield Request(f"Changing model {model_id!r}", "PUT", _model(model_id), body)
        answer = reply.mapping()
        return {
            "id": str(answer.get("id", model_id)),
            "status": "unchanged" if answer.get("status") == "unchanged" else "updated",
            "notes": [str(note) for note in answer.get("notes") or ()],
        }

    def delete_model(self, model_id: str) -> Call[None]:
        """Delete a model with its versions and datasets."""
        yield from deletion(f"Deleting model {model_id!r}", _model(model_id))

    def create_model_version(
        self, model_id: str, model_version: str, schema: VersionSchema, *, if_exists: IfExists = "match"
    ) -> Call[Registered]:
        """
        Register a version of a model with its schema.

        If the name already exists, the given version is compared with the registered one as far as the server
        returns it.

        :raises aporia_provider.errors.ConflictError: if they differ.
        """
        check_if_exists(if_exists)
        VersionSchema.check_type(schema)
        subject = f"Version {model_version!r} of model {model_id!r}"
        path = f"{_model(model_id)}/versions"
        body = schema.to_wire(_named(model_version))
        yield from field_schemas_supported(subject, body)
        reply = yield Request(f"Creating version {model_version!r} of model {model_id!r}", "POST", path, body)
        if reply.status != 409:
            return registered(reply, subject, model_version, if_exists)
        differences = lines(reply.body, "differences")
        if differences:
            return settled(reply, subject, model_version, differences, if_exists)
        there = yield from self.get_model_versions(model_id, model_version)
        if not there:
            raise reply.failure()
        return settled(reply, subject, there[0]["id"], compared(there[0], body, subject), if_exists)

    def get_model_versions(self, model_id: str, name: str | None = None) -> Call[list[Version]]:
        """Return the versions of a model, oldest first, or only the version with the given name."""
        query = "" if name is None else f"?name={segment(name, 'version')}"
        path = f"{_model(model_id)}/versions{query}"
        reply = yield Request(f"Listing the versions of model {model_id!r}", "GET", path)
        body = reply.accepted()
        items = body.get("versions") if isinstance(body, Mapping) else body
        if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
            raise AporiaError(reply.error_message("the reply is not a list of versions"), status=reply.status)
        versions = [version_in(item) for item in items]
        # A server that does not support the query parameter returns all versions.
        return [version for version in versions if name in (None, version["name"])]

    def connect_dataset(
        self, model_id: str, model_version: str, dataset: DatasetConnection, *, if_exists: IfExists = "match"
    ) -> Call[Registered]:
        """
        Connect a dataset to a version.

        :raises aporia_provider.errors.ConflictError: if another dataset is connected in this role, or if the
            server does not state whether it differs.
        """
        check_if_exists(if_exists)
        DatasetConnection.check_type(dataset)
        source = dataset.data_source
        subject = f"Dataset {dataset.role} of version {model_version!r} of model {model_id!r}"
        reply = yield Request(
            f"Connecting dataset {dataset.role} of version {model_version!r} of model {model_id!r}",
            "POST",
            f"{_model_version(model_id, model_version)}/datasets",
            dataset.to_wire(self._environment.assumed),
            timeout=DATASET_TIMEOUT,
            secrets=tuple(secrets_between(source.to_wire(), source.serialize())),
        )
        if reply.status != 409:
            return registered(reply, subject, dataset.role, if_exists)
        differences = lines(reply.body, "differences")
        if not differences and not reply.ambiguous:
            reason = explanation(reply.status, reply.body)
            differences = [f"the server does not return the connected dataset, and reports: {reason}"]
        return settled(reply, subject, dataset.role, differences, if_exists)

    def set_sync_enabled(self, model_id: str, model_version: str, enabled: bool) -> Call[None]:
        """Enable or disable the syncs of all datasets of a version."""
        # In the protocol, the flag is written as in Python: True, False.
        is_enabled = parse_boolean("enabled", enabled)
        path = f"{_model_version(model_id, model_version)}/datasets_sync?enabled={is_enabled}"
        description = f"Setting the syncs of version {model_version!r} of model {model_id!r}"
        (yield Request(description, "POST", path, {})).accepted()

    def get_dataset_sync_status(self, model_id: str, model_version: str, role: Role) -> Call[dict[str, Any]]:
        """Return the status of the last sync of a dataset."""
        path = f"{_model_version(model_id, model_version)}/sync_status/{segment(role, 'role')}"
        description = (
            f"Getting the sync status of dataset {role} of version {model_version!r} of model {model_id!r}"
        )
        return dict((yield Request(description, "GET", path)).mapping())

    def query_metrics(self, query: MetricsQuery) -> Call[list[RangeResults]]:
        """Compute metrics."""
        MetricsQuery.check_type(query)
        description = f"Querying metrics of model {query.model_id!r}"
        reply = yield Request(description, "POST", "/v1beta/metrics/query", query.to_wire())
        body = reply.accepted()
        try:
            return parse_results(body)
        except ValidationError as error:
            problems = "; ".join(error.problems[:_MAX_PROBLEMS])
            message = reply.error_message(f"the reply is not a list of metric results ({problems})")
            raise AporiaError(message, status=reply.status) from None

    def add_model_tags(self, model_id: str, tags: Mapping[str, str]) -> Call[None]:
        """Set tags of a model and keep its other tags."""
        body = ModelTags(tags=dict(tags)).model_dump()
        description = f"Adding tags to model {model_id!r}"
        (yield Request(description, "POST", f"{_model(model_id)}/tags", body)).accepted()

    def get_model_tags(self, model_id: str) -> Call[dict[str, str]]:
        """Return the tags of a model."""
        reply = yield Request(f"Getting the tags of model {model_id!r}", "GET", f"{_model(model_id)}/tags")
        body = reply.mapping()
        # The mapping itself may contain a tag of that name, whose value is text.
        wrapped = "tags" in body and (body["tags"] is None or isinstance(body["tags"], Mapping))
        tags = (body["tags"] or {}) if wrapped else body
        return {str(key): str(value) for key, value in tags.items()}

    def delete_model_tag(self, model_id: str, key: str) -> Call[None]:
        """Remove a tag of a model. Do nothing if the model does not have it."""
        path = f"{_model(model_id)}/tags/{segment(key, 'tag')}"
        (yield Request(f"Deleting tag {key!r} of model {model_id!r}", "DELETE", path)).accepted()

    def set_feature_importance(
        self, model_id: str, model_version: str, feature_importance: Mapping[str, float]
    ) -> Call[None]:
        """Set the feature importances of a version."""
        path = f"{_model_version(model_id, model_version)}/feature_importance"
        description = f"Setting the feature importance of version {model_version!r} of model {model_id!r}"
        numbers, problems = finite_numbers(feature_importance)
        if problems:
            raise ValidationError("The feature importance is not valid", problems=problems)
        body = {"feature_importance": numbers}
        (yield Request(description, "POST", path, body)).accepted()


def _model(model_id: str) -> str:
    return f"/v1beta/models/{segment(model_id, 'model id')}"


def _model_version(model_id: str, model_version: str) -> str:
    return f"{_model(model_id)}/versions/{segment(model_version, 'model version')}"


def _named(model_version: str) -> str:
    segment(model_version, "model version")
    return model_version
