"""Rule ``APORIA_DRIFT_SCORE``: the distribution of a field has changed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from aporia_provider.backend.monitors.fields import Subject
from aporia_provider.backend.monitors.judging.bin_counts import bin_counts
from aporia_provider.backend.monitors.judging.case import Case, excess_over, reliable
from aporia_provider.backend.monitors.judging.series import false_alarms, seasons
from aporia_provider.backend.monitors.version_states import MonitoredVersion
from aporia_provider.backend.monitors.windows import HISTORY
from aporia_provider.errors import AporiaError
from aporia_provider.metric_results import MetricResult
from aporia_provider.monitor_configuration.logic_rules import DriftRule
from aporia_provider.monitoring.verdicts.drift_rule import DriftHistory, FieldHistory, FieldVerdict
from aporia_provider.verdicts import Verdict


def judge_drift_score(case: Case) -> list[Verdict]:
    """
    Judge whether the distributions of fields have changed.

    With thresholds, a field fails if its distance from the baseline, less the expected distance without
    drift, exceeds the threshold of its kind. Without thresholds, or with ``falseAlarmsAYear``, it fails if it
    differs from its own history more than all fields usually do: those of all values of a segment together.
    """
    if is_by_history(case.rule):
        return _by_history(case)
    return [_by_threshold(case, subject) for subject in case.subjects]


def is_by_history(rule: DriftRule) -> bool:
    """Return whether a rule compares fields with their own history, and not with thresholds."""
    return rule.thresholds is None or rule.false_alarms_a_year is not None


def _by_threshold(case: Case, subject: Subject) -> Verdict:
    result = case.focal(subject)
    if reliable(result) is None or result.excess is None:
        return case.insufficient(subject, result)
    threshold = getattr(case.rule.thresholds, subject.kind)
    if threshold is None:
        return case.insufficient(subject, result, f"there is no threshold for {subject.kind} fields")
    effect = excess_over(result.excess, None, threshold)
    outcome = "fail" if effect > 0 else "pass"
    return case.verdict(outcome, subject, result, high=threshold, effect=effect)  # type: ignore[arg-type]


def _by_history(case: Case) -> list[Verdict]:
    windows = history(case)
    excluded = _excluded(case, windows)
    key = (
        tuple(map(id, _versions(case))),
        case.subjects,
        tuple(windows),
        tuple(sorted((row, tuple(sorted(places))) for row, places in excluded.items())),
    )
    if key not in case.measures.cache:
        case.measures.cache[key] = _Compared.of(case, windows, excluded)
    compared: _Compared = case.measures.cache[key]
    found = compared.history.judge(len(windows) - 1, false_alarms(case))
    return [_verdict(case, subject, found, compared) for subject in case.subjects]


def _versions(case: Case) -> tuple[MonitoredVersion, ...]:
    return case.together or (case.version,)


def _row(version: MonitoredVersion, field: str | None) -> str:
    """Return the key of a field among the fields of all the versions that are judged together."""
    return f"{'' if version.term is None else version.term.prefix}{field or ''}"


@dataclass(frozen=True)
class _Compared:
    """
    The fields in the windows of a history.

    :param history: Their verdicts.
    :param fields: Counts of the fields that have bins, of all the versions that are judged together.
    :param problems: Why others have none.
    """

    history: DriftHistory
    fields: dict[str, FieldHistory]
    problems: dict[str, str]

    @classmethod
    def of(cls, case: Case, windows: list[tuple[int, int]], excluded: dict[str, set[int]]) -> _Compared:
        """Return the fields of a case."""
        fields: dict[str, FieldHistory] = {}
        problems: dict[str, str] = {}
        importance = case.version.schema.feature_importance or {}
        for version, subject in product(_versions(case), case.subjects):
            name = subject.field or ""
            row = _row(version, name)
            try:
                counts = _counts(case, version, name, windows)
            except AporiaError as error:
                problems[row] = error.message
                continue
            fields[row] = FieldHistory(counts, importance.get(name.removeprefix("features."), 1.0))
        history = DriftHistory(fields, seasons(windows), buckets_a_year=case.plan.windows_a_year)
        history.exclude(excluded)
        return cls(history, fields, problems)


def _counts(
    case: Case, version: MonitoredVersion, name: str, windows: list[tuple[int, int]]
) -> NDArray[np.int64]:
    key = id(version), name, tuple(windows)
    if key not in case.measures.cache:
        case.measures.cache[key] = bin_counts(version, name, windows)
    counts: NDArray[np.int64] = case.measures.cache[key]
    return counts


def history(case: Case) -> list[tuple[int, int]]:
    """Return the windows from the oldest to that of the case, which do not overlap."""
    windows = [(case.window.start, case.window.end)]
    while len(windows) <= HISTORY:
        end = windows[-1][0]
        start = case.configuration.focal.period.before(end)
        if case.first is None or start < case.first:
            break
        windows.append((start, end))
    return windows[::-1]


def _excluded(case: Case, windows: list[tuple[int, int]]) -> dict[str, set[int]]:
    places = {start: place for place, (start, _) in enumerate(windows)}
    rows = {version.segment: version for version in _versions(case)}
    found: dict[str, set[int]] = defaultdict(set)
    for segment, field, start in case.excluded:
        if field is not None and segment in rows and start in places and start != case.window.start:
            found[_row(rows[segment], field)].add(places[start])
    return found


def _verdict(
    case: Case,
    subject: Subject,
    found: dict[str, FieldVerdict],
    compared: _Compared,
) -> Verdict:
    row = _row(case.version, subject.field)
    verdict = found.get(row)
    if verdict is None:
        return case.insufficient(subject, MetricResult(None), compared.problems.get(row))
    samples = int(compared.fields[row].counts[-1].sum())
    baseline_samples = int(compared.fields[row].counts[:-1].sum())
    result = MetricResult(verdict.statistic, samples=samples, baseline_samples=baseline_samples)
    if verdict.outcome == "insufficient":
        return case.insufficient(subject, result, verdict.reason)
    # The threshold is that of the p-value, unless the verdict is by effect.
    high = verdict.threshold if verdict.p_value is None else None
    effect = max(verdict.effect or 0.0, 0.0) if verdict.outcome == "fail" else 0.0
    return case.verdict(verdict.outcome, subject, result, high=high, effect=effect, reason=verdict.reason)
