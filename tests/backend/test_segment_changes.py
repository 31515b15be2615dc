"""Segments that carry the change of a metric."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event

from aporia_provider.backend.deadlines import Deadline, apply_deadline
from aporia_provider.backend.metrics.change_explanation import Change, explain
from aporia_provider.backend.page.contents.alert_page import alert_page
from aporia_provider.backend.page.page_access import Visitor
from aporia_provider.backend.page.template_rendering import render
from aporia_provider.errors import ValidationError
from aporia_provider.explanations import ChangeExplanation
from aporia_provider.metric_results import RangeResults
from aporia_provider.metrics import MetricsQuery
from aporia_provider.monitor_definitions import MonitorDefinition
from aporia_provider.segments import Segment
from tests.backend.conftest import copied
from tests.backend.monitors.monitored_model import MonitoredModel, on, outcomes, usual
from tests.backend.stored_terms import store_terms

VALUES = [f"v{number:02}" for number in range(40)]
PLANTED = "v17"
ROWS = 100
KEY = "performance.proba"

Cells = tuple[int, int, int, int]
"""True positives, false positives, false negatives and true negatives."""


def drawn(random: np.random.Generator, right: float) -> Cells:
    tp, fp, fn, tn = random.multinomial(ROWS, [right / 2, (1 - right) / 2, (1 - right) / 2, right / 2])
    return int(tp), int(fp), int(fn), int(tn)


@pytest.fixture(scope="module")
def days() -> dict[int, dict[str, Cells]]:
    """Three days; on the last, the predictions of one value are worse. The rows of one value are no term."""
    random = np.random.default_rng(3)
    found = {day: {value: drawn(random, 0.9) for value in [*VALUES, "other"]} for day in range(3)}
    found[2][PLANTED] = drawn(random, 0.55)
    found[2]["v03"] = (0, 0, 0, 0)
    return found


@pytest.fixture(scope="module")
def model(
    tmp_path_factory: pytest.TempPathFactory, migrated: Path, days: dict[int, dict[str, Cells]]
) -> Iterator[MonitoredModel]:
    with MonitoredModel(copied(migrated, tmp_path_factory.mktemp("segments")), "e") as found:
        whole = {
            day: {KEY: outcomes(*np.sum(list(cells.values()), axis=0).tolist())}
            for day, cells in days.items()
        }
        found.store(whole, part="performance")
        states = {
            day: {value: {KEY: outcomes(*cells[value])} for value in VALUES if sum(cells[value])}
            for day, cells in days.items()
        }
        store_terms(found, Segment(name="plan", field="plan", values=VALUES), states)
        pairs = [(f"plan = '{value}' or age > 50", value) for value in VALUES]
        store_terms(found, Segment(name="overlapping", conditions=pairs), states)
        yield found


def explained(model: MonitoredModel, metric: str, **parameters: Any) -> ChangeExplanation:
    change = Change(
        "m", metric, {"start": on(2), "end": on(3)}, {"start": on(0), "end": on(2)}, model_version="v1"
    )
    segments = model.registry.list_segments
    query = model.registry.query_metrics
    return explain(query, lambda _: None, change, parameters, segments_of=lambda: segments("m"))


@pytest.mark.slow
def test_the_planted_value_is_named_first(model: MonitoredModel, days: dict[int, dict[str, Cells]]) -> None:
    found = explained(model, "accuracy")
    plan, overlapping = sorted(found.segments, key=lambda segment: not segment.divided)
    assert [term.value for term in found.named_terms] == [PLANTED, PLANTED]
    assert plan.terms[0].value == PLANTED
    before = np.sum([days[day][PLANTED] for day in range(2)], axis=0)
    after = np.array(days[2][PLANTED])
    worst = plan.terms[0]
    assert worst.before == pytest.approx((before[0] + before[3]) / before.sum())
    assert worst.after == pytest.approx((after[0] + after[3]) / after.sum())
    assert worst.high is not None
    assert worst.high < 0
    assert (worst.samples, worst.baseline_samples) == (ROWS, 2 * ROWS)
    assert overlapping.reason is not None
    assert "may overlap" in overlapping.reason
    assert {term.contribution for term in overlapping.terms} == {None}
    text = found.to_markdown()
    assert f"| plan: {PLANTED} | {worst.before:.6g} | {worst.after:.6g} |" in text
    written = json.loads(json.dumps(found.to_dict()))["segments"]
    assert {each["segment"]: each["divided"] for each in written} == {"plan": True, "overlapping": False}


def of_terms(
    model: MonitoredModel, terms: Sequence[str], period: str | None = None
) -> tuple[list[RangeResults], int]:
    """The accuracy of terms, and the number of statements of the query."""
    metrics = [
        {
            "id": value,
            "metric": "accuracy",
            "datasets": {
                "data": {
                    "dataset_type": "serving",
                    "model_version": "v1",
                    "segment": {"id": "plan", "value": value},
                }
            },
        }
        for value in terms
    ]
    query = MetricsQuery.from_wire({"model_id": "m", "metrics": metrics, "aggregation_period": period})
    statements: list[str] = []

    def note(*given: Any) -> None:
        statements.append(given[2])

    engine = model.registry.database.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        return model.registry.query_metrics(query), len(statements)
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize("period", [None, "daily"])
def test_terms_are_read_together(model: MonitoredModel, period: str | None) -> None:
    """The results are those of a query for each term, and the number of statements is that of two terms."""
    found, statements = of_terms(model, VALUES, period)
    assert statements == of_terms(model, VALUES[1:3], period)[1]
    for value in VALUES:
        alone, _ = of_terms(model, [value], period)
        assert [(item.time_range, item.metrics) for item in alone] == [
            (item.time_range, of_term)
            for item in found
            if (of_term := [each for each in item.metrics if each.id == value])
        ]


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["accuracy", "brier", "logloss", "precision", "recall", "miss_rate"])
def test_contributions_add_up_to_the_change(
    model: MonitoredModel, days: dict[int, dict[str, Cells]], metric: str
) -> None:
    found = explained(model, metric)
    plan = next(segment for segment in found.segments if segment.divided)
    assert found.change is not None
    assert sum(term.contribution or 0.0 for term in plan.terms) == pytest.approx(found.change, abs=1e-12)
    assert [term.value for term in plan.terms].count(None) == 1
    for term in plan.terms:
        assert term.contribution == pytest.approx((term.other_share or 0) + (term.other_metric or 0))
    if metric == "precision":
        shares = [weight(days, PLANTED, period) / weight(days, None, period) for period in ((0, 1), (2,))]
        worst = next(term for term in plan.terms if term.value == PLANTED)
        assert None not in (found.before, worst.before, worst.change)
        assert worst.other_share == pytest.approx(
            (shares[1] - shares[0]) * (worst.before - found.before)  # type: ignore[operator]
        )
        assert worst.other_metric == pytest.approx(shares[1] * worst.change)  # type: ignore[operator]
    gone = next(term for term in plan.terms if term.value == "v03")
    assert (gone.after, gone.p_value, gone.other_metric) == (None, None, 0.0)


def weight(days: dict[int, dict[str, Cells]], value: str | None, period: tuple[int, ...]) -> int:
    """The number of rows that are predicted positive."""
    cells = [found for day in period for name, found in days[day].items() if value in (None, name)]
    return sum(tp + fp for tp, fp, _, _ in cells)


@pytest.mark.slow
def test_metrics_that_are_no_means_are_not_divided(model: MonitoredModel) -> None:
    found = explained(model, "f1")
    assert found.segments == ()
    assert "f1 is not a mean of rows" in str(found.reason)
    assert found.other_labels is not None
    found = explained(model, "specificity")
    assert found.other_labels is None
    assert "is not divided into inputs and labels" in str(found.reason)
    assert found.named_terms
    with pytest.raises(ValidationError, match="the change of mse can"):
        explained(model, "rmse")


def test_a_deadline_withholds_only_the_segments(model: MonitoredModel) -> None:
    def query(asked: MetricsQuery) -> list[RangeResults]:
        if any(metric.datasets.data.segment is not None for metric in asked.metrics):
            with apply_deadline(Deadline(0.0)):
                return model.registry.query_metrics(asked)
        return model.registry.query_metrics(asked)

    change = Change("m", "accuracy", {"start": on(2), "end": on(3)}, {"start": on(0), "end": on(2)}, "v1")
    found = explain(query, lambda _: None, change, {}, segments_of=lambda: model.registry.list_segments("m"))
    assert found.segments == ()
    assert "not divided by segment: The response was not complete after 0 seconds" in str(found.reason)
    assert found.other_labels is not None


@pytest.mark.slow
def test_the_view_of_an_alert_names_the_values(
    model: MonitoredModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aporia_provider.backend.page.contents.alert_page.SECONDS", 60.0)
    definition = MonitorDefinition(
        name="accuracy", type="performance_degradation", metric="accuracy", min=0.95
    )
    model.registry.apply_monitors("m", [definition.to_monitor("m")])
    model.store({2: usual()})
    model.complete_until(on(3))
    model.evaluate(3, start=on(2))
    (alert,) = model.registry.get_alerts("m")
    assert alert.start == on(2).isoformat()
    page = alert_page(model.registry, "m", alert.id)
    assert page.explanation is not None, page.explanation_note
    assert [term.value for term in page.terms if term.named] == [PLANTED, PLANTED]
    assert page.terms[0].named
    assert len(page.terms) == 10
    html = render(
        "alert.html",
        "",
        {
            **{"title": "t", "page": page, "alert": alert, "chart": None, "charts_note": None},
            **{"snoozes": {}, "trail": [], "visitor": Visitor("reader", "e", may_act=False)},
        },
    )
    assert re.search(rf'<th scope="row">plan: {PLANTED}</th>.*<td>changed</td></tr>', html)
    assert "overlapping: terms may overlap" in html
