"""Evaluation of the monitors of a model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.deadlines import check_deadline
from aporia_provider.backend.monitors.alert_recording import record_verdicts
from aporia_provider.backend.monitors.current_verdicts import CurrentVerdicts
from aporia_provider.backend.monitors.measures import Measures
from aporia_provider.backend.monitors.monitor_plan import (
    MonitorPlan,
    Planner,
    StoredMonitor,
)
from aporia_provider.backend.monitors.monitored_model import MonitoredModel
from aporia_provider.backend.monitors.pending_windows import Limits, digest
from aporia_provider.backend.monitors.targets import Targets
from aporia_provider.backend.monitors.window_judge import JudgedVersion, WindowJudge
from aporia_provider.backend.store.database import Database
from aporia_provider.backend.store.monitor_tables import AlertRow
from aporia_provider.backend.store.tables import MonitorRow
from aporia_provider.verdicts import OUTCOMES, WindowVerdict

_MOST_VERDICTS = 50_000
"""Number of verdicts that are held in memory."""
_RECORDED_AT_ONCE = 20
"""Number of monitors whose verdicts are recorded in one transaction."""


@dataclass
class MonitorReport:
    """
    What an evaluation did for one monitor.

    :param plan: Its plan.
    :param judged: The verdicts; only those that were recorded, once they are.
    :param opened: Ids of the alerts that were opened.
    :param resolved: Ids of the alerts that were resolved.
    """

    plan: MonitorPlan
    judged: list[JudgedVersion] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    resolved: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        windows = [verdict for version in self.judged for _, verdict in version.windows]
        counts = dict.fromkeys(OUTCOMES, 0)
        for window in windows:
            for verdict in window.verdicts:
                counts[verdict.outcome] += 1
        registration, older = (
            self.plan.monitor.registration,
            sum(each.left_out for each in self.plan.versions),
        )
        notes = [f"{older} older windows were not judged: give start and end"] if older else []
        return {
            "id": self.plan.monitor.id,
            "name": registration["name"],
            "type": registration["type"],
            "windows": len(windows),
            "verdicts": counts,
            "opened": self.opened,
            "resolved": self.resolved,
            "left_out": older,
            "problems": self.plan.problems,
            "notes": [*_insufficient(windows), *notes],
        }


def _insufficient(windows: Sequence[WindowVerdict]) -> list[str]:
    """Return why verdicts are insufficient, at most five different reasons."""
    reasons = [
        f"{f'{window.segment}: ' if window.segment else ''}{verdict.field or 'rows'}: {verdict.reason}"
        for window in windows
        for verdict in window.verdicts
        if verdict.outcome == "insufficient"
    ]
    return list(dict.fromkeys(reasons))[:5]


class Evaluation:
    """
    Evaluation of the monitors of a model.

    Verdicts are computed in read transactions. Those of a monitor are recorded in one write transaction, with
    those of some others, which locks the monitors first; what another evaluation has recorded, or was
    computed from states that have been replaced since, is left out.

    :param database: The database.
    :param environment: Environment of the model.
    :param model_id: Id of the model.
    :param only: Name of the only version to judge, apart from the union of all; None for all.
    :param limits: Limits of the evaluation.
    :param now: The current time.
    """

    def __init__(
        self,
        database: Database,
        environment: str,
        model_id: str,
        only: str | None,
        limits: Limits,
        now: datetime,
    ) -> None:
        self._database, self._environment, self._model_id = database, environment, model_id
        self._only, self._limits, self._now = only, limits, now

    def run(self, monitors: Sequence[StoredMonitor]) -> list[MonitorReport]:
        """Evaluate monitors."""
        waiting, reports = list(monitors), []
        while waiting:
            check_deadline()
            with self._database.read_transaction() as session:
                done = self._judge_some(session, waiting)
            waiting = waiting[len(done) :]
            self._record(done)
            reports += done
        return reports

    def _judge_some(self, session: Session, waiting: Sequence[StoredMonitor]) -> list[MonitorReport]:
        """Judge as many of the monitors as fit into memory, at least one."""
        model = MonitoredModel(session, self._environment, self._model_id)
        targets, measures = Targets(session, model, self._limits.now, self._only), Measures(model)
        planner = Planner(session, targets, measures, self._limits)
        plans: list[MonitorPlan] = []
        for monitor in waiting:
            plan = planner.plan(monitor)
            if plans and sum(each.size for each in plans) + plan.size > _MOST_VERDICTS:
                break
            plans.append(plan)
        planner.prepare(plans)
        judge = WindowJudge(session, self._environment, targets, measures)
        return [MonitorReport(plan, [*judge.judged(plan)]) for plan in plans]

    def _record(self, reports: Sequence[MonitorReport]) -> None:
        """Record the verdicts of monitors, of some monitors in each transaction."""
        judged = [report for report in reports if any(version.windows for version in report.judged)]
        for start in range(0, len(judged), _RECORDED_AT_ONCE):
            with self._database.write_transaction() as session:
                self._record_some(session, judged[start : start + _RECORDED_AT_ONCE])

    def _record_some(self, session: Session, reports: Sequence[MonitorReport]) -> None:
        rows = _locked(session, [report.plan.monitor for report in reports])
        for report in reports:
            if report.plan.monitor.key not in rows:
                report.judged = []
        every = {report.plan.monitor.key: report.judged for report in reports}
        current = CurrentVerdicts(session, every)
        for key, versions in every.items():
            for version in versions:
                version.windows = current.of(key, version)
        windows = {rows[key]: _verdicts(versions) for key, versions in every.items() if _verdicts(versions)}
        changed = record_verdicts(session, windows, self._now, _version_keys(every.values()))
        for report in reports:
            self._report_alerts(report, changed.get(report.plan.monitor.key, []))

    def _report_alerts(self, report: MonitorReport, changed: Sequence[AlertRow]) -> None:
        report.opened = [alert.id for alert in changed if alert.opened_at == self._now]
        report.resolved = [
            alert.id for alert in changed if alert.status == "resolved" and alert.resolved_at == self._now
        ]


def _locked(session: Session, monitors: Sequence[StoredMonitor]) -> dict[int, MonitorRow]:
    """Lock the rows of monitors, and return those whose configuration has not been changed."""
    judged = {monitor.key: monitor for monitor in monitors}
    # All transactions lock them in one order, so that none waits for another that waits for it.
    query = select(MonitorRow).where(MonitorRow.key.in_(judged)).order_by(MonitorRow.key)
    rows = session.scalars(query.with_for_update())
    return {row.key: row for row in rows if digest(row.registration) == digest(judged[row.key].registration)}


def _verdicts(versions: Sequence[JudgedVersion]) -> list[WindowVerdict]:
    return [verdict for version in versions for _, verdict in version.windows]


def _version_keys(judged: Iterable[Sequence[JudgedVersion]]) -> dict[str, int]:
    """Return the keys of the versions by name."""
    return {
        verdict.model_version: version.version_key
        for versions in judged
        for version in versions
        for _, verdict in version.windows
        if verdict.model_version is not None and version.version_key is not None
    }
