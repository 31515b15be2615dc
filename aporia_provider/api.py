"""The calls of the protocol, implemented by the HTTP client and by the embedded backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from aporia_provider.segment_api import SegmentApi

if TYPE_CHECKING:
    from aporia_provider.alerts import Alert, AlertStatus
    from aporia_provider.datasets import DatasetConnection, Role
    from aporia_provider.metric_results import RangeResults
    from aporia_provider.metrics import MetricsQuery
    from aporia_provider.models import Model, Monitor
    from aporia_provider.monitor_changes import MonitorChange
    from aporia_provider.registrations import IfExists, ModelUpdate, Registered, Version
    from aporia_provider.retention import Retention
    from aporia_provider.schema import VersionSchema
    from aporia_provider.verdicts import LatestVerdict

PRODUCT = "airflow-provider-aporia"
"""Product name in the responses of this project's server."""
ENVIRONMENT_PATH = "/v1/environment"
"""Path, not part of the protocol, at which this project's server returns the environment of a token."""
MONITORS_PATH = "/v1/monitors"
"""Path, not part of the protocol, at which this project's server lists and evaluates monitors."""


class AporiaApi(SegmentApi, Protocol):
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
        dropped earlier are not restored; ``notes`` reports this.

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
