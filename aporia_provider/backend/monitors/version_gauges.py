"""Registry method that summarises the versions of an environment for a monitoring system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from aporia_provider.backend.metrics.model_states import ModelStates
from aporia_provider.backend.metrics.query_execution import execute_query
from aporia_provider.backend.monitors.data_times import data_time
from aporia_provider.backend.registration.scope import RegistryBase
from aporia_provider.backend.store.monitor_tables import AlertRow
from aporia_provider.backend.store.sync_tables import FIELDS, SyncRow
from aporia_provider.backend.store.tables import DatasetRow, ModelRow, MonitorRow, VersionRow, utc_now
from aporia_provider.datasets import SERVING
from aporia_provider.metrics import MetricsQuery

MAX_VERSIONS = 200
"""Maximum number of versions that are summarised: those that were registered last."""


@dataclass(frozen=True)
class VersionGauges:
    """
    Numbers of a version. All are None if the serving dataset was never synced.

    :param model_id: Id of the model.
    :param model_version: Name of the version.
    :param day: Start of the latest complete day of the serving data.
    :param rows: Number of serving rows of the day.
    :param label_coverage: Share of the predictions of the day that have a label.
    :param sync_lag: Number of versions of the serving table that are not synced.
    :param sync_age: Seconds since the last sync.
    """

    model_id: str
    model_version: str
    day: datetime | None = None
    rows: float | None = None
    label_coverage: float | None = None
    sync_lag: float | None = None
    sync_age: float | None = None


@dataclass(frozen=True)
class EnvironmentGauges:
    """
    Numbers of an environment.

    :param versions: Numbers of its versions, at most :data:`MAX_VERSIONS`.
    :param versions_left_out: Number of further versions.
    :param open_alerts: Model, severity and number of open alerts.
    """

    versions: Sequence[VersionGauges]
    versions_left_out: int
    open_alerts: Sequence[tuple[str, str, int]]


class Gauges(RegistryBase):
    """Registry method that summarises the versions of an environment."""

    def get_gauges(self) -> EnvironmentGauges:
        """Return numbers of the latest versions, and of open alerts."""
        with self.database.read_transaction() as session:
            query = (
                select(VersionRow, ModelRow.id)
                .join(ModelRow, VersionRow.model_key == ModelRow.key)
                .where(ModelRow.environment == self.environment)
            )
            total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
            latest = session.execute(query.order_by(VersionRow.key.desc()).limit(MAX_VERSIONS))
            versions = [self._gauges(session, model_id, version) for version, model_id in latest]
            return EnvironmentGauges(versions, total - len(versions), self._open_alerts(session))

    def _gauges(self, session: Session, model_id: str, version: VersionRow) -> VersionGauges:
        query = (
            select(SyncRow)
            .join(DatasetRow, SyncRow.dataset_key == DatasetRow.key)
            .where(DatasetRow.version_key == version.key, DatasetRow.role == SERVING, SyncRow.part == FIELDS)
        )
        sync, complete = session.scalars(query).first(), data_time(session, version.key)
        if sync is None or complete is None or sync.synced_at is None:
            return VersionGauges(model_id, version.name)
        end = datetime.fromtimestamp(complete, UTC).replace(hour=0, minute=0, second=0)
        rows, coverage = self._of_day(session, model_id, version.name, end - timedelta(days=1), end)
        synced = ((sync.position or {}).get(SERVING) or {}).get("version")
        latest = sync.latest_version
        return VersionGauges(
            model_id,
            version.name,
            end - timedelta(days=1),
            rows,
            coverage,
            None if latest is None or synced is None else max(0, latest - synced),
            max(0.0, (utc_now() - sync.synced_at).total_seconds()),
        )

    def _of_day(
        self, session: Session, model_id: str, version: str, start: datetime, end: datetime
    ) -> list[float | None]:
        within = {"start": start, "end": end}
        data = {"dataset_type": SERVING, "model_version": version, "time_range": within}
        metrics = [
            {"id": name, "metric": name, "datasets": {"data": data}} for name in ("count", "label_coverage")
        ]
        query = MetricsQuery.from_wire({"model_id": model_id, "metrics": metrics})
        (results,) = execute_query(ModelStates(session, self.environment, model_id), query)
        return [result.value for result in results.metrics]

    def _open_alerts(self, session: Session) -> list[tuple[str, str, int]]:
        query = (
            select(MonitorRow.subject, AlertRow.severity, func.count())
            .join(MonitorRow, AlertRow.monitor_key == MonitorRow.key)
            .where(MonitorRow.environment == self.environment, AlertRow.status == "open")
            .group_by(MonitorRow.subject, AlertRow.severity)
            .order_by(MonitorRow.subject, AlertRow.severity)
            .limit(MAX_VERSIONS * 3)
        )
        return [(model, severity, count) for model, severity, count in session.execute(query)]
