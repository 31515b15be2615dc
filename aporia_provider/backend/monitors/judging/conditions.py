"""Conditions without which a window is not judged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from aporia_provider.backend.monitors.judging.case import Case
from aporia_provider.backend.monitors.measures import Question
from aporia_provider.monitor_configuration.parts import Condition
from aporia_provider.verdicts import Verdict

_ROWS = Question("count")


def apply_conditions(case: Case, verdicts: list[Verdict]) -> list[Verdict]:
    """
    Return verdicts under the conditions of the monitor.

    A failed verdict passes if the value is one that the monitor ignores, and is ``insufficient`` if there is
    too little data or the baseline is not usable.
    """
    conditions = case.configuration.settings.pre_conditions
    reasons = [reason for condition in conditions for reason in _shortages(case, condition)]
    if reasons:
        text = "; ".join(reasons)
        return [replace(verdict, outcome="insufficient", reason=text, effect=0.0) for verdict in verdicts]
    for condition in conditions:
        verdicts = [_in_range(condition, verdict) for verdict in verdicts]
    return verdicts


def _shortages(case: Case, condition: Condition) -> Iterator[str]:
    """Yield why there is too little data."""
    least = condition.value or 0
    if condition.name == "MIN_FOCAL_DATA_POINTS":
        rows = _focal_rows(case)
        if rows < least:
            yield f"the window has {rows} rows, but {least:g} are required"
    if condition.name == "MIN_BASELINE_DATA_POINTS":
        rows = _baseline_rows(case)
        if rows < least:
            yield f"the baseline has {rows} rows, but {least:g} are required"
    if condition.name == "BASELINE_MIN_BUCKETS":
        count = sum(1 for part in case.plan.parts(case.window) if _rows(case, part))
        if count < least:
            yield f"the baseline has {count} parts with rows, but {least:g} are required"


def _in_range(condition: Condition, verdict: Verdict) -> Verdict:
    values = {
        "FOCAL_DATA_VALUE_IN_RANGE": verdict.value,
        "BASELINE_DATA_VALUE_IN_RANGE": verdict.baseline_value,
    }
    value = values.get(condition.name)
    if value is None or verdict.outcome != "fail" or _within(value, condition):
        return verdict
    if condition.name == "FOCAL_DATA_VALUE_IN_RANGE":
        text = f"the value {value:g} is outside of the range that is judged"
        return replace(verdict, outcome="pass", reason=text, effect=0.0)
    text = f"the value {value:g} of the baseline is outside of the range that is judged"
    return replace(verdict, outcome="insufficient", reason=text, effect=0.0)


def _within(value: float, condition: Condition) -> bool:
    return (condition.min is None or value >= condition.min) and (
        condition.max is None or value <= condition.max
    )


def _focal_rows(case: Case) -> int:
    return _rows(case, (case.window.start, case.window.end))


def _baseline_rows(case: Case) -> int:
    data = case.baseline_data
    if data is None:
        return 0
    return case.measures.result(case.baseline_version, _ROWS, None, data.within, role=data.role).value or 0


def _rows(case: Case, within: tuple[int, int]) -> int:
    return case.measures.result(case.version, _ROWS, None, within).value or 0
