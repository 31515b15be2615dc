"""The view of segments shows the numbers of their rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from aporia_provider.backend.page.contents import segment_map
from aporia_provider.backend.page.contents.drift_map import MAX_LEVEL
from aporia_provider.backend.page.contents.segment_comparison import confidence_for, shortfall
from aporia_provider.backend.page.contents.segment_map import SegmentLine
from aporia_provider.backend.page.contents.segment_metrics import SegmentMetric
from aporia_provider.backend.page.contents.segment_page import SegmentsPage, segments_page
from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.metric_results import MetricResult
from tests.backend.monitors.monitored_model import MonitoredModel, on
from tests.backend.page.segmented_model import (
    CITIES,
    DAYS,
    NOWHERE,
    WORSE,
    WORSE_FROM,
    of_city,
    rows_of,
)


def page(model: MonitoredModel, **given: Any) -> SegmentsPage:
    return segments_page(model.registry, "m", **{"segment": "cities", "days": DAYS, **given})


def lines(found: SegmentsPage) -> dict[str | None, SegmentLine]:
    assert found.map is not None
    return {line.label: line for line in (found.map.whole, *found.map.lines)}


def f1(frame: pd.DataFrame) -> float:
    predicted, label = frame["score"] >= 0.5, frame["label"]
    return float(2 * (predicted & label).sum() / (predicted.sum() + label.sum()))


def test_values_are_those_of_their_rows(segmented: MonitoredModel) -> None:
    found = page(segmented, metric="f1")
    frames = {day: rows_of(day) for day in range(DAYS)}
    whole = pd.concat(frames.values())
    assert (found.version, found.segment) == ("v1", "cities")
    assert (found.days.start, found.days.end) == (on(0), on(DAYS))
    by_label = lines(found)
    for city in ("a", "b", "c"):
        line = by_label[city]
        assert line.rows == len(of_city(whole, city))
        assert line.total.value == pytest.approx(f1(of_city(whole, city)))
        assert line.total.low is not None
        assert line.total.high is not None
        assert line.total.low < f1(of_city(whole, city)) < line.total.high
        recent = pd.concat([frames[day] for day in range(DAYS - 7, DAYS)])
        assert line.recent.value == pytest.approx(f1(of_city(recent, city)))
        for day in (0, WORSE_FROM, DAYS - 1):
            expected = of_city(frames[day], city)
            assert line.cells[day].measured.value == pytest.approx(f1(expected))
            assert line.cells[day].measured.samples == len(expected)
    assert by_label[None].rows == len(whole)
    assert by_label[None].total.value == pytest.approx(f1(whole))


def test_the_worst_value_comes_first_and_only_it_has_levels(segmented: MonitoredModel) -> None:
    found = page(segmented)
    assert found.metric is not None
    assert (found.metric.name, found.metric.comparison) == ("auc_roc", "higher")
    assert found.map is not None
    assert found.map.lines[0].label == WORSE
    assert found.map.lines[-1].label == NOWHERE
    levels = {line.label: [cell.level or 0 for cell in line.cells] for line in found.map.lines}
    assert not any(levels[WORSE][:WORSE_FROM])
    assert all(levels[WORSE][WORSE_FROM:])
    assert not any(levels["a"] + levels["c"])
    assert [bool(line.shortfall.level) for line in found.map.lines] == [True, False, False, False]
    nowhere = found.map.lines[-1]
    assert (nowhere.rows, nowhere.total.value, nowhere.total.reliable) == (0, None, False)
    assert nowhere.total.note
    assert found.map.whole.shortfall.level is None


def test_rows_are_ordered_by_their_number(segmented: MonitoredModel) -> None:
    found = page(segmented, metric="rows")
    counts = pd.concat([rows_of(day) for day in range(DAYS)])["city"].value_counts()
    assert found.map is not None
    assert [(line.label, line.rows) for line in found.map.lines[:3]] == list(counts.items())
    assert [line.total.value for line in found.map.lines] == [*counts, 0]
    assert {cell.level for line in found.map.lines for cell in line.cells} == {None}


def test_drift_is_the_distance_from_the_same_segment_of_the_training_data(segmented: MonitoredModel) -> None:
    found = page(segmented, metric="drift_score")
    assert found.map is not None
    assert found.map.lines[0].label == WORSE
    levels = {line.label: [cell.level for cell in line.cells] for line in found.map.lines}
    assert min(level or 0 for level in levels[WORSE][WORSE_FROM:]) >= 3
    assert set(levels["a"]) == {0}
    assert set(levels[NOWHERE]) == {None}


def test_custom_metrics_of_segments(segmented: MonitoredModel) -> None:
    found = page(segmented, metric="custom: age per row")
    whole = pd.concat([rows_of(day) for day in range(DAYS)])
    for city in ("a", "b", "c"):
        expected = of_city(whole, city)["age"].sum() / len(of_city(whole, city))
        assert lines(found)[city].total.value == pytest.approx(expected)
    filtered = lines(page(segmented, metric="custom: share of gold"))
    assert filtered[None].total.value == pytest.approx((whole["plan"] == "gold").mean())
    assert filtered["a"].total.value is None
    assert "is not computed within segment 'cities'" in str(filtered["a"].total.note)


def test_a_segment_that_is_not_computed_says_so(segmented: MonitoredModel) -> None:
    found = page(segmented, segment="plans")
    (missing,) = found.missing
    assert missing.what == "Segment plans is not computed yet for the serving dataset of version v1."
    assert found.map is None
    assert found.segments == ("cities", "plans"), "filters of custom metrics are not segments to choose"


def test_a_model_without_segments(drawn: MonitoredModel) -> None:
    (missing,) = segments_page(drawn.registry, "m").missing
    assert missing.advice == "Register one with CreateSegmentOperator."


def test_what_does_not_exist_is_an_error(segmented: MonitoredModel) -> None:
    with pytest.raises(NotFoundError, match="has no segment 'citys'"):
        page(segmented, segment="citys")
    with pytest.raises(NotFoundError, match="v9"):
        page(segmented, version="v9")
    with pytest.raises(ValidationError, match="There is no metric 'f2'"):
        page(segmented, metric="f2")


@pytest.mark.fast
def test_a_difference_within_its_interval_is_not_a_shortfall() -> None:
    higher, lower = (SegmentMetric("x", "x", comparison=each) for each in ("higher", "lower"))
    whole = MetricResult(0.8, samples=100)
    chance = MetricResult(0.7, low=0.55, high=0.81, samples=10)
    assert shortfall(higher, chance, whole).level == 0
    sure = MetricResult(0.7, low=0.65, high=0.75, samples=10)
    assert shortfall(higher, sure, whole).level == 3
    assert shortfall(lower, sure, whole).level == 0
    assert shortfall(lower, MetricResult(9.0, low=8.0, high=10.0), whole).level == MAX_LEVEL
    either = SegmentMetric("x", "x", comparison="either")
    assert shortfall(either, MetricResult(0.9, low=0.85, high=0.95), whole).level == 3
    assert shortfall(higher, MetricResult(0.7), whole).level is None
    assert shortfall(higher, MetricResult(None, "insufficient_data", shown=0.1), whole).level is None
    places = [shortfall(higher, each, whole).place for each in (sure, chance, MetricResult(0.1))]
    assert places == sorted(places)


@pytest.mark.fast
def test_intervals_are_wider_for_more_values() -> None:
    assert [confidence_for(values) for values in (1, 4, 50, 100)] == pytest.approx([0.9, 0.975, 0.998, 0.999])
    assert np.all(np.diff([confidence_for(values) for values in range(100)]) >= 0)


def test_values_are_paged_after_they_are_ordered(
    segmented: MonitoredModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment_map, "PAGE_VALUES", 2)
    found = [page(segmented, first=first).map for first in (0, 2)]
    pages = [[line.label for line in each.lines] for each in found if each]
    assert pages[0][0] == WORSE
    assert sorted(map(str, pages[0] + pages[1])) == sorted(CITIES)
    assert [(each.previous_first, each.next_first) for each in found if each] == [(None, 2), (0, None)]
