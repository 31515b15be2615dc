"""Verdicts of a monitor before and during an alert, also on windows that passed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.alerts import Alert
from aporia_provider.backend.monitors.measures import Measures
from aporia_provider.backend.monitors.monitor_plan import MonitorPlan, Planner, StoredMonitor
from aporia_provider.backend.monitors.monitored_model import MonitoredModel
from aporia_provider.backend.monitors.pending_windows import Limits
from aporia_provider.backend.monitors.targets import Targets
from aporia_provider.backend.monitors.window_judge import WindowJudge
from aporia_provider.backend.monitors.windows import WindowPlan
from aporia_provider.backend.store.database import Database
from aporia_provider.backend.store.tables import MonitorRow, utc_now
from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.monitor_configuration import parse_configuration
from aporia_provider.verdicts import WindowVerdict

WINDOWS: Final = 30
"""Number of windows before an alert."""
MAX_WINDOWS: Final = 90
"""Maximum number of windows, the latest ones."""
MAX_VERDICTS: Final = 5_000
"""Maximum number of verdicts that are computed: one for each window and field."""


def verdict_history(database: Database, environment: str, alert: Alert) -> list[WindowVerdict]:
    """
    Judge the windows of an alert, and those before it, as they would be judged now.

    Nothing is stored. The limits of a window may depend on all fields of the monitor, so all are judged.

    :param database: The database.
    :param environment: Environment of the model.
    :param alert: The alert.
    :return: The verdicts in chronological order.
    :raises aporia_provider.errors.NotFoundError: if the monitor was deleted.
    :raises aporia_provider.errors.ValidationError: if the configuration of the monitor is not valid, or
        there are more than :data:`MAX_VERDICTS` verdicts.
    """
    with database.read_transaction() as session:
        monitor = _monitor(session, environment, alert)
        planner, targets, measures = _planner(session, environment, alert, monitor)
        plan = planner.plan(monitor)
        if plan.problems:
            raise ValidationError("The monitor cannot be judged", problems=plan.problems)
        plan.versions = [
            replace(version, windows=version.windows[-MAX_WINDOWS:])
            for version in plan.versions
            if version.target.place == (alert.model_version or "", alert.segment or "")
        ]
        _check_size(plan)
        planner.prepare([plan])
        judge = WindowJudge(session, environment, targets, measures)
        windows = [verdict for version in judge.judged(plan) for _, verdict in version.windows]
    return sorted(windows, key=lambda verdict: verdict.start)


def _monitor(session: Session, environment: str, alert: Alert) -> StoredMonitor:
    query = select(MonitorRow).filter_by(environment=environment, id=alert.monitor_id)
    row = session.scalars(query).first()
    if row is None:
        raise NotFoundError(f"The monitor of alert {alert.id} was deleted")
    # Windows with a stored verdict would not be judged again.
    return replace(StoredMonitor.of(row), key=-1)


def _planner(
    session: Session, environment: str, alert: Alert, monitor: StoredMonitor
) -> tuple[Planner, Targets, Measures]:
    registration = monitor.registration
    windows = WindowPlan(parse_configuration(registration["type"], registration["configuration"]))
    start, end = (int(datetime.fromisoformat(moment).timestamp()) for moment in (alert.start, alert.end))
    now = int(utc_now().timestamp())
    limits = Limits(now, start - WINDOWS * windows.step, end)
    model = MonitoredModel(session, environment, alert.model_id)
    targets, measures = Targets(session, model, now, alert.model_version), Measures(model)
    return Planner(session, targets, measures, limits), targets, measures


def _check_size(plan: MonitorPlan) -> None:
    if plan.size > MAX_VERDICTS:
        raise ValidationError(
            f"{plan.size:,} verdicts would have to be computed; {MAX_VERDICTS:,} is the limit"
        )
