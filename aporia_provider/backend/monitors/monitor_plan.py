"""What an evaluation does for one monitor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from aporia_provider.backend.freshness.connected_tables import connected_tables
from aporia_provider.backend.metrics.custom_request import CUSTOM_METRIC
from aporia_provider.backend.monitors.fields import Subject, subjects_of
from aporia_provider.backend.monitors.judging.drift import is_by_history
from aporia_provider.backend.monitors.judging.mean_changes import is_of_mean, sequence_start
from aporia_provider.backend.monitors.measures import Measures, Question
from aporia_provider.backend.monitors.pending_windows import (
    ChangesRead,
    Inputs,
    Judged,
    Limits,
    TableInputs,
    closed_windows,
    digest,
    left_out,
    overlaps_data,
    pending_windows,
    text_digest,
)
from aporia_provider.backend.monitors.targets import Target, Targets
from aporia_provider.backend.monitors.version_states import MonitoredVersion
from aporia_provider.backend.monitors.windows import HISTORY, Window, WindowPlan
from aporia_provider.backend.store.segment_keys import segment_parts
from aporia_provider.backend.store.sync_tables import FIELDS, PERFORMANCE
from aporia_provider.backend.store.tables import MonitorRow
from aporia_provider.errors import AporiaError, ValidationError
from aporia_provider.monitor_configuration import MonitorConfiguration, parse_configuration
from aporia_provider.monitor_configuration.logic_rules import DriftRule, SeriesRule
from aporia_provider.monitor_configuration.parts import TRAINING
from aporia_provider.monitoring.profiles.plan import BUCKET_SECONDS, ROWS

_SPECIAL = ("last_version_creation", "min_max", "unique_values", "custom_metric", "code")
"""Metrics that rules compute themselves."""


@dataclass(frozen=True)
class StoredMonitor:
    """
    A monitor.

    :param key: Key of its row.
    :param id: Its id.
    :param registration: Body of the request that created it.
    :param created_at: When it was created.
    """

    key: int
    id: str
    registration: Mapping[str, Any]
    created_at: datetime

    @classmethod
    def of(cls, row: MonitorRow) -> StoredMonitor:
        """Return the monitor of a row."""
        return cls(row.key, row.id, row.registration, row.created_at)

    @property
    def is_active(self) -> bool:
        """Whether it is evaluated."""
        return bool(self.registration.get("is_active", True))


@dataclass(frozen=True)
class PlannedVersion:
    """
    The windows of a version that are judged.

    :param target: The version.
    :param subjects: The fields.
    :param windows: The windows, the oldest first.
    :param inputs: Their inputs.
    :param parts: Parts of the states that they are judged from.
    :param left_out: Number of older windows that were never judged.
    :param together: The version with each value of the segment that the monitor judges; they share the
        promised rate of false alarms.
    """

    target: Target
    subjects: tuple[Subject, ...]
    windows: list[Window]
    inputs: Inputs
    parts: tuple[str, ...]
    left_out: int
    together: tuple[MonitoredVersion, ...] = ()


@dataclass
class MonitorPlan:
    """
    What an evaluation does for one monitor.

    :param monitor: The monitor.
    :param configuration: Its configuration; None if it is not valid.
    :param versions: The versions and windows.
    :param problems: Why the monitor, or a version, cannot be judged.
    """

    monitor: StoredMonitor
    configuration: MonitorConfiguration | None = None
    versions: list[PlannedVersion] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def windows(self) -> WindowPlan:
        """The windows of the configuration."""
        assert self.configuration is not None  # noqa: S101
        return WindowPlan(self.configuration)

    @property
    def size(self) -> int:
        """Number of verdicts."""
        return sum(len(each.windows) * len(each.subjects) for each in self.versions)

    def groups(self) -> list[list[PlannedVersion]]:
        """Return the versions, each with all the values of the segment that are judged together."""
        found: dict[str | None, list[PlannedVersion]] = {}
        for version in self.versions:
            found.setdefault(version.target.name, []).append(version)
        return list(found.values())


class Planner:
    """
    Selects what is judged.

    :param session: A session with a read transaction.
    :param targets: The versions of the model.
    :param measures: Metrics of the model.
    :param limits: Limits of the evaluation.
    """

    def __init__(self, session: Session, targets: Targets, measures: Measures, limits: Limits) -> None:
        self._session, self._targets, self._measures, self._limits = session, targets, measures, limits
        self._changes = ChangesRead(session)

    def plan(self, monitor: StoredMonitor) -> MonitorPlan:
        """Return the plan of a monitor; problems are part of it."""
        plan = MonitorPlan(monitor)
        try:
            registration = monitor.registration
            plan.configuration = parse_configuration(registration["type"], registration["configuration"])
            problem = plan.windows.problem(BUCKET_SECONDS[self._targets.model.period])
            if problem is not None and not plan.configuration.is_of_tables:
                raise ValidationError(problem)
            targets = self._targets.of(plan.configuration)
        except AporiaError as error:
            plan.problems += getattr(error, "problems", None) or [error.message]
            return plan
        for target in targets:
            try:
                plan.versions.append(self._version(monitor, plan.configuration, target))
            except AporiaError as error:
                problems = getattr(error, "problems", None) or [error.message]
                plan.problems += [f"{target.described}: {problem}" for problem in problems]
        plan.versions = [
            replace(version, together=tuple(each.target.version for each in group))
            for group in plan.groups()
            for version in group
        ]
        return plan

    def _version(
        self, monitor: StoredMonitor, configuration: MonitorConfiguration, target: Target
    ) -> PlannedVersion:
        subjects, parts = self._subjects(configuration, target)
        plan = WindowPlan(configuration)
        windows = self._closed(monitor, configuration, plan, target)
        since = min((window.start for window in windows), default=0)
        inputs = self._inputs(monitor, configuration, target, parts, since)
        judged = Judged.of(self._session, monitor.key, target.place, since)
        pending = pending_windows(windows, judged, inputs, self._limits)
        older = left_out(windows, judged, self._limits, plan.step)
        return PlannedVersion(target, subjects, pending, inputs, parts, older)

    def _inputs(
        self,
        monitor: StoredMonitor,
        configuration: MonitorConfiguration,
        target: Target,
        parts: tuple[str, ...],
        since: int,
    ) -> Inputs:
        constant = self._constant(monitor, configuration, target)
        if configuration.is_of_tables:
            tables = connected_tables(self._session, [target.version.row.key])
            uris = {table.dataset_key: table.uri for table in tables}
            return TableInputs.read(self._session, uris, constant)
        stored = [*parts, *self._segment_parts(configuration, target, parts)]
        changes = [self._changes.of(key, part, since) for key in target.data.dataset_keys for part in stored]
        return Inputs(changes, constant)

    def _segment_parts(
        self, configuration: MonitorConfiguration, target: Target, parts: tuple[str, ...]
    ) -> list[str]:
        """Return the parts that have the states of the segments that a monitor judges."""
        of_target = target.version.term
        terms = [of_target, *self._measures.filters(Question.of(configuration.metric), of_target)]
        keys = dict.fromkeys(term.segment.key for term in terms if term is not None)
        return [part for key in keys for part in segment_parts(key, parts)]

    def _constant(self, monitor: StoredMonitor, configuration: MonitorConfiguration, target: Target) -> str:
        text = digest(monitor.registration)
        if monitor.registration["type"] == "model_staleness":
            text = f"{text}:{len(self._targets.created)}"
        compared = self._targets.model.baseline_term(configuration)
        terms = [term.prefix for term in (target.version.term, compared) if term is not None]
        code = self._measures.code(Question.of(configuration.metric))
        return ":".join([text, *terms, *([] if code is None else [text_digest(code)])])

    def _closed(
        self,
        monitor: StoredMonitor,
        configuration: MonitorConfiguration,
        plan: WindowPlan,
        target: Target,
    ) -> list[Window]:
        by_clock = configuration.type in ("model_activity", "model_staleness") or configuration.is_of_tables
        windows = closed_windows(plan, target.data, self._limits, by_clock=by_clock)
        if configuration.type != "model_activity":
            return windows
        # Before a monitor exists, a version without rows may not have been in use.
        created, seconds = monitor.created_at.timestamp(), BUCKET_SECONDS[self._targets.model.period]
        return [
            window
            for window in windows
            if window.end > created or overlaps_data(window, target.data, seconds)
        ]

    def _subjects(
        self, configuration: MonitorConfiguration, target: Target
    ) -> tuple[tuple[Subject, ...], tuple[str, ...]]:
        """
        Return the fields, and the parts of the states that the metric is computed from.

        :raises aporia_provider.errors.AporiaError: if there is no such field or metric.
        """
        if configuration.is_of_tables:
            return self._tables(target), (FIELDS,)
        subjects = tuple(subjects_of(configuration, target.version.schema))
        if not subjects:
            raise ValidationError(f"there are no fields that {configuration.type} is for")
        question = Question.of(configuration.metric)
        if question.metric == CUSTOM_METRIC:
            return subjects, (FIELDS, PERFORMANCE)
        if question.metric in _SPECIAL or configuration.unsupported:
            return subjects, (FIELDS,)
        kinds = self._measures.kinds(target.version, question)
        return subjects, (PERFORMANCE if kinds & {"performance", "expected"} else FIELDS,)

    def _tables(self, target: Target) -> tuple[Subject, ...]:
        tables = connected_tables(self._session, [target.version.row.key])
        if not tables:
            raise ValidationError("neither the serving dataset nor the actuals are Delta tables with syncs")
        return tuple(Subject(f"datasets.{table.role}") for table in tables)

    def prepare(self, plans: list[MonitorPlan]) -> None:
        """Read the states that the plans need, with few queries."""
        needed: dict[tuple[int, bool], tuple[Target, set[str], list[int]]] = {}
        for plan in plans:
            for version in plan.versions:
                if version.windows and plan.configuration is not None and _reads_states(plan.configuration):
                    self._need(needed, plan, plan.configuration, version)
        for target, keys, ends in needed.values():
            if target.data.dataset_keys:
                target.version.prepare("serving", keys, (min(ends), max(ends)))

    def _need(
        self,
        needed: dict[tuple[int, bool], tuple[Target, set[str], list[int]]],
        plan: MonitorPlan,
        configuration: MonitorConfiguration,
        version: PlannedVersion,
    ) -> None:
        """Add the states that a version is judged from; training data is read."""
        keys, ends = self._keys(configuration, version), _extent(configuration, plan.windows, version)
        # Sequences read more than a year, of one field.
        is_long = is_of_mean(configuration, version.target.version.schema.model_type)
        for rows in version.together:
            target = replace(version.target, version=rows)
            entry = needed.setdefault((id(rows), is_long), (target, set() if is_long else {ROWS}, []))
            entry[1].update(keys)
            entry[2].extend(ends)
        baseline = configuration.baseline
        if baseline is not None and baseline.source == TRAINING:
            compared = self._targets.model.baseline(configuration, version.target.version)
            compared.prepare_totals("training", keys)

    def _keys(self, configuration: MonitorConfiguration, version: PlannedVersion) -> set[str]:
        question = Question.of(configuration.metric)
        if question.metric in _SPECIAL or FIELDS in version.parts:
            return {subject.field or ROWS for subject in version.subjects}
        found = set()
        for subject in version.subjects:
            try:
                selector = self._measures.selector(version.target.version, question, subject.field)
                found.add(selector.key)
            except AporiaError:
                # The error is part of the verdict.
                continue
        return found


def _reads_states(configuration: MonitorConfiguration) -> bool:
    return configuration.unsupported is None and not configuration.is_of_tables


def _extent(configuration: MonitorConfiguration, plan: WindowPlan, version: PlannedVersion) -> list[int]:
    """Return the ends of the range of serving data that the windows of a version are judged from."""
    windows, data = version.windows, version.target.data
    first = plan.baseline(windows[0]) or (windows[0].start, windows[0].end)
    start, rule = min(first[0], windows[0].start), configuration.rule
    if isinstance(rule, DriftRule) and is_by_history(rule):
        for _ in range(HISTORY):
            start = configuration.focal.period.before(start)
    if is_of_mean(configuration, version.target.version.schema.model_type):
        if data.first is not None and data.first < windows[0].start:
            start = min(start, sequence_start(data.first, windows[0].end, plan.step))
    elif isinstance(rule, SeriesRule) and plan.baseline(windows[0]):
        start = min(start, plan.parts(windows[0], HISTORY)[0][0])
    return [start, max(windows[-1].end, first[1])]
