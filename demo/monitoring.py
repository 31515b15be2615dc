"""What the monitors of the demo found, the performance that was expected, and why it changed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

if TYPE_CHECKING:
    from aporia_provider.backend.embedded import EmbeddedRegistry

MODEL = "employment"
COLUMN = "predictions.probability"
YEAR = 2018
"""Year of the data that the latest version was made for."""
CHANGED = 27
"""Day of that year from which the survey no longer lists people who live in group quarters."""
DAYS = 100


def print_monitoring(registry: EmbeddedRegistry, version: str) -> None:
    """Evaluate the monitors on the first days of the version's year; print the alerts and the reason."""
    start, end = datetime(YEAR, 1, 1, tzinfo=UTC), datetime(YEAR, 4, 11, tzinfo=UTC)
    judged = registry.evaluate_monitors(MODEL, version, start=start, end=end)
    verdicts = ", ".join(f"{count} {outcome}" for outcome, count in judged["verdicts"].items())
    print(f"\nMonitors of {MODEL} on {DAYS} days of {YEAR}: {verdicts}")
    for alert in registry.get_alerts(MODEL):
        fields = ", ".join(verdict.field or verdict.metric for verdict in alert.failed)
        days = f"{alert.start[:10]} to {alert.end[:10]}"
        print(f"  {alert.severity} alert, {alert.status}, of {alert.occurrences} days, {days}")
        print(f"    {alert.monitor}: {fields}")
    _print_expected(version)
    _print_reason(version, datetime(YEAR, 1, CHANGED, tzinfo=UTC), start, end)


def _print_expected(version: str) -> None:
    from aporia_provider.hooks.metrics import MetricsHook

    months = {
        metric: MetricsHook().get_metric(
            MODEL,
            metric,
            model_version=version,
            column=COLUMN,
            aggregation_period="monthly",
            start=f"{YEAR}-01-01T00:00:00Z",
            end=f"{YEAR}-07-01T00:00:00Z",
        )
        for metric in ("expected_accuracy", "accuracy")
    }
    rows = [
        {
            "month": expected["start"][:7],
            "expected without labels": _interval(expected),
            "realised": _interval(realised),
        }
        for expected, realised in zip(months["expected_accuracy"], months["accuracy"], strict=True)
    ]
    print(f"\nAccuracy of version {version}:\n")
    print(tabulate(rows, headers="keys", disable_numparse=True))


def _print_reason(version: str, changed: datetime, start: datetime, end: datetime) -> None:
    from aporia_provider.hooks.metrics import MetricsHook

    told = MetricsHook().explain_change(
        MODEL,
        "accuracy",
        start=changed,
        end=end,
        baseline_start=start,
        baseline_end=changed,
        model_version=version,
        column=COLUMN,
    )
    print("\nWhy it changed:\n")
    print(told.to_markdown())


def _interval(result: dict[str, Any]) -> str:
    if result["value"] is None:
        return result["reason"] or "unknown"
    if result["low"] is None:
        return f"{result['value']:.4f}"
    return f"{result['value']:.4f} ({result['low']:.4f} to {result['high']:.4f})"
