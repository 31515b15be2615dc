"""The view of a model shows the numbers of its rows."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import jensenshannon
from sqlalchemy import event, select

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.page.contents import drift_map, model_page, performance_chart, version_lines
from aporia_provider.backend.page.contents.drift_map import DriftRow
from aporia_provider.backend.page.contents.model_page import ModelPage
from aporia_provider.backend.store.sync_tables import SyncRow
from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.models import Model
from tests.backend.conftest import copied
from tests.backend.monitors.monitored_model import (
    BINS,
    MonitoredModel,
    categories,
    configuration,
    numbers,
    on,
    rows,
    usual,
)
from tests.backend.page.drawn_model import DAYS, DRIFTED, LABELLED, TRAINING, rows_of


def page(model: MonitoredModel, **given: Any) -> ModelPage:
    return model_page.model_page(model.registry, "m", **given)


@pytest.fixture(scope="module")
def shown(drawn: MonitoredModel) -> ModelPage:
    return page(drawn)


def field(found: ModelPage, key: str) -> DriftRow:
    assert found.drift is not None
    return next(row for row in found.drift.rows if row.field.key == key)


def test_the_days_end_with_the_last_day_of_serving_data(shown: ModelPage, drawn: MonitoredModel) -> None:
    assert (shown.days.start, shown.days.end) == (on(0), on(DAYS))
    assert len(shown.days.starts) == 30
    week = page(drawn, days=7)
    assert (week.days.start, week.days.end) == (on(23), on(30))
    assert [series.version for series in week.performance.series] == ["v2"], "v1 had no data in these days"
    first = page(drawn, days=7, version="v1")
    assert (first.days.start, first.days.end) == (on(13), on(20)), "the last day with data of v1"
    assert sorted(series.version for series in first.performance.series) == ["v1", "v2"]
    assert page(drawn, days=7, now=on(12)).days.end == on(12) + timedelta(days=1), (
        "later rows are in the future"
    )


def test_the_versions_on_the_time_axis(shown: ModelPage) -> None:
    second, first = shown.versions
    assert (first.name, first.serving_from, first.serving_to) == ("v1", on(0), on(20))
    assert (second.name, second.serving_from, second.serving_to) == ("v2", on(10), on(30))
    assert (first.is_latest, second.is_latest) == (False, True)
    assert (first.tags, second.tags) == ((), ("champion",))
    assert first.registered_at <= second.registered_at
    assert shown.tags == {"champion": "v2", "team": "pricing"}


def auc(frame: pd.DataFrame) -> float:
    """The area under the curve, from ranks (Mann and Whitney)."""
    ranks, positive = frame["score"].rank(), frame["label"]
    ones, zeros = positive.sum(), (~positive).sum()
    return float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def test_performance_is_that_of_the_labels_beside_what_the_scores_let_expect(shown: ModelPage) -> None:
    chart = shown.performance
    assert chart.metric is not None
    assert (chart.metric.name, chart.metric.expected, chart.metric.better) == (
        *("auc_roc", "expected_auc_roc"),
        "higher",
    )
    second, first = chart.series
    assert (first.version, second.version) == ("v1", "v2")
    realised = {point.day: point.measured for point in second.realised}
    for day in range(10, LABELLED):
        found = realised[on(day)]
        # Scores are counted in bins.
        assert found.value == pytest.approx(auc(rows_of(day)), abs=0.005)
        assert found.low is not None
        assert found.high is not None
        assert found.low < auc(rows_of(day)) < found.high
        assert (found.samples, found.reliable) == (len(rows_of(day)), True)
    assert [realised[on(day)].value for day in (9, LABELLED, 29)] == [None] * 3
    expected = {point.day: point.measured for point in second.expected}
    # Labels fit the scores, so the area of uniform scores is 5/6.
    for day in (10, 20, 27):
        assert expected[on(day)].value == pytest.approx(5 / 6, abs=0.03)
    assert not any(point.measured.reliable for point in first.expected), "v1 has no labels in training data"
    assert second.origin.table_version == 7
    assert second.labels_origin is not None
    assert (first.labels_origin, second.labels_origin.dataset_type) == (None, "actuals")


def test_another_metric_of_performance(drawn: MonitoredModel) -> None:
    chart = page(drawn, metric="f1").performance
    point = next(each for each in chart.series[0].realised if each.day == on(15))
    predicted, label = rows_of(15)["score"] >= 0.5, rows_of(15)["label"]
    both = (predicted & label).sum()
    assert point.measured.value == pytest.approx(2 * both / (predicted.sum() + label.sum()))
    assert "auc_roc" in chart.choices
    assert "recall_per_class" not in chart.choices
    with pytest.raises(ValidationError, match="There is no metric 'rmse'"):
        page(drawn, metric="rmse")


def test_drift_is_the_distance_of_a_day_from_the_training_data(shown: ModelPage) -> None:
    boundaries = BINS["features.age"].boundaries

    def shares(frame: pd.DataFrame) -> Any:
        places = np.searchsorted(boundaries, frame["age"].dropna(), "right")
        return np.bincount(places, minlength=len(boundaries) + 1)

    cells = {cell.day: cell for cell in field(shown, "features.age").cells}
    for day in (10, 20, DRIFTED, 29):
        found = cells[on(day)]
        assert found.distance == pytest.approx(jensenshannon(shares(TRAINING), shares(rows_of(day)), base=2))
        known = rows_of(day)["age"].notna().sum()
        noise = np.sqrt((len(boundaries)) * (1 / known + 1 / TRAINING["age"].notna().sum()) / (8 * np.log(2)))
        assert found.noise == pytest.approx(noise, rel=0.05)
        assert found.excess == pytest.approx(max(0.0, found.distance - found.noise))
        assert found.samples == known
    assert [cells[on(day)].level for day in (10, 20, DRIFTED, 29)] == [0, 0, drift_map.MAX_LEVEL, 0]
    assert (cells[on(5)].level, cells[on(5)].note) == (None, "there are no rows in the range")


def test_drift_of_categories(shown: ModelPage) -> None:
    before, now = (
        frame["plan"].value_counts(normalize=True).reindex(["basic", "gold", "new"], fill_value=0)
        for frame in (TRAINING, rows_of(DRIFTED))
    )
    hellinger = np.sqrt(((before**0.5 - now**0.5) ** 2).sum() / 2)
    cell = next(cell for cell in field(shown, "features.plan").cells if cell.day == on(DRIFTED))
    assert cell.distance == pytest.approx(hellinger)


def test_fields_are_sorted_by_importance_and_paged(
    shown: ModelPage, drawn: MonitoredModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = ["predictions.proba", "features.age", "features.plan", "features.city", "raw_inputs.latency"]
    assert shown.drift is not None
    assert [row.field.key for row in shown.drift.rows] == keys
    assert [row.field.importance for row in shown.drift.rows] == [None, -3.0, 2.0, None, None]
    assert (shown.drift.version, shown.drift.fields, shown.drift.next_first) == ("v2", 5, None)
    assert (shown.drift.origin.table_version, shown.drift.baseline.table_version) == (7, 3)
    monkeypatch.setattr(drift_map, "PAGE_FIELDS", 2)
    second = page(drawn, first=2, version="v1").drift
    assert second is not None
    assert [row.field.key for row in second.rows] == keys[2:4]
    assert (second.version, second.previous_first, second.next_first) == ("v1", 0, 4)


def test_fields_without_importance_are_sorted_by_drift(model: MonitoredModel) -> None:
    model.store({day: usual(plan=categories(basic=300)) for day in range(15, 30)})
    found = page(model).drift
    assert found is not None
    assert [row.field.key for row in found.rows][:2] == ["predictions.proba", "features.plan"]
    vectors = next(row for row in found.rows if row.field.key == "features.emb")
    assert {cell.level for cell in vectors.cells} == {0}


def test_days_of_hours_are_added_up(tmp_path: Path, migrated: Path) -> None:
    rng = np.random.default_rng(4)
    ages = [rng.uniform(0, 50 if hour >= 24 else 100, 300) for hour in range(30)]
    with MonitoredModel(copied(migrated, tmp_path), "e", period="hourly") as model:
        hours = {hour: usual(age=numbers(found)) for hour, found in enumerate(ages)}
        model.store(hours, seconds=3_600)
        model.store({0: usual(age=numbers(np.concatenate(ages[:24])))}, role="training", seconds=3_600)
        found = page(model)
    assert (found.days.end, found.versions[0].serving_to) == (on(2), on(1.25))
    last = field(found, "features.age").cells[-2:]
    boundaries = BINS["features.age"].boundaries
    first, second = (
        np.bincount(np.searchsorted(boundaries, np.concatenate(chosen), "right"), minlength=10)
        for chosen in (ages[:24], ages[24:])
    )
    assert [cell.distance for cell in last] == pytest.approx([0, jensenshannon(first, second, base=2)])
    assert [cell.samples for cell in last] == [24 * 300, 6 * 300]
    assert [point.measured.value for point in found.rows[0].rows[-2:]] == [24 * 300, 6 * 300]


def test_datasets_with_their_lag_and_rows(shown: ModelPage) -> None:
    found = {(line.origin.model_version, line.origin.dataset_type): line for line in shown.datasets}
    serving, training = found["v2", "serving"], found["v2", "training"]
    assert (serving.origin.table_version, serving.latest_version, serving.lag) == (7, 9, 2)
    assert (training.lag, found["v1", "serving"].lag) == (0, None)
    assert serving.rows == sum(len(rows_of(day)) for day in range(10, DAYS))
    assert (serving.location, serving.missing) == ("s3://b/k/serving", None)
    missing = found["v2", "actuals"].missing
    assert missing is not None
    assert missing.what == "The actuals dataset of version v2 was never synced."
    daily, _ = shown.rows
    assert daily.version == "v2"
    counts = {point.day: point.measured.value for point in daily.rows}
    assert [counts[on(day)] for day in (9, 10, 29)] == [0, len(rows_of(10)), len(rows_of(29))]
    coverage = {point.day: point.measured.value for point in daily.label_coverage}
    assert [coverage[on(day)] for day in (20, LABELLED)] == [1.0, None]


def test_alerts_of_the_model(model: MonitoredModel, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, least in (("first", 40.0), ("second", 45.0)):
        rule = {"name": "RANGE", "min": least}
        model.monitor("metric_change", configuration("mean", rule, features=["age"]), name)
    model.store({29: usual(age=numbers(np.arange(300) % 50))})
    model.complete_until(on(30))
    model.evaluate(30)
    assert list(page(model).alerts) == model.registry.get_alerts("m")
    assert {alert.monitor for alert in page(model).alerts} == {"first", "second"}
    monkeypatch.setattr(model_page, "MAX_ALERTS", 1)
    assert (len(page(model).alerts), page(model).alerts_left_out) == (1, 1)


def test_what_is_left_out_is_told(drawn: MonitoredModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(performance_chart, "MAX_SERIES", 1)
    chart = page(drawn).performance
    assert ([series.version for series in chart.series], chart.left_out) == (["v2"], 1)
    monkeypatch.setattr(version_lines, "MAX_VERSIONS", 1)
    found = page(drawn)
    assert ([line.name for line in found.versions], found.versions_left_out) == (["v2"], 1)


def test_a_model_without_versions(tmp_path: Path, migrated: Path) -> None:
    with EmbeddedRegistry(copied(migrated, tmp_path), "e") as registry:
        registry.create_model(Model(id="new", name="New"))
        found = model_page.model_page(registry, "new", now=on(3.5))
    assert (found.versions, found.drift, found.datasets, found.performance.series) == ((), None, (), ())
    assert (found.days.end, [each.what for each in found.missing]) == (on(4), ["The model has no versions."])


def test_a_version_without_data(tmp_path: Path, migrated: Path) -> None:
    with MonitoredModel(copied(migrated, tmp_path), "e") as model:
        model.registry.create_model_version("m", "empty", model.registry.get_schema("m", "v1"))
        with model.registry.database.write_transaction() as session:
            for row in session.scalars(select(SyncRow)):
                session.delete(row)
        found, empty = page(model, version="v1"), page(model, version="empty")
    assert found.drift is not None
    assert [each.what for each in found.drift.missing] == [
        "The serving dataset of version v1 was never synced.",
        "The training dataset of version v1 was never synced.",
    ]
    assert found.rows == ()
    assert empty.drift is not None
    assert [each.advice for each in empty.drift.missing] == [
        "Connect it with ConnectServingOperator.",
        "Connect it with ConnectTrainingOperator.",
    ]


def test_a_version_without_labels(tmp_path: Path, migrated: Path) -> None:
    with MonitoredModel(copied(migrated, tmp_path), "e") as model:
        model.store({0: usual()})
        (missing,) = page(model).performance.missing
    assert missing.what.startswith(
        "There is no auc_roc of version v1 in these days: no actuals are connected"
    )
    assert "ConnectActualsOperator" in missing.advice


def test_what_does_not_exist_is_an_error(drawn: MonitoredModel) -> None:
    with pytest.raises(NotFoundError, match="v9"):
        page(drawn, version="v9")
    with pytest.raises(NotFoundError, match="other"):
        model_page.model_page(drawn.registry, "other")
    for given in ({"days": 0}, {"days": 367}, {"days": True}, {"first": -1}):
        with pytest.raises(ValidationError, match="whole number"):
            page(drawn, **given)


def test_the_number_of_statements_does_not_depend_on_that_of_the_fields(
    tmp_path: Path, migrated: Path
) -> None:
    counts = []
    for size in (5, 40):
        names = {f"f{place}": "numeric" for place in range(size)}
        states = {f"f{place}": numbers(np.arange(300) % 100) for place in range(size)}
        url = copied(migrated, tmp_path / str(size))
        with MonitoredModel(url, "e", features=names, feature_importance=dict.fromkeys(names, 1.0)) as model:
            model.store({0: usual(rows=rows(300), **states)}, role="training")
            model.store({day: usual(rows=rows(300), **states) for day in range(3)})
            statements: list[str] = []
            event.listen(
                model.registry.database.engine,
                "before_cursor_execute",
                lambda *given, found=statements: found.append(given[2]),
            )
            found = page(model)
        assert found.drift is not None
        assert len(found.drift.rows) == size + 2
        counts.append(len(statements))
    assert counts[0] == counts[1]
