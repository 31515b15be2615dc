"""The views of a model and of a field show the rows of a segment, and custom metrics."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from scipy.spatial.distance import jensenshannon

from aporia_provider.backend.page.contents.custom_metric_lines import CustomMetricLine
from aporia_provider.backend.page.contents.field_page import FieldPage, field_page
from aporia_provider.backend.page.contents.model_page import ModelPage, model_page
from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.segment_values import SegmentValue
from tests.backend.monitors.monitored_model import MonitoredModel
from tests.backend.page.segmented_model import DAYS, TRAINING, WORSE, WORSE_FROM, of_city, rows_of

OF_WORSE = SegmentValue(id="cities", value=WORSE)
FRAMES = {day: of_city(rows_of(day), WORSE) for day in (0, DAYS - 1)}


def shown(model: MonitoredModel, **given: Any) -> ModelPage:
    return model_page(model.registry, "m", **{"days": DAYS, "segment": OF_WORSE, **given})


def field(model: MonitoredModel, key: str = "features.plan", **given: Any) -> FieldPage:
    return field_page(model.registry, "m", "v1", key, **{"days": DAYS, "segment": OF_WORSE, **given})


def test_performance_and_rows_are_those_of_the_segment(segmented: MonitoredModel) -> None:
    found = shown(segmented, metric="accuracy")
    assert found.segment is not None
    assert (found.segment.described, found.segment.condition) == ("b of cities", "city = 'b'")
    (series,), (daily,) = found.performance.series, found.rows
    for day, frame in FRAMES.items():
        accuracy = ((frame["score"] >= 0.5) == frame["label"]).mean()
        assert series.realised[day].measured.value == pytest.approx(accuracy)
        assert daily.rows[day].measured.value == len(frame)
        assert daily.label_coverage[day].measured.value == 1
    everything = shown(segmented, segment=None)
    assert everything.segment is None
    assert everything.rows[0].rows[0].measured.value == len(rows_of(0))


def test_drift_is_that_of_the_segment_from_the_same_segment_of_the_training_data(
    segmented: MonitoredModel,
) -> None:
    found = shown(segmented).drift
    assert found is not None
    cells = next(row.cells for row in found.rows if row.field.key == "predictions.proba")
    assert [bool(cell.level) for cell in cells] == [day >= WORSE_FROM for day in range(DAYS)]
    assert [cell.samples for cell in cells][:: DAYS - 1] == [len(frame) for frame in FRAMES.values()]


def test_the_distribution_of_a_field_beside_the_same_segment(segmented: MonitoredModel) -> None:
    before, now = of_city(TRAINING, WORSE), FRAMES[DAYS - 1]
    found = field(segmented, day="2024-01-14")
    assert (found.baseline.rows, found.current.rows) == (len(before), len(now))
    shares = {line.name: (line.baseline_share, line.current_share) for line in found.bins}
    for plan in ("basic", "gold"):
        expected = (before["plan"] == plan).mean(), (now["plan"] == plan).mean()
        assert shares[plan] == pytest.approx(expected)
    scores = field(segmented, "predictions.proba", day="2024-01-14")
    counts = pd.Series({line.name: line.baseline for line in scores.bins})
    current = pd.Series({line.name: line.current for line in scores.bins})
    assert counts.sum() == len(before)
    assert scores.distances[0].measured.value == pytest.approx(jensenshannon(counts, current, base=2))
    unique = next(each for each in found.series if each.name == "unique_values").points[0]
    assert unique.measured.samples == len(FRAMES[0])


def test_a_segment_that_is_not_computed_says_so(segmented: MonitoredModel) -> None:
    gold = SegmentValue(id="plans", value="gold")
    found = shown(segmented, segment=gold)
    assert found.drift is not None
    assert found.drift.rows == ()
    assert found.drift.missing[0].what.startswith("Segment plans is not computed yet for the serving dataset")
    (missing,) = found.performance.missing
    assert "value 'gold' of segment 'plans' has not been computed" in missing.what
    assert "has not been computed for the serving dataset" in str(field(segmented, segment=gold).missing)


def custom(found: ModelPage) -> dict[str, CustomMetricLine]:
    assert found.custom_metrics is not None
    return {line.name: line for line in found.custom_metrics.lines}


def test_custom_metrics_of_the_model(segmented: MonitoredModel) -> None:
    found = custom(shown(segmented, segment=None))
    whole = pd.concat([rows_of(day) for day in range(DAYS)])
    share, age = found["share of gold"], found["age per row"]
    assert share.total.value == pytest.approx((whole["plan"] == "gold").mean())
    assert share.points[3].measured.value == pytest.approx((rows_of(3)["plan"] == "gold").mean())
    assert age.total.value == pytest.approx(whole["age"].sum() / len(whole))
    assert age.code == 'sum(column="age") / count()'
    assert "there is no interval" in str(age.total.note)


def test_custom_metrics_of_a_segment(segmented: MonitoredModel) -> None:
    found = custom(shown(segmented))
    assert found["age per row"].points[0].measured.value == pytest.approx(
        FRAMES[0]["age"].sum() / len(FRAMES[0])
    )
    assert found["share of gold"].total.value is None
    assert "is not computed within segment 'cities'" in str(found["share of gold"].total.note)


def test_what_does_not_exist_is_an_error(segmented: MonitoredModel) -> None:
    for view in (shown, field):
        with pytest.raises(NotFoundError, match="has no segment 'none'"):
            view(segmented, segment=SegmentValue(id="none", value="x"))
        with pytest.raises(ValidationError, match="Segment 'cities' has no value 'x'"):
            view(segmented, segment=SegmentValue(id="cities", value="x"))
