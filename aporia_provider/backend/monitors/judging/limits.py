"""Rules with fixed limits: ``RANGE`` and ``RATIO``."""

from __future__ import annotations

import math

from aporia_provider.backend.monitors.fields import Subject
from aporia_provider.backend.monitors.judging.case import Case, excess_over, reliable
from aporia_provider.backend.monitors.judging.detectable import detectable_change, error_towards
from aporia_provider.metric_results import MetricResult
from aporia_provider.verdicts import Verdict

_EXACT = frozenset(("min", "max"))


def judge_range(case: Case) -> list[Verdict]:
    """
    Judge whether values are within limits.

    Of a distance, the part that exceeds its expected value without drift is compared with the limits.
    """
    return [_in_range(case, subject) for subject in case.subjects]


def _in_range(case: Case, subject: Subject) -> Verdict:
    result = case.focal(subject)
    value = reliable(result)
    if value is None:
        return case.insufficient(subject, result)
    low, high = case.rule.min, case.rule.max
    compared = value if result.excess is None else result.excess
    # An excess is 0 at least, whatever the distance, so a lower limit does not apply to it.
    effect = excess_over(compared, low if result.excess is None else None, high)
    is_plain = effect == 0 and result.excess is None
    return case.verdict(
        "fail" if effect > 0 else "pass",
        subject,
        result,
        low=low,
        high=high,
        effect=effect,
        detectable=detectable_change(result, low, high, exact=_is_exact(case)) if is_plain else None,
    )


def _is_exact(case: Case) -> bool:
    """Return whether the metric is counted, and not the estimate of a number."""
    return case.question.is_additive or case.question.metric in _EXACT


def judge_ratio(case: Case) -> list[Verdict]:
    """Judge whether values divided by those of the baseline are within limits."""
    return [_ratio(case, subject) for subject in case.subjects]


def _ratio(case: Case, subject: Subject) -> Verdict:
    result, baseline = case.focal(subject), case.baseline(subject)
    value, before = reliable(result), reliable(baseline)
    if value is None:
        return case.insufficient(subject, result)
    if before is None:
        return case.insufficient(
            subject, result, f"in the baseline, {baseline.reason or 'there is no value'}"
        )
    before *= case.scale
    ratio = _quotient(value, before)
    effect = excess_over(ratio, case.rule.min, case.rule.max)
    ends = sorted(limit * before for limit in (case.rule.min, case.rule.max) if limit is not None)
    low = ends[0] if case.rule.min is not None or before < 0 else None
    high = ends[-1] if case.rule.max is not None or before < 0 else None
    return case.verdict(
        "fail" if effect > 0 else "pass",
        subject,
        result,
        MetricResult(before, samples=baseline.samples),
        low=low,
        high=high,
        effect=min(effect, 1e9),
        detectable=None if effect > 0 or before <= 0 else _detectable(case, result, baseline, low, high),
        reason=result.reason,
    )


def _detectable(
    case: Case, result: MetricResult, baseline: MetricResult, low: float | None, high: float | None
) -> float | None:
    """Return the smallest change that would have failed; the limits have the error of the baseline."""
    exact = _is_exact(case)
    # A lower limit is nearer if the value of the baseline is too great, and an upper one if it is too small.
    errors = [error_towards(baseline, below=below, exact=exact) for below in (False, True)]
    ratios = case.rule.min or 0.0, case.rule.max or 0.0
    of_limits = [
        None if error is None else error * case.scale * ratio
        for error, ratio in zip(errors, ratios, strict=True)
    ]
    return detectable_change(result, low, high, exact=exact, errors_of_limits=(of_limits[0], of_limits[1]))


def _quotient(value: float, before: float) -> float:
    """Return the quotient; 1 if both are 0, and infinity if only the baseline is."""
    if before:
        return value / before
    return math.copysign(math.inf, value) if value else 1.0
