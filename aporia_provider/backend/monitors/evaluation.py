"""Evaluation of the monitors of a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.deadlines import check_deadline
from aporia_provider.backend.monitors.alert_recording import record_verdicts
from aporia_provider.backend.monitors.descriptions import Failure, describe
from aporia_provider.backend.monitors.judging.case import Case
from aporia_provider.backend.monitors.judging.rules import judge
from aporia_provider.backend.monitors.measures import Measures, Question
from aporia_provider.backend.monitors.monitor_plan import (
    MonitorPlan,
    PlannedVersion,
    Planner,
    StoredMonitor,
)
from aporia_provider.backend.monitors.pending_windows import Inputs, Limits, digest
from aporia_provider.backend.monitors.targets import Targets
from aporia_provider.backend.monitors.version_states import MonitoredModel
from aporia_provider.backend.monitors.windows import Window
from aporia_provider.backend.store.bucket_changes import BucketChanges
from aporia_provider.backend.store.database import Database
from aporia_provider.backend.store.monitor_tables import AlertRow, AlertWindowRow, VerdictRow
from aporia_provider.backend.store.tables import MonitorRow
from aporia_provider.verdicts import OUTCOMES, WindowVerdict

_LEAVE_OUT = ("APORIA_DRIFT_SCORE", "TIME_SERIES_ANOMALY")
_MOST_VERDICTS = 50_000
"""Number of verdicts that are held in memory."""


@dataclass
class JudgedVersion:
    """
    The verdicts on a version.

    :param version_key: Key of the version; None for the union.
    :param dataset_keys: Keys of the datasets.
    :param part: Part of the states.
    :param windows: The windows with their verdicts.
    """

    version_key: int | None
    dataset_keys: tuple[int, ...]
    part: str
    windows: list[tuple[Window, WindowVerdict]]


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
        f"{verdict.field or 'rows'}: {verdict.reason}"
        for window in windows
        for verdict in window.verdicts
        if verdict.outcome == "insufficient"
    ]
    return list(dict.fromkeys(reasons))[:5]


class Evaluation:
    """
    Evaluation of the monitors of a model.

    Verdicts are computed in read transactions. Those of a monitor are recorded in one write transaction,
    which locks the monitor first; what another evaluation has recorded, or was computed from states that have
    been replaced since, is left out.

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
            for report in done:
                self._record(report)
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
        judge = _Judge(session, self._environment, targets, measures)
        return [MonitorReport(plan, [*judge.judged(plan)]) for plan in plans]

    def _record(self, report: MonitorReport) -> None:
        if not any(version.windows for version in report.judged):
            return
        monitor = report.plan.monitor
        with self._database.write_transaction() as session:
            locked = select(MonitorRow).where(MonitorRow.key == monitor.key).with_for_update()
            row = session.scalar(locked)
            if row is None or digest(row.registration) != digest(monitor.registration):
                report.judged = []
                return
            for version in report.judged:
                version.windows = _still_valid(session, row, version)
            changed = self._alerts(session, row, report.judged)
            report.opened = [alert.id for alert in changed if alert.opened_at == self._now]
            report.resolved = [
                alert.id for alert in changed if alert.status == "resolved" and alert.resolved_at == self._now
            ]

    def _alerts(self, session: Session, row: MonitorRow, judged: Sequence[JudgedVersion]) -> list[AlertRow]:
        keys = {
            verdict.model_version: version.version_key
            for version in judged
            for _, verdict in version.windows
            if verdict.model_version is not None and version.version_key is not None
        }
        windows = [verdict for version in judged for _, verdict in version.windows]
        return record_verdicts(session, row, windows, self._now, keys) if windows else []


def _still_valid(
    session: Session, row: MonitorRow, version: JudgedVersion
) -> list[tuple[Window, WindowVerdict]]:
    """
    Return the verdicts whose inputs are still the current ones, and that have not been recorded.

    If a sync has replaced states since, the evaluation after that sync judges the window.
    """
    if not version.windows:
        return []
    first = version.windows[0]
    constant = first[1].inputs.partition(":")[2]
    start = first[0].start
    changes = [BucketChanges(session, key, version.part, start) for key in version.dataset_keys]
    inputs = Inputs(changes, constant)
    name = first[1].model_version or ""
    query = select(VerdictRow.start, VerdictRow.inputs).filter_by(
        monitor_key=row.key, version=name, segment=""
    )
    rows = session.execute(query.where(VerdictRow.start >= first[0].start))
    stored = dict(iter(rows))
    return [
        (window, verdict)
        for window, verdict in version.windows
        if stored.get(window.start) != verdict.inputs and inputs.of(window) == verdict.inputs
    ]


class _Judge:
    """
    Computes verdicts.

    :param session: A session with a read transaction.
    :param environment: Environment of the model.
    :param targets: The versions.
    :param measures: Metrics of the model.
    """

    def __init__(self, session: Session, environment: str, targets: Targets, measures: Measures) -> None:
        self._session, self._environment = session, environment
        self._targets, self._measures = targets, measures

    def judged(self, plan: MonitorPlan) -> Iterator[JudgedVersion]:
        """Yield the verdicts of a monitor on each version."""
        for version in plan.versions:
            windows = [*self._windows(plan, version)]
            target = version.target
            key = None if target.name is None else target.version.row.key
            yield JudgedVersion(key, target.data.dataset_keys, version.part, windows)

    def _windows(self, plan: MonitorPlan, version: PlannedVersion) -> Iterator[tuple[Window, WindowVerdict]]:
        assert plan.configuration is not None  # noqa: S101
        failed = self._failed(plan, version)
        for window in version.windows:
            check_deadline()
            case = Case(
                plan.configuration,
                plan.windows,
                version.target.version,
                window,
                version.subjects,
                self._measures,
                Question.of(plan.configuration.metric),
                version.target.data.first,
                self._targets.created,
                frozenset(failed),
            )
            verdict = self._verdict(plan, version, case)
            failed -= {place for place in failed if place[1] == window.start}
            failed |= {(each.field, window.start) for each in verdict.failed}
            yield window, verdict

    def _verdict(self, plan: MonitorPlan, version: PlannedVersion, case: Case) -> WindowVerdict:
        window = case.window
        found = WindowVerdict(
            model_version=version.target.name,
            start=window.start,
            end=window.end,
            verdicts=tuple(judge(case)),
            inputs=version.inputs.of(window),
        )
        if found.outcome != "fail":
            return found
        failure = Failure(
            case.configuration,
            self._environment,
            self._targets.model.row.registration,
            found,
            case.plan.baseline(window),
            case.version.schema.feature_importance or {},
            max(case.created, default=None),
        )
        custom = plan.monitor.registration.get("custom_alert_description")
        return replace(found, description=describe(failure, custom))

    def _failed(self, plan: MonitorPlan, version: PlannedVersion) -> set[tuple[str | None, int]]:
        """
        Return the fields and starts of failed windows whose alert is not acknowledged, for rules that leave
        them out.
        """
        assert plan.configuration is not None  # noqa: S101
        if not version.windows or plan.configuration.rule.name not in _LEAVE_OUT:
            return set()
        name = version.target.name or ""
        alerted = select(AlertWindowRow.start).join(AlertRow, AlertWindowRow.alert_key == AlertRow.key)
        mine = AlertRow.monitor_key == plan.monitor.key, AlertRow.version == name
        query = select(VerdictRow.start, VerdictRow.findings).filter_by(
            monitor_key=plan.monitor.key, version=name, segment="", outcome="fail"
        )
        query = query.where(VerdictRow.start.in_(alerted.where(*mine, AlertRow.acknowledged_at.is_(None))))
        rows = self._session.execute(query.where(VerdictRow.start < version.windows[-1].start))
        return {(each["field"], start) for start, findings in rows for each in findings["failed"]}
