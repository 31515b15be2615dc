"""What is checked of a version, how it is judged, and the report, without a backend."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from aporia_provider.errors import ValidationError
from aporia_provider.health import HealthFinding, HealthReport, HealthRequest, MetricCondition
from aporia_provider.health.health_report import MOST_FINDINGS
from aporia_provider.health.metric_judging import judge_metric
from aporia_provider.metric_results import QueryResult
from aporia_provider.outcome_texts import health_markdown, health_table

UNTIL = datetime(2026, 3, 8, 12, tzinfo=UTC)


def judged(limits: dict[str, float], **result: Any) -> HealthFinding:
    condition = MetricCondition(metric="accuracy", column="p", **limits)
    return judge_metric(condition, QueryResult(**{"id": "0", "samples": 100, **result}), None)


INTERVAL = {"value": 0.8, "low": 0.7, "high": 0.85}


@pytest.mark.parametrize(
    ("limits", "result", "outcome"),
    [
        ({"min": 0.7}, INTERVAL, "pass"),
        ({"min": 0.71}, INTERVAL, "insufficient"),
        ({"min": 0.85}, INTERVAL, "insufficient"),
        ({"min": 0.86}, INTERVAL, "fail"),
        ({"max": 0.85}, INTERVAL, "pass"),
        ({"max": 0.84}, INTERVAL, "insufficient"),
        ({"max": 0.69}, INTERVAL, "fail"),
        ({"min": 0.6, "max": 0.9}, INTERVAL, "pass"),
        ({"min": 0.75, "max": 0.8}, INTERVAL, "insufficient"),
        # A count is exact, and the bound of a value is its only uncertainty.
        ({"min": 5}, {"value": 5}, "pass"),
        ({"min": 5}, {"value": 4}, "fail"),
        ({"min": 5}, {"value": 5.05, "bound": 0.1}, "insufficient"),
        # Drift: sampling noise alone may exceed the limit, or the drift beyond it.
        ({"max": 0.2}, {"value": 0.19, "noise": 0.1, "excess": 0.05}, "pass"),
        ({"max": 0.2}, {"value": 0.25, "noise": 0.1, "excess": 0.1}, "insufficient"),
        ({"max": 0.2}, {"value": 0.4, "noise": 0.1, "excess": 0.21}, "fail"),
        # What is not reliable is not judged.
        ({"min": 0}, {"value": None, "shown": 0.5, "status": "insufficient_data"}, "insufficient"),
        ({"min": 0}, {"value": None, "status": "undefined", "reason": "there are no values"}, "insufficient"),
        ({"min": 0}, {"value": float("nan")}, "insufficient"),
    ],
)
def test_a_metric_is_judged_by_its_interval(
    limits: dict[str, float], result: dict[str, Any], outcome: str
) -> None:
    finding = judged(limits, **result)
    assert finding.outcome == outcome
    assert (finding.reason is not None) == (outcome == "insufficient")


def test_the_rows_that_would_decide_are_told() -> None:
    finding = judged({"min": 0.75}, value=0.8, low=0.7, high=0.9)
    # The interval has to be half as long, so it takes four times the rows.
    assert str(finding.reason).endswith(
        "contains the limit 0.75; the same number from about 400 rows would decide"
    )
    assert "would decide" not in str(judged({"min": 0.8}, **INTERVAL).reason)


def test_a_period_ends_at_the_time_of_the_check() -> None:
    metric = MetricCondition(metric="mean", column="age", min=1, period="2w").to_metric("7", "v1", UNTIL)
    data = metric.datasets.data
    assert (metric.id, metric.parameters.column, data.model_version) == ("7", "age", "v1")
    assert data.time_range is not None
    assert (data.time_range.start, data.time_range.end) == (datetime(2026, 2, 22, 12, tzinfo=UTC), UNTIL)
    assert MetricCondition(metric="mean", min=1).to_metric("0", None, UNTIL).datasets.data.time_range is None


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(ValidationError) as failure:
        HealthRequest(
            model_id="m",
            alerts="URGENT",  # type: ignore[arg-type]
            max_data_age="soon",
            metrics=[{"metric": "mean", "min": "x", "dataset_type": "srving"}, {"metric": "mean"}],  # type: ignore[list-item]
        )
    text = str(failure.value)
    for place in ("alerts:", "max_data_age:", "metrics.0.min:", "metrics.0.dataset_type:", "metrics.1:"):
        assert place in text
    with pytest.raises(ValidationError, match="there is nothing to check"):
        HealthRequest(model_id="m")


def test_templates_are_validated_once_they_are_rendered() -> None:
    condition = MetricCondition(
        metric="mean",
        min="{{ x }}",
        start="{{ data_interval_start }}",
        end="{{ data_interval_end }}",  # type: ignore[arg-type]
    )
    condition.min = "0.5"  # type: ignore[assignment]
    condition.start, condition.end = "2026-01-01", "2026-01-02"  # type: ignore[assignment]
    assert condition.checked().min == 0.5
    condition.end = "2025-01-01"  # type: ignore[assignment]
    with pytest.raises(ValidationError, match="is not before end"):
        condition.checked()


def report(*outcomes: Any) -> HealthReport:
    findings = [
        HealthFinding(check="metric", name=f"{place}|<b>", outcome=outcome, min=0.5)
        for place, outcome in enumerate(outcomes)
    ]
    return HealthReport(
        model_id="m", model_version="v", environment="e", until=UNTIL.isoformat(), findings=findings
    )


def test_the_worst_finding_decides_and_comes_first() -> None:
    assert report("pass", "insufficient", "fail").outcome == "fail"
    assert report("pass", "insufficient").outcome == "insufficient"
    assert report("pass").outcome == "pass"
    # Nothing was checked.
    assert report().outcome == "insufficient"
    outcomes = [each["outcome"] for each in report("pass", "insufficient", "fail").to_json()["findings"]]
    assert outcomes == ["fail", "insufficient", "pass"]


def test_a_long_report_is_cut_and_says_so() -> None:
    long = report(*["pass"] * MOST_FINDINGS, "fail", "pass")
    body = json.loads(json.dumps(long.to_json()))
    assert (len(body["findings"]), body["left_out"], body["outcome"]) == (MOST_FINDINGS, 2, "fail")
    assert body["findings"][0]["outcome"] == "fail"
    assert health_table(long).endswith("2 more findings are left out")


def test_markdown_of_names_is_escaped() -> None:
    text = health_markdown(report("fail"))
    assert text.startswith("**fail**: version 'v' of model 'm'\n\n| outcome |")
    assert "| 0\\|&lt;b> |" in text


def test_limits_that_are_not_numbers_are_an_error() -> None:
    with pytest.raises(ValidationError, match="min is not a number; max is not a number"):
        MetricCondition(metric="auc_roc", min=float("nan"), max=float("nan"))


@pytest.mark.parametrize(
    ("limits", "outcome"),
    [({"min": 0.8}, "pass"), ({"max": 1.5}, "insufficient"), ({"min": 0.95}, "insufficient")],
)
def test_a_bound_that_is_not_finite_is_unknown(limits: dict[str, float], outcome: str) -> None:
    finding = judged(limits, value=1.0, low=0.9, high=float("inf"))
    assert (finding.outcome, finding.low, finding.high) == (outcome, 0.9, None)


@pytest.mark.parametrize(
    ("given", "places", "others"),
    [
        (
            {"metric": "mean", "min": 2, "max": 1, "period": "soon", "minn": 0},
            ["period", "minn"],
            ["min 2 is greater than max 1"],
        ),
        ({"metric": "mean", "period": 7}, ["period"], ["give min, max or both"]),
        # What is said of both limits depends on the faulty one.
        ({"metric": "mean", "min": "x", "max": 1, "start": "2026-01-01"}, ["min"], ["give both start"]),
        ({"min": 2, "max": 1, "parameters": 3}, ["metric", "parameters"], ["min 2 is greater than max 1"]),
        (
            {"metric": "mean", "min": 2, "max": 1, "column": "", "dataset_type": "srving", "baseline": 1},
            ["column", "dataset_type", "baseline"],
            ["min 2 is greater than max 1"],
        ),
        (
            {"metric": "mean", "min": 2, "max": 1, "parameters": {"column": "a", "confidence": 7}},
            [],
            ["min 2 is greater than max 1", "column is no entry of parameters", "confidence"],
        ),
    ],
)
def test_all_faults_of_a_condition_are_named_together(
    given: dict[str, Any], places: list[str], others: list[str]
) -> None:
    with pytest.raises(ValidationError) as failure:
        MetricCondition(**given)
    *single, last = failure.value.problems
    assert [problem.partition(":")[0] for problem in single] == places
    for other in others:
        assert other in last
    assert len(last.split("; ")) == len(others)
