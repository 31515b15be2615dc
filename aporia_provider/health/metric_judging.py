"""Judgement of metrics by their intervals."""

from __future__ import annotations

import math

from aporia_provider.health.health_report import HealthFinding
from aporia_provider.health.metric_condition import MetricCondition
from aporia_provider.metric_results import QueryResult, ResultRange
from aporia_provider.verdicts import Outcome


def judge_metric(
    condition: MetricCondition, result: QueryResult, time_range: ResultRange | None
) -> HealthFinding:
    """
    Judge a metric by its interval.

    ``pass`` if the whole interval is within the limits, ``fail`` if the whole interval is below ``min`` or
    above ``max``, else ``insufficient``. In trials, an interval is compared with a margin of non-inferiority
    in the same way (Piaggio et al., *Reporting of noninferiority and equivalence randomized trials*, JAMA
    308, 2012). With intervals of 95 %, a metric that is exactly at a limit passes with a probability of about
    2.5 %. A result that is not reliable is ``insufficient``.

    :param condition: The limits.
    :param result: The result of the metric.
    :param time_range: Time range of the result.
    """
    shared_fields = {
        "check": "metric",
        "name": condition.title,
        "column": condition.column,
        "min": condition.min,
        "max": condition.max,
        "samples": result.samples,
        "dataset_type": condition.dataset_type,
        "start": time_range.start if time_range else None,
        "end": time_range.end if time_range else None,
    }
    interval = interval_of(result)
    if interval is None:
        value = _number(result.number)
        missing = result.reason or "the metric has no number"
        return HealthFinding(outcome="insufficient", value=value, reason=missing, **shared_fields)  # type: ignore[arg-type]
    low, high = interval
    outcome = _outcome(condition, low, high)
    value = float(result.value)
    reasons = [_uncertain(condition, result, value, low, high) if outcome == "insufficient" else None]
    reason = "; ".join(filter(None, [*reasons, result.reason])) or None
    bounds = {"low": _number(low), "high": _number(high)}
    return HealthFinding(outcome=outcome, value=value, reason=reason, **bounds, **shared_fields)  # type: ignore[arg-type]


def interval_of(result: QueryResult) -> tuple[float, float] | None:
    """
    Return the interval of a result; None if there is no reliable number.

    The interval of a distance extends from its excess, which is a lower bound of the drift beyond sampling
    noise, to its value, which includes the noise. A number without an interval is as exact as its ``bound``.
    """
    value = _number(result.value)
    if result.status != "ok" or value is None:
        return None
    low, high = _number(result.low), _number(result.high)
    if low is not None or high is not None:
        # A bound that is not a finite number is unknown.
        return -math.inf if low is None else low, math.inf if high is None else high
    if result.excess is not None:
        return min(result.excess, value), value + result.bound
    return value - result.bound, value + result.bound


def _outcome(condition: MetricCondition, low: float, high: float) -> Outcome:
    least = -math.inf if condition.min is None else condition.min
    greatest = math.inf if condition.max is None else condition.max
    if low >= least and high <= greatest:
        return "pass"
    return "fail" if high < least or low > greatest else "insufficient"


def _uncertain(condition: MetricCondition, result: QueryResult, value: float, low: float, high: float) -> str:
    limits = [limit for limit in (condition.min, condition.max) if limit is not None and low <= limit <= high]
    text = (
        f"the interval from {low:.6g} to {high:.6g} contains the limit {limits[0]:.6g}"
        if limits
        else (f"the interval from {low:.6g} to {high:.6g} is neither within the limits nor outside")
    )
    needed = _rows_needed(result, value, limits)
    return text if needed is None else f"{text}; the same number from about {needed:,} rows would decide"


def _rows_needed(result: QueryResult, value: float, limits: list[float]) -> int | None:
    """Return the number of rows from which the interval, whose length falls with its root, has no limit."""
    if result.excess is not None or not result.samples or result.bound:
        return None
    if _number(result.low) is None or _number(result.high) is None:
        return None
    ratios = []
    for limit in limits:
        half = value - float(result.low) if limit <= value else float(result.high) - value  # type: ignore[arg-type]
        if limit == value:
            return None
        ratios.append((half / abs(value - limit)) ** 2)
    needed = max(ratios, default=0.0) * result.samples
    return math.ceil(needed) if result.samples < needed < 1e12 else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
