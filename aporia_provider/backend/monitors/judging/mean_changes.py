"""Rule ``TIME_SERIES_ANOMALY`` of metrics that are means of labelled rows: a change since any time."""

from __future__ import annotations

import math
from typing import Any

from aporia_provider.backend.metrics.state_series import StatesKey
from aporia_provider.backend.monitors.fields import Subject
from aporia_provider.backend.monitors.judging.case import Case, reliable
from aporia_provider.backend.monitors.measures import Question
from aporia_provider.datasets import SERVING
from aporia_provider.errors import AporiaError
from aporia_provider.metric_results import MetricResult
from aporia_provider.monitor_configuration import MonitorConfiguration
from aporia_provider.monitor_configuration.logic_rules import SeriesRule
from aporia_provider.monitoring.catalogue import better
from aporia_provider.monitoring.performance.row_terms import ROOTS, has_row_terms, row_terms
from aporia_provider.monitoring.verdicts.confidence_sequence import MeanSums
from aporia_provider.monitoring.verdicts.mean_sequence import SequenceVerdict, first_bucket, judge_sequence
from aporia_provider.verdicts import Verdict

_NOTHING = MeanSums(0.0, 0.0, 0)


def is_of_mean(configuration: MonitorConfiguration, model_type: str) -> bool:
    """
    Return whether a monitor judges the mean of labelled rows by a confidence sequence.

    It has the type ``performance_degradation``, ``falseAlarmsAYear``, and a metric of such rows. With a
    sensitivity, as in the protocol, values are compared with those of earlier windows.
    """
    rule = configuration.rule
    if configuration.type != "performance_degradation" or not isinstance(rule, SeriesRule):
        return False
    if rule.test_only_increase:
        return False
    metric = Question.of(configuration.metric).metric
    return rule.false_alarms_a_year is not None and has_row_terms(metric, model_type)


def sequence_start(first: int, end: int, step: int) -> int:
    """
    Return the start of the first bucket that a window is compared with.

    :param first: Start of the first bucket with rows.
    :param end: End of the window.
    :param step: Length of a bucket.
    """
    buckets = -((first - end) // step)
    return end - step * (buckets - first_bucket(buckets))


def judge_mean_change(case: Case, subject: Subject, false_alarms_a_year: float) -> Verdict:
    """
    Judge whether the mean of the labelled rows has changed.

    Each day since the version received data is counted once, with the labels that it has now.
    """
    result = case.focal(subject)
    if reliable(result) is None:
        return case.insufficient(subject, result)
    try:
        sums = _sums(case, subject)
    except AporiaError as error:
        return case.insufficient(subject, result, error.message)
    if sums is None:
        return case.insufficient(subject, result, "the squares of some rows are not known")
    judged = judge_sequence(
        sums,
        buckets_a_year=case.plan.windows_a_year,
        false_alarms_a_year=false_alarms_a_year,
        direction="decrease" if better(case.question.metric) == "higher" else "increase",
        excluded=_excluded(case, subject, len(sums)),
    )
    return _verdict(case, subject, result, judged)


def _buckets(case: Case) -> list[tuple[int, int]]:
    """Return the buckets, of which the last one ends with the window."""
    step, end = case.plan.step, case.window.end
    first = case.window.start if case.first is None else case.first
    starts = range(sequence_start(min(first, case.window.start), end, step), end, step)
    return [(start, start + step) for start in starts]


def _sums(case: Case, subject: Subject) -> list[MeanSums] | None:
    key = case.measures.selector(case.version, case.question, subject.field).key
    found = [_bucket(case, StatesKey(SERVING, key, bucket)) for bucket in _buckets(case)]
    return None if None in found else [each for each in found if each is not None]


def _bucket(case: Case, key: StatesKey) -> MeanSums | None:
    place = "row terms", id(case.version), case.question, key
    if place not in case.measures.cache:
        case.measures.cache[place] = _of_state(case, key)
    found: MeanSums | None = case.measures.cache[place]
    return found


def _of_state(case: Case, key: StatesKey) -> MeanSums | None:
    version, question = case.version, case.question
    state: Any = None if version.dropped(key) else version.merged(key)
    if state is None or not state.labelled:
        return _NOTHING
    terms = row_terms(question.metric, version.schema.model_type, state, dict(question.parameters))
    if terms is None:
        return None
    return MeanSums(float(terms.total), float(terms.squares), terms.count)


def _excluded(case: Case, subject: Subject, buckets: int) -> set[int]:
    """Return the buckets at the ends of earlier windows that failed."""
    own = case.version.segment, subject.field
    length = case.window.end - case.window.start
    ends = {start + length for *place, start in case.excluded if tuple(place) == own}
    places = {
        buckets - 1 - (case.window.end - end) // case.plan.step for end in ends if end < case.window.end
    }
    return {place for place in places if place >= 0}


def _verdict(case: Case, subject: Subject, result: MetricResult, judged: SequenceVerdict) -> Verdict:
    found = judged.found
    if found.outcome == "insufficient" or found.difference is None:
        return case.insufficient(subject, result, found.reason)
    usual, is_root = judged.baseline.total / judged.baseline.count, case.question.metric in ROOTS
    means = usual, max(0.0, usual + found.difference) if is_root else usual + found.difference
    before, now = map(math.sqrt, means) if is_root else means
    text = f"{now:.6g} in the last {found.buckets} windows, {before:.6g} in the first ones"
    return case.verdict(
        found.outcome,
        subject,
        result,
        MetricResult(before, samples=judged.baseline.count),
        effect=abs(now - before) / (abs(before) or 1.0) if found.outcome == "fail" else 0.0,
        detectable=_detectable(usual, found.detectable, is_root) if found.outcome == "pass" else None,
        reason="; ".join(each for each in (text, found.reason, result.reason) if each),
    )


def _detectable(usual: float, detectable: float | None, is_root: bool) -> float | None:
    """Return the detectable change of the metric, of a root from that of its square."""
    if detectable is None or not is_root:
        return detectable
    return math.sqrt(usual + detectable) - math.sqrt(usual)
