"""Which windows are judged, when, and how often."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select, update

from aporia_provider.backend.monitors import evaluation
from aporia_provider.backend.store.monitor_tables import AlertEventRow, AlertRow, VerdictRow
from aporia_provider.backend.store.tables import MonitorRow
from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.models import Monitor
from tests.backend.monitors.monitored_model import (
    MonitoredModel,
    configuration,
    labelled,
    numbers,
    on,
    rows,
    usual,
)

DAY = 30
"""The first day that is not stored."""
MEAN = configuration("mean", {"name": "RANGE", "min": 40.0}, features=["age"])
LOW = numbers(np.arange(300) % 50)
"""Ages with the mean 24.5."""
ACTIVITY = configuration("count", {"name": "RANGE", "min": 100.0})


def stored(model: MonitoredModel) -> list[tuple[float, str]]:
    """The days that were judged, and the outcomes."""
    with model.registry.database.read_transaction() as session:
        found = session.execute(select(VerdictRow.start, VerdictRow.outcome).order_by(VerdictRow.start))
        first = on(0).timestamp()
        return [((start - first) / 86_400, outcome) for start, outcome in found]


def alerts(model: MonitoredModel) -> list[tuple[str, int]]:
    """The statuses of alerts, and the numbers of their windows."""
    with model.registry.database.read_transaction() as session:
        found = session.execute(select(AlertRow.status, AlertRow.occurrences).order_by(AlertRow.key))
        return [(status, count) for status, count in found]


def test_the_first_evaluation_judges_the_latest_complete_window_and_later_ones_the_new_ones(
    model: MonitoredModel,
) -> None:
    model.monitor("metric_change", MEAN)
    assert model.evaluate(20.9)["windows"] == 1
    assert stored(model) == [(19, "pass")]
    assert model.evaluate(20.95)["windows"] == 0, "nothing has changed"
    assert model.evaluate(23)["windows"] == 3
    assert stored(model) == [(day, "pass") for day in (19, 20, 21, 22)]


def test_windows_are_complete_at_the_last_commit_that_changed_the_data(model: MonitoredModel) -> None:
    model.monitor("metric_change", MEAN)
    model.complete_until(on(19.5))
    model.evaluate(25)
    assert stored(model) == [(18, "pass")]
    model.complete_until(on(20))
    model.evaluate(25)
    assert stored(model) == [(18, "pass"), (19, "pass")]


def test_activity_is_judged_by_the_clock(model: MonitoredModel) -> None:
    """A table to which nothing is written any more is what this monitor is for."""
    key = model.monitor("model_activity", ACTIVITY)
    model.complete_until(on(29.5))
    with model.registry.database.write_transaction() as session:
        session.execute(update(MonitorRow).where(MonitorRow.id == key).values(created_at=on(31.5)))
    model.evaluate(31)
    assert stored(model) == [(29, "pass")], "day 30 ended before the monitor was created, and has no rows"
    model.evaluate(32)
    assert stored(model) == [(29, "pass"), (31, "fail")]
    assert alerts(model) == [("open", 1)]


@pytest.mark.parametrize(("skip", "judged"), [("1d", 28), ("2w", 15)])
def test_skipped_time_precedes_the_evaluation(model: MonitoredModel, skip: str, judged: int) -> None:
    focal = {"skipPeriod": skip}
    model.monitor("metric_change", configuration("mean", {"name": "RANGE", "min": 0.0}, focal=focal))
    model.evaluate(DAY)
    assert stored(model) == [(judged, "pass")]


@pytest.mark.parametrize(("period", "start"), [("2d", 28), ("2w", 16), ("1M", 0)])
def test_long_windows_end_with_each_day(model: MonitoredModel, period: str, start: float) -> None:
    rule = {"name": "RANGE", "min": 49.5, "max": 49.5}
    model.monitor(
        "metric_change", configuration("mean", rule, focal={"timePeriod": period}, features=["age"])
    )
    # Day 30 is 31 January, and a month before it is the last day of the year.
    with model.registry.database.read_transaction() as session:
        assert session.scalars(select(VerdictRow)).all() == []
    model.evaluate(DAY)
    before = -1 if period == "1M" else start
    assert stored(model) == [(before, "pass")]
    model.evaluate(DAY + 1)
    assert len(stored(model)) == 2


def test_windows_of_hours_need_buckets_of_hours(model: MonitoredModel) -> None:
    model.monitor(
        "model_activity", configuration("count", {"name": "RANGE", "min": 1}, focal={"timePeriod": "6h"})
    )
    (report,) = model.evaluate(DAY)["monitors"]
    assert report["problems"] == ["the buckets of this model are days: focal.timePeriod must be whole days"]


def test_late_labels_are_judged_once(model: MonitoredModel) -> None:
    """A day that was good is judged again and its alert opens; corrected labels resolve it."""
    metric = {"type": "accuracy", "threshold": 0.5}
    model.monitor("performance_degradation", configuration(metric, {"name": "RANGE", "min": 0.8}))
    model.evaluate(DAY)
    model.store({27: labelled(50, 50, 60, 140)}, part="performance")
    assert model.evaluate(DAY)["windows"] == 0, "day 27 was not judged before"
    model.evaluate(DAY, start=on(27))
    assert stored(model) == [(27, "fail"), (28, "pass"), (29, "pass")]
    model.store({28: labelled(50, 50, 60, 140)}, part="performance")
    report = model.evaluate(DAY)
    assert report["windows"] == 1
    assert stored(model)[1] == (28, "fail")
    assert model.evaluate(DAY)["windows"] == 0
    model.store({27: labelled(), 28: labelled()}, part="performance")
    assert model.evaluate(DAY)["windows"] == 2
    assert stored(model) == [(27, "pass"), (28, "pass"), (29, "pass")]
    assert {status for status, _ in alerts(model)} == {"resolved"}


def test_states_that_are_replaced_by_equal_ones_are_not_judged_again(model: MonitoredModel) -> None:
    model.monitor("metric_change", MEAN)
    model.evaluate(DAY)
    model.store({29: usual()})
    assert model.evaluate(DAY)["windows"] == 0
    model.store({29: usual(age=LOW)})
    assert model.evaluate(DAY)["windows"] == 1
    assert stored(model) == [(29, "fail")]


def test_two_evaluations_at_once_open_an_alert_once(
    model: MonitoredModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have computed their verdicts before either records them."""
    model.monitor("metric_change", MEAN)
    model.store({29: usual(age=LOW)})
    both, record = threading.Barrier(2), evaluation.Evaluation._record

    def together(self: Any, report: Any) -> None:
        both.wait(120)
        record(self, report)

    monkeypatch.setattr(evaluation.Evaluation, "_record", together)
    reports: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda: reports.append(model.evaluate(DAY))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(report["windows"] for report in reports) == [0, 1]
    assert sorted(report["opened"] for report in reports) == [0, 1]
    assert alerts(model) == [("open", 1)]


def test_verdicts_from_states_that_were_replaced_meanwhile_are_not_recorded(
    model: MonitoredModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.monitor("metric_change", MEAN)
    record = evaluation.Evaluation._record

    def after_a_sync(self: Any, report: Any) -> None:
        model.store({29: usual(age=LOW)})
        record(self, report)

    with monkeypatch.context() as patched:
        patched.setattr(evaluation.Evaluation, "_record", after_a_sync)
        assert model.evaluate(DAY)["windows"] == 0
    assert stored(model) == []
    model.evaluate(DAY)
    assert stored(model) == [(29, "fail")]


def test_an_evaluation_that_fails_halfway_is_continued(
    model: MonitoredModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("first", "second"):
        model.monitor("metric_change", MEAN, name)
    model.store({29: usual(age=LOW)})
    record = evaluation.record_verdicts
    calls = iter([False, True])

    def crash(*given: Any) -> Any:
        found = record(*given)
        if next(calls):
            raise OSError("the process ends")
        return found

    with monkeypatch.context() as patched:
        patched.setattr(evaluation, "_RECORDED_AT_ONCE", 1)
        patched.setattr(evaluation, "record_verdicts", crash)
        with pytest.raises(OSError, match="ends"):
            model.evaluate(DAY)
    assert alerts(model) == [("open", 1)]
    model.evaluate(DAY)
    assert alerts(model) == [("open", 1), ("open", 1)]
    with model.registry.database.read_transaction() as session:
        assert [event.kind for event in session.scalars(select(AlertEventRow))] == ["opened", "opened"]


def test_at_most_a_hundred_windows_are_judged_and_the_report_says_how_many_are_left(
    model: MonitoredModel,
) -> None:
    model.monitor("model_activity", ACTIVITY)
    report = model.evaluate(DAY, start=on(-100))
    assert (report["windows"], report["monitors"][0]["left_out"]) == (30, 0), "nothing was there before day 0"
    model.monitor("metric_change", MEAN, "another")
    another = model.evaluate(DAY, start=on(-200))["monitors"][1]
    assert (another["windows"], another["left_out"]) == (100, 130)
    assert another["verdicts"] == {"pass": 30, "fail": 0, "insufficient": 70}
    assert "130 older windows were not judged: give start and end" in another["notes"]
    model.evaluate(DAY, start=on(-200), end=on(-90))
    assert len(stored(model)) == 30 + 200


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ({"name": "MIN_FOCAL_DATA_POINTS", "value": 301}, "the window has 300 rows, but 301 are required"),
        ({"name": "MIN_BASELINE_DATA_POINTS", "value": 4201}, "the baseline has 4200 rows, but 4201"),
        ({"name": "BASELINE_MIN_BUCKETS", "value": 15}, "the baseline has 14 parts with rows, but 15"),
        ({"name": "BASELINE_DATA_VALUE_IN_RANGE", "min": 50}, "the value 49.5 of the baseline is outside"),
    ],
)
def test_conditions_on_the_amount_of_data(
    model: MonitoredModel, condition: dict[str, Any], reason: str
) -> None:
    model.store({DAY: usual(age=LOW)})
    rule, baseline = {"name": "RATIO", "min": 0.9}, {"skipPeriod": "1d"}
    for name, value in (("met", condition.get("value", 0) - 1), ("not met", condition.get("value"))):
        changed = {**condition, **({"value": value} if "value" in condition else {})}
        if name == "met" and "min" in condition:
            changed["min"] = 49
        given = configuration("mean", rule, baseline=baseline, conditions=[changed], features=["age"])
        model.monitor("metric_change", given, name)
    met, not_met = model.evaluate(DAY + 1)["monitors"]
    assert (met["verdicts"]["fail"], not_met["verdicts"]["insufficient"]) == (1, 1)
    assert reason in not_met["notes"][0]


def test_a_value_that_the_monitor_ignores_passes(model: MonitoredModel) -> None:
    """So the alert of an earlier, greater value is resolved."""
    condition = {"name": "FOCAL_DATA_VALUE_IN_RANGE", "min": 0.15}
    given = configuration(
        "missing_ratio", {"name": "RANGE", "max": 0.05}, conditions=[condition], raw_inputs=["latency"]
    )
    model.monitor("missing_values", given)
    model.store({DAY: usual(latency=numbers(range(200), nulls=100))})
    model.evaluate(DAY + 1)
    model.store({DAY + 1: usual()})
    model.evaluate(DAY + 2)
    assert stored(model) == [(30, "fail"), (31, "pass")]
    assert alerts(model) == [("resolved", 1)]


def test_a_window_without_data_is_insufficient(model: MonitoredModel) -> None:
    model.monitor("metric_change", MEAN)
    (report,) = model.evaluate(DAY + 1)["monitors"]
    assert report["verdicts"] == {"pass": 0, "fail": 0, "insufficient": 1}
    assert report["notes"] == ["features.age: there are no rows in the range"]


def test_versions(model: MonitoredModel) -> None:
    """Each active version, the latest, one by name, and the union."""
    model.add_version("v2")
    model.store({day: usual(age=LOW) for day in range(20, DAY)}, version="v2")
    mean = {"name": "RANGE", "min": 37.0, "max": 37.0}
    for version in (None, "latest", "v1", "all_versions"):
        given = configuration("mean", mean, features=["age"], version=version)
        model.monitor("metric_change", given, str(version))
    model.monitor("metric_change", configuration("mean", mean, version="v3"), "unknown")
    model.evaluate(DAY)
    with model.registry.database.read_transaction() as session:
        query = select(MonitorRow.name, VerdictRow.version, VerdictRow.outcome).join(
            MonitorRow, VerdictRow.monitor_key == MonitorRow.key
        )
        found = session.execute(query.order_by(MonitorRow.key, VerdictRow.version)).all()
    # The mean of both versions together is (49.5 + 24.5) / 2.
    assert [tuple(row) for row in found] == [
        ("None", "v1", "fail"),
        ("None", "v2", "fail"),
        ("latest", "v2", "fail"),
        ("v1", "v1", "fail"),
        ("all_versions", "", "pass"),
    ]
    (unknown,) = [each for each in model.evaluate(DAY)["monitors"] if each["problems"]]
    assert unknown["problems"] == ["models.version: there is no version 'v3'; there are 'v1', 'v2'"]


def test_drift_of_a_field_in_its_own_history(model: MonitoredModel) -> None:
    """Without thresholds, the fields of a model are compared with what is usual for them."""
    rng = np.random.default_rng(7)
    names = ["age", *(f"f{number}" for number in range(5))]
    with MonitoredModel(
        model.registry.database.url.render_as_string(), "other", features=dict.fromkeys(names, "numeric")
    ) as other:
        for day in range(60):
            shift = 40 if day >= 58 else 0
            fields = {name: numbers(np.clip(rng.normal(50, 10, 300), 0, 99)) for name in names}
            fields["age"] = numbers(np.clip(rng.normal(50 + shift, 10, 300), 0, 99))
            other.store({day: {**usual(), **{f"features.{name}": state for name, state in fields.items()}}})
        given = configuration(
            "histogram", {"name": "APORIA_DRIFT_SCORE", "falseAlarmsAYear": 1}, features=names
        )
        other.monitor("data_drift", given)
        report = other.evaluate(58, start=on(50))
        assert report["verdicts"] == {"pass": 8 * 6, "fail": 0, "insufficient": 0}
        assert other.evaluate(60)["verdicts"] == {"pass": 5 * 2, "fail": 2, "insufficient": 0}


def test_the_faults_of_a_configuration_are_reported_for_each_monitor(model: MonitoredModel) -> None:
    bad = {"name": "RANGE", "maxx": 1}
    given = configuration("mean", bad, features=["age"], baseline={"timePeriod": "2 weeks"})
    model.monitor("metric_change", given, "bad")
    model.monitor(
        "metric_change", configuration("mean", {"name": "RANGE", "max": 1}, features=["agee"]), "worse"
    )
    model.monitor("metric_change", MEAN, "good")
    bad_report, worse, good = model.evaluate(DAY)["monitors"]
    assert bad_report["problems"] == [
        "configuration.baseline.timePeriod: '2 weeks' is not a length of time, such as '6h' (hours), '1d' "
        "(days), '2w' (weeks) or '1M' (months)",
        "configuration.logicEvaluations.0.RANGE.maxx: there is no such parameter; did you mean 'max'?",
    ]
    assert worse["problems"] == ["version v1: features: there is no 'agee'; did you mean 'age'?"]
    assert (good["problems"], good["windows"]) == ([], 1)
    listed = {each["name"]: each["problems"] for each in model.registry.get_monitors("m")}
    assert listed == {"bad": bad_report["problems"], "worse": [], "good": []}


def test_monitors_that_are_not_active_are_not_evaluated(model: MonitoredModel) -> None:
    inactive = Monitor(
        name="n", type="metric_change", scheduling="0 * * * *", configuration=MEAN, is_active=False
    )
    model.registry.create_monitor(inactive)
    assert model.evaluate(DAY)["monitors"] == []


def test_descriptions_have_the_placeholders_of_the_protocol(model: MonitoredModel) -> None:
    text = (
        "<b>{model}</b> {model_version}: {metric} of {field} was {focal_value} on {focal_times}, below "
        "{min_threshold} ({max_threshold}, {importance}, {unknown} {__class__})"
    )
    model.store({29: usual(age=LOW)})
    model.monitor(
        "metric_change",
        configuration("mean", {"name": "RANGE", "min": 40.0}, description=text, features=["age"]),
    )
    model.evaluate(DAY)
    with model.registry.database.read_transaction() as session:
        (alert,) = session.scalars(select(AlertRow))
        assert alert.details["description"] == (
            "<b>The &lt;model&gt;</b> v1: mean of age was 24.5 on 2024-01-30 00:00 - 2024-01-31 00:00, below "
            "40.0 (-, -, {unknown} {__class__})"
        )


def test_invalid_questions(model: MonitoredModel) -> None:
    with pytest.raises(NotFoundError, match="no model 'n'"):
        model.registry.evaluate_monitors("n")
    with pytest.raises(NotFoundError, match="version 'v9'"):
        model.registry.evaluate_monitors("m", "v9")
    with pytest.raises(ValidationError) as error:
        model.registry.evaluate_monitors("m", start=datetime(2024, 1, 1), now=datetime(2024, 1, 1))  # noqa: DTZ001
    assert len(error.value.problems) == 2
    with pytest.raises(ValidationError, match="is not before"):
        model.registry.evaluate_monitors("m", start=on(1), end=on(1) - timedelta(days=1))


def test_rows_of_a_count(model: MonitoredModel) -> None:
    model.store({DAY: usual(rows=rows(99))})
    model.monitor("model_activity", ACTIVITY)
    assert model.evaluate(DAY + 1)["verdicts"]["fail"] == 1


def test_monitors_of_one_metric_keep_their_own_baselines(model: MonitoredModel) -> None:
    rule = {"name": "TIME_SERIES_ANOMALY", "falseAlarmsAYear": 1.0}
    for name, skipped in (("near", "1d"), ("far", "11d")):
        baseline = {"timePeriod": "2w", "skipPeriod": skipped, "aggregationPeriod": "1d"}
        body = configuration("mean", rule, baseline=baseline, features=["age"])
        model.monitor("metric_change", body, name)
    model.store({29: usual(age=numbers(np.arange(300) % 10))})
    model.complete_until(on(30))
    assert model.evaluate(30)["opened"] == 2
    compared = {alert.monitor: alert.failed[0].baseline_samples for alert in model.registry.get_alerts()}
    # 300 rows a day: the days 0 to 28, and 0 to 18.
    assert compared == {"near": 29 * 300, "far": 19 * 300}
