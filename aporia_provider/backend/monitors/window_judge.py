"""Verdicts of a monitor on its windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.deadlines import check_deadline
from aporia_provider.backend.monitors.descriptions import Failure, describe
from aporia_provider.backend.monitors.judging.case import Case
from aporia_provider.backend.monitors.judging.rules import judge
from aporia_provider.backend.monitors.measures import Measures, Question
from aporia_provider.backend.monitors.monitor_plan import MonitorPlan, PlannedVersion
from aporia_provider.backend.monitors.pending_windows import Inputs
from aporia_provider.backend.monitors.targets import Target, Targets
from aporia_provider.backend.monitors.windows import Window
from aporia_provider.backend.store.monitor_tables import AlertRow, AlertWindowRow, VerdictRow
from aporia_provider.datasets import SERVING
from aporia_provider.monitor_configuration.spans import DAY
from aporia_provider.verdicts import WindowVerdict

_LEAVE_OUT = ("APORIA_DRIFT_SCORE", "TIME_SERIES_ANOMALY")
FailedWindow = tuple[str, str | None, int]
"""
Text of the value of the segment, empty for all rows; qualified name of the field, None for rows; start of the
window.
"""


@dataclass
class JudgedVersion:
    """
    The verdicts on a version.

    :param version_key: Key of the version; None for the union.
    :param inputs: Text that identifies the states and configurations of the verdicts.
    :param windows: The windows with their verdicts.
    """

    version_key: int | None
    inputs: Inputs
    windows: list[tuple[Window, WindowVerdict]]


class WindowJudge:
    """
    Computes verdicts.

    :param session: A session with a read transaction.
    :param environment: Environment of the model.
    :param targets: The versions.
    :param measures: Metrics of the model.
    :param failed: Fields and starts of failed windows by version, instead of the stored ones; the windows
        that fail are added.
    """

    def __init__(
        self,
        session: Session,
        environment: str,
        targets: Targets,
        measures: Measures,
        failed: dict[str, set[FailedWindow]] | None = None,
    ) -> None:
        self._session, self._environment = session, environment
        self._targets, self._measures, self._known = targets, measures, failed

    def judged(self, plan: MonitorPlan) -> Iterator[JudgedVersion]:
        """Yield the verdicts of a monitor on each version."""
        for group in plan.groups():
            windows: list[list[tuple[Window, WindowVerdict]]] = [[] for _ in group]
            for place, window, verdict in self._together(plan, group):
                windows[place].append((window, verdict))
            for version, judged_windows in zip(group, windows, strict=True):
                target = version.target
                key = None if target.name is None else target.version.row.key
                yield JudgedVersion(key, version.inputs, judged_windows)

    def windows(self, plan: MonitorPlan, version: PlannedVersion) -> Iterator[tuple[Window, WindowVerdict]]:
        """Yield the windows of a version with their verdicts, the oldest first."""
        for _, window, verdict in self._together(plan, [version]):
            yield window, verdict

    def _together(
        self, plan: MonitorPlan, group: Sequence[PlannedVersion]
    ) -> Iterator[tuple[int, Window, WindowVerdict]]:
        """
        Yield the windows of the values of a segment and the place of the value, the oldest first.

        The failures of each are known when later windows of the others are judged.
        """
        assert plan.configuration is not None  # noqa: S101
        failed = self._failed(plan, group)
        every = [(window, place) for place, version in enumerate(group) for window in version.windows]
        for window, place in sorted(every, key=lambda each: (each[0].start, each[1])):
            check_deadline()
            version = group[place]
            case = Case(
                plan.configuration,
                plan.windows,
                version.target.version,
                window,
                version.subjects,
                self._measures,
                Question.of(plan.configuration.metric),
                _first_kept(plan, version.target),
                self._targets.created,
                frozenset(failed),
                version.together,
            )
            verdict = self._verdict(plan, version, case)
            segment = version.target.segment
            failed -= {each for each in failed if (each[0], each[2]) == (segment, window.start)}
            failed |= {(segment, each.field, window.start) for each in verdict.failed}
            yield place, window, verdict

    def _verdict(self, plan: MonitorPlan, version: PlannedVersion, case: Case) -> WindowVerdict:
        window = case.window
        verdict = WindowVerdict(
            model_version=version.target.name,
            segment=version.target.segment or None,
            start=window.start,
            end=window.end,
            verdicts=tuple(judge(case)),
            inputs=version.inputs.of(window),
        )
        if verdict.outcome != "fail":
            return verdict
        failure = Failure(
            case.configuration,
            self._environment,
            self._targets.model.row.registration,
            verdict,
            case.plan.baseline(window),
            case.version.schema.feature_importance or {},
            max(case.created, default=None),
            case.baseline_version.segment,
        )
        custom = plan.monitor.registration.get("custom_alert_description")
        return replace(verdict, description=describe(failure, custom))

    def _failed(self, plan: MonitorPlan, group: Sequence[PlannedVersion]) -> set[FailedWindow]:
        """
        Return the segments, fields and starts of failed windows whose alert is not acknowledged, for rules
        that leave them out.
        """
        assert plan.configuration is not None  # noqa: S101
        last = max((window.start for each in group for window in each.windows), default=None)
        if last is None or plan.configuration.rule.name not in _LEAVE_OUT:
            return set()
        name = group[0].target.name or ""
        if self._known is not None:
            return self._known.setdefault(name, set())
        alerted = select(AlertWindowRow.start).join(AlertRow, AlertWindowRow.alert_key == AlertRow.key)
        of_version = AlertRow.monitor_key == plan.monitor.key, AlertRow.version == name
        row = VerdictRow
        query = select(row.segment, row.start, row.findings).filter_by(
            monitor_key=plan.monitor.key, version=name, outcome="fail"
        )
        query = query.where(row.segment.in_([each.target.segment for each in group]), row.start < last)
        of_segment = AlertRow.segment == row.segment
        open_ = alerted.where(*of_version, of_segment, AlertRow.acknowledged_at.is_(None)).correlate(row)
        rows = self._session.execute(query.where(row.start.in_(open_)))
        return {
            (segment, each["field"], start)
            for segment, start, findings in rows
            for each in findings["failed"]
        }


def _first_kept(plan: MonitorPlan, target: Target) -> int | None:
    """Return the start of the first bucket with rows after which windows of a monitor have all states."""
    first = target.data.first
    windows = plan.windows
    whole_days = min(windows.step, windows.aggregation_seconds) >= DAY
    kept = target.version.kept_since(SERVING, whole_days=whole_days)
    return first if first is None or kept is None else max(first, kept)
