"""The calls of the protocol, implemented by the HTTP client and by the embedded backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NotRequired, Protocol, cast, get_args

# Pydantic refuses typing.TypedDict before Python 3.12.
from typing_extensions import TypedDict

from aporia_provider.alerts import Alert, AlertStatus
from aporia_provider.choices import validated_choice
from aporia_provider.datasets import ROLES, DatasetConnection, Role
from aporia_provider.errors import ConflictError, NotFoundError
from aporia_provider.models import Model, Monitor
from aporia_provider.nearest import nearest
from aporia_provider.retention import Retention
from aporia_provider.schema import VersionSchema
from aporia_provider.verdicts import LatestVerdict

if TYPE_CHECKING:
    from aporia_provider.custom_metrics import CustomMetric, RegisteredCustomMetric
    from aporia_provider.metric_results import RangeResults
    from aporia_provider.metrics import MetricsQuery
    from aporia_provider.monitor_changes import MonitorChange
    from aporia_provider.segment_reports import RegisteredSegment, SegmentCost, SegmentSuggestions
    from aporia_provider.segments import Segment

IfExists = Literal["match", "skip", "fail"]
IF_EXISTS: tuple[str, ...] = get_args(IfExists)
Status = Literal["created", "unchanged", "skipped"]

PRODUCT = "airflow-provider-aporia"
"""Product name in the responses of this project's server."""
ENVIRONMENT_PATH = "/v1/environment"
"""Path, not part of the protocol, at which this project's server returns the environment of a token."""
MONITORS_PATH = "/v1/monitors"
"""Path, not part of the protocol, at which this project's server lists and evaluates monitors."""


class Registered(TypedDict):
    """
    Result of a registration.

    ``status`` is ``created``, ``unchanged`` (an equal registration exists) or ``skipped`` (a different one
    exists and ``if_exists="skip"`` kept it).
    """

    id: str
    status: Status


class Version(TypedDict):
    """
    A registered version.

    A server that implements only the public documentation returns the first four keys; this project's server
    adds ``registration``, the body of the request that registered the version.
    """

    id: str
    name: str
    model_type: str
    created_at: str
    registration: NotRequired[dict[str, Any]]


class ModelUpdate(TypedDict):
    """
    Result of a change of a model.

    ``status`` is ``updated`` or ``unchanged``; ``notes`` says what the change does not do.
    """

    id: str
    status: Literal["updated", "unchanged"]
    notes: list[str]


class AporiaApi(Protocol):
    """
    The calls of the protocol, under the protocol's names.

    Registering is idempotent: registering the same again returns ``unchanged``; registering something
    different under the same name raises :class:`~aporia_provider.errors.ConflictError`. That is
    ``if_exists="match"``. ``skip`` keeps the existing registration, equal or not; ``fail`` raises even if it
    is equal.

    Every call raises :class:`~aporia_provider.errors.AporiaError`: ``NotFoundError`` for an unknown model,
    version or monitor, ``ValidationError`` for invalid input, and, if it calls a server,
    ``AuthenticationError`` and ``TransientError``.
    """

    @property
    def environment(self) -> str:
        """Environment that all calls read and write."""

    def create_model(self, model: Model, *, if_exists: IfExists = "match") -> Registered:
        """Register a model."""

    def update_model(self, model_id: str, *, retention: str | Retention | None) -> ModelUpdate:
        """
        Change the retention of a model. Not part of Aporia's protocol.

        The next sync of a dataset of the model drops what the retention no longer covers. States that were
        dropped earlier are not restored, which ``notes`` says.

        :param model_id: Id of the model.
        :param retention: See :class:`~aporia_provider.models.Model`; None keeps states for ever from now on.
        """

    def delete_model(self, model_id: str) -> None:
        """Delete a model with its versions and datasets."""

    def create_model_version(
        self, model_id: str, model_version: str, schema: VersionSchema, *, if_exists: IfExists = "match"
    ) -> Registered:
        """Register a version of a model with its schema."""

    def get_model_versions(self, model_id: str, name: str | None = None) -> list[Version]:
        """
        Return the versions of a model, oldest first.

        :param name: Name of the only version to return, if it exists. For a server that implements only the
            public documentation, the client filters the complete list.
        """

    def connect_dataset(
        self, model_id: str, model_version: str, dataset: DatasetConnection, *, if_exists: IfExists = "match"
    ) -> Registered:
        """Connect a dataset to a version."""

    def set_sync_enabled(self, model_id: str, model_version: str, enabled: bool) -> None:
        """Enable or disable the syncs of all datasets of a version."""

    def get_dataset_sync_status(self, model_id: str, model_version: str, role: Role) -> dict[str, Any]:
        """Return the status of the last sync of a dataset."""

    def query_metrics(self, query: MetricsQuery) -> list[RangeResults]:
        """
        Compute metrics; see :class:`~aporia_provider.metrics.MetricsQuery`.

        :return: One item for each time range, in chronological order.
        """

    def create_segment(self, model_id: str, segment: Segment, *, if_exists: IfExists = "match") -> Registered:
        """
        Register a segment of a model. Only this project's server has this call.

        Its conditions are checked against the fields of all versions; where their types differ, those of the
        latest version count. The next sync of each dataset computes the states of the segment.

        :param model_id: Id of the model, which has a version.
        :param segment: The segment.
        :param if_exists: What to do if the model has a segment of this name.
        """

    def list_segments(self, model_id: str) -> list[RegisteredSegment]:
        """
        Return the segments of a model, oldest first.

        Those of the filters of custom metrics are included. Only this project's server has this call.
        """

    def delete_segment(self, model_id: str, name: str) -> None:
        """
        Delete a segment of a model with its states. Only this project's server has this call.

        :param model_id: Id of the model.
        :param name: Name or id of the segment.
        """

    def suggest_segments(self, model_id: str, model_version: str) -> SegmentSuggestions:
        """
        Return segments for the most important fields of a version, from its stored states.

        They are not created. Only this project's server has this call. For what is suggested see
        :meth:`~aporia_provider.backend.registration.segment_suggestions.Suggestions.suggest_segments`.
        """

    def segment_cost(self, model_id: str, segment: Segment) -> SegmentCost:
        """
        Return what a segment would cost, estimated from what is stored; nothing is created.

        Only this project's server has this call.

        :param model_id: Id of the model, which has a version.
        :param segment: The segment. It may have the name of an existing one.
        """

    def create_custom_metric(
        self, model_id: str, custom_metric: CustomMetric, *, if_exists: IfExists = "match"
    ) -> Registered:
        """
        Register a custom metric of a model. Only this project's server has this call.

        Its code is checked against the fields of all versions, as the conditions of segments are. A segment
        is made for each of its filters.

        :param model_id: Id of the model, which has a version.
        :param custom_metric: The custom metric.
        :param if_exists: What to do if the model has a custom metric of this name.
        """

    def list_custom_metrics(self, model_id: str) -> list[RegisteredCustomMetric]:
        """Return the custom metrics of a model, oldest first. Only this project's server has this call."""

    def delete_custom_metric(self, model_id: str, name: str) -> None:
        """
        Delete a custom metric of a model, and the segments of its filters that no other one uses.

        Only this project's server has this call.

        :param model_id: Id of the model.
        :param name: Name or id of the custom metric.
        """

    def add_model_tags(self, model_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of a model and keep its other tags; see :class:`~aporia_provider.models.ModelTags`."""

    def get_model_tags(self, model_id: str) -> dict[str, str]:
        """Return the tags of a model."""

    def delete_model_tag(self, model_id: str, key: str) -> None:
        """Remove a tag of a model. Do nothing if the model does not have it."""

    def set_feature_importance(
        self, model_id: str, model_version: str, feature_importance: Mapping[str, float]
    ) -> None:
        """Set the feature importances of a version."""

    def create_monitor(self, monitor: Monitor) -> Registered:
        """Create a monitor. Its id in the result identifies it in :meth:`delete_monitor`."""

    def delete_monitor(self, monitor_id: str) -> None:
        """Delete a monitor."""

    def apply_monitors(
        self,
        model_id: str,
        monitors: Sequence[Monitor],
        *,
        delete_others: bool = False,
        delete_prefix: str | None = None,
        dry_run: bool = False,
    ) -> list[MonitorChange]:
        """
        Make the monitors of a model what is given, or return what that would change.

        Only this project's server has this call. For the parameters and the result see
        :meth:`~aporia_provider.backend.registration.monitors.Monitors.apply_monitors`.
        """

    def get_alerts(
        self, model_id: str | None = None, *, status: AlertStatus | None = None, limit: int = 100
    ) -> list[Alert]:
        """Return alerts: open ones first, then by severity and time. Not part of the protocol."""

    def acknowledge_alert(self, alert_id: str, by: str | None = None) -> Alert:
        """Mark an alert as seen by somebody. Not part of the protocol."""

    def snooze_alert(self, alert_id: str, until: datetime | str) -> Alert:
        """Send no notifications of an alert until a time. Not part of the protocol."""

    def get_monitors(self, model_id: str | None = None) -> list[dict[str, Any]]:
        """
        Return the monitors of a model, or of all models, in the order of their creation.

        Only this project's server has this call.
        """

    def evaluate_monitors(
        self,
        model_id: str,
        model_version: str | None = None,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> dict[str, Any]:
        """
        Judge the windows of a model's monitors whose data is complete and has changed since.

        Only this project's server has this call. For the parameters and the result see
        :meth:`~aporia_provider.backend.monitors.evaluation_calls.MonitorEvaluations.evaluate_monitors`.
        """

    def get_verdicts(
        self, model_id: str, model_version: str, *, end: datetime | None = None
    ) -> list[LatestVerdict]:
        """
        Return the latest verdict of each active monitor on a version, and on the union of all versions.

        Only this project's server has this call. For the parameters see
        :meth:`~aporia_provider.backend.monitors.latest_verdicts.LatestVerdicts.get_verdicts`.
        """


def registered_schema(api: AporiaApi, model_id: str, model_version: str) -> VersionSchema | None:
    """
    Return the schema a version was registered with, or None if the server does not return it.

    :raises aporia_provider.errors.NotFoundError: if there is no such model or version.
    """
    versions = api.get_model_versions(model_id, model_version)
    if not versions:
        names = [version["name"] for version in api.get_model_versions(model_id)]
        hint = nearest(model_version, names)
        raise NotFoundError(f"Model {model_id!r} has no version {model_version!r}; {hint}")
    registration = versions[0].get("registration")
    return VersionSchema.from_wire(registration) if registration else None


def connected_datasets(api: AporiaApi, model_id: str, model_version: str) -> list[DatasetConnection]:
    """
    Return the datasets that are connected to a version.

    The embedded backend lists them; for a server the list is empty.

    :return: The datasets, with secrets replaced by ``***``.
    :raises aporia_provider.errors.NotFoundError: if there is no such model or version.
    """
    get_datasets = getattr(api, "get_datasets", None)
    return [] if get_datasets is None else list(get_datasets(model_id, model_version))


def latest_version(api: AporiaApi, model_id: str) -> str:
    """
    Return the name of the version of a model that was registered last.

    :raises aporia_provider.errors.NotFoundError: if there is no such model, or it has no version.
    """
    versions = api.get_model_versions(model_id)
    if not versions:
        raise NotFoundError(f"Model {model_id!r} has no version: register one first")
    return versions[-1]["name"]


def connected_roles(api: AporiaApi, model_id: str, model_version: str) -> list[Role]:
    """
    Return the roles of the datasets that are connected to a version.

    :raises aporia_provider.errors.NotFoundError: if there is no such model or version.
    """
    registered_schema(api, model_id, model_version)
    return [role for role in ROLES if _is_connected(api, model_id, model_version, role)]


def check_connected(api: AporiaApi, model_id: str, model_version: str, roles: Sequence[str]) -> None:
    """
    Check that a version is registered and that datasets are connected to it.

    :param api: The API. The status of each dataset is requested, since a server does not list datasets.
    :param model_id: The model.
    :param model_version: The version.
    :param roles: Roles of the datasets.
    :raises aporia_provider.errors.NotFoundError: if there is no such model or version, or naming all datasets
        that are not connected.
    """
    registered_schema(api, model_id, model_version)
    missing = [role for role in roles if not _is_connected(api, model_id, model_version, cast("Role", role))]
    if missing:
        raise NotFoundError(
            f"Version {model_version!r} of model {model_id!r} has no {' and no '.join(missing)} dataset"
        )


def _is_connected(api: AporiaApi, model_id: str, model_version: str, role: Role) -> bool:
    try:
        api.get_dataset_sync_status(model_id, model_version, role)
    except NotFoundError:
        return False
    return True


def differences(registered: Mapping[str, Any], given: Mapping[str, Any], path: str = "") -> list[str]:
    """Return one line for each difference between two JSON objects, with its dotted path."""
    lines: list[str] = []
    for key in dict.fromkeys([*registered, *given]):
        place = f"{path}{key}"
        before, after = registered.get(key), given.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            lines += differences(before, after, f"{place}.")
        elif before != after:
            lines.append(f"{place}: {_shown(before)} is registered, {_shown(after)} was given")
    return lines


def existing_registration(
    subject: str, registered_id: str, changes: Sequence[str] | None, if_exists: IfExists
) -> Registered:
    """
    Return the result of registering something that is registered already.

    :param subject: Its name in error messages, such as ``"version v1 of model m"``.
    :param registered_id: Id of the existing registration.
    :param changes: Differences between the existing and the given registration; None or empty if they are
        equal.
    :param if_exists: What to do with an existing registration; see :class:`AporiaApi`.
    :raises aporia_provider.errors.ConflictError: if it differs (``match``), or always (``fail``).
    """
    if if_exists == "fail":
        raise ConflictError(f"{subject} exists already", differences=changes or (), status=409)
    if not changes:
        return {"id": registered_id, "status": "unchanged"}
    if if_exists == "skip":
        return {"id": registered_id, "status": "skipped"}
    raise ConflictError(f"{subject} is registered with something different", differences=changes, status=409)


def check_if_exists(if_exists: str) -> None:
    """
    Raise an error unless a string is a value of ``if_exists``.

    :raises aporia_provider.errors.ValidationError: naming the nearest choice.
    """
    validated_choice("if_exists", if_exists, IF_EXISTS)


def _shown(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
