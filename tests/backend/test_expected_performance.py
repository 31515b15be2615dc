"""Performance before labels, from tables to answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import brier_score_loss, log_loss, precision_score, recall_score, roc_auc_score

from aporia_provider.cli.main import main
from aporia_provider.errors import ValidationError
from aporia_provider.hooks.metrics import MetricsHook
from aporia_provider.segments import Segment
from tests.backend.syncing import MODEL, SyncedVersion, labelled, served

pytestmark = pytest.mark.process

ROWS = 1_500
JANUARY_3 = {"start": "2024-01-03", "end": "2024-01-04"}
BASELINE = {"dataset_type": "serving", "time_range": {"start": "2024-01-01", "end": "2024-01-03"}}


def predicted(day: int, shift: float = 0.0) -> tuple[pa.Table, dict[str, bool]]:
    """Predictions of a day, and their labels, whose share of true ones is the score to the power of 1.5."""
    random = np.random.default_rng(day)
    logits = random.normal(shift, 2, ROWS)
    scores = 1 / (1 + np.exp(-logits))
    ids = [f"{day}/{number}" for number in range(ROWS)]
    table = served(*(day + (number + 0.5) / ROWS for number in range(ROWS)), ids=ids, score=scores)
    return table, dict(zip(ids, (random.random(ROWS) < scores**1.5).tolist(), strict=True))


@pytest.fixture
def hook(monitored: SyncedVersion, monkeypatch: pytest.MonkeyPatch) -> MetricsHook:
    monkeypatch.setenv("AIRFLOW__APORIA__DATABASE_URL", str(monitored.registry.database.url))
    monkeypatch.setenv("AIRFLOW__APORIA__ENVIRONMENT", "prod")
    return MetricsHook()


def metric_result(hook: MetricsHook, metric: str, **more: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"baseline": BASELINE, **JANUARY_3, **more}
    (result,) = hook.get_metric(MODEL, metric, **given)
    return result


def test_performance_is_known_before_labels_and_compared_with_them(
    monitored: SyncedVersion, hook: MetricsHook
) -> None:
    monitored.connect("serving")
    monitored.connect("actuals")
    days = {day: predicted(day, shift) for day, shift in ((1, 0.0), (2, 0.0), (3, 1.0))}
    for table, _ in days.values():
        monitored.write("serving", table)
    DeltaTable.create(monitored.path("actuals"), labelled(None, {}).schema)
    monitored.sync()
    assert metric_result(hook, "expected_accuracy")["reason"] == "the baseline has no labels"

    monitored.write("actuals", labelled(5, days[1][1] | days[2][1]))
    monitored.sync("actuals")
    names = ("accuracy", "precision", "recall", "f1", "auc_roc", "logloss", "brier")
    before = {name: metric_result(hook, f"expected_{name}") for name in names}
    assert metric_result(hook, "accuracy")["status"] == "insufficient_data"
    assert {answer["samples"] for answer in before.values()} == {ROWS}
    assert {answer["baseline_samples"] for answer in before.values()} == {2 * ROWS}
    assert metric_result(hook, "expected_minus_realised_accuracy")["reason"] == "no row is labelled"

    monitored.write("actuals", labelled(8, days[3][1]))
    monitored.sync("actuals")
    for name in names:
        answer, realised = before[name], metric_result(hook, name)["value"]
        assert answer["status"] == "ok"
        assert answer["low"] <= realised <= answer["high"], name
        assert answer["low"] < answer["value"] < answer["high"]
        assert metric_result(hook, f"expected_{name}") == answer, "labels of the rows themselves are not used"
    difference = metric_result(hook, "expected_minus_realised_accuracy")
    assert difference["value"] == pytest.approx(
        before["accuracy"]["value"] - metric_result(hook, "accuracy")["value"], abs=1e-12
    )
    assert difference["low"] < 0 < difference["high"]
    assert difference["reason"] is None
    monitored.check()


def test_realised_metrics_are_those_of_the_rows(monitored: SyncedVersion, hook: MetricsHook) -> None:
    """A calibration on the day itself gives the metrics of scikit-learn, up to pooling."""
    monitored.connect("serving")
    monitored.connect("actuals")
    table, labels = predicted(3)
    monitored.registry.create_segment(MODEL, Segment(name="city", field="city", values=["Oslo", "Rome"]))
    monitored.write("serving", table)
    monitored.write("actuals", labelled(5, labels))
    monitored.sync()
    itself = {"dataset_type": "serving", "time_range": JANUARY_3}
    in_rome = np.array(table["city"].to_pylist()) == "Rome"
    for segment, rows in ((None, slice(None)), ({"id": "city", "value": "Rome"}, in_rome)):
        scores, true = table["score"].to_numpy()[rows], np.array(list(labels.values()))[rows]
        expected = {
            "precision": precision_score(true, scores >= 0.5),
            "recall": recall_score(true, scores >= 0.5),
            "auc_roc": roc_auc_score(true, scores),
            "logloss": log_loss(true, scores),
            "brier": brier_score_loss(true, scores),
        }
        for name, number in expected.items():
            given = {"baseline": itself, "segment": segment, "minimum_baseline": 100}
            found = metric_result(hook, f"expected_{name}", **given)
            assert found["value"] == pytest.approx(number, abs=0.03 if segment else 0.02), name
            assert found["samples"] == len(scores)
    positives = metric_result(hook, "expected_minus_realised_positives", baseline=itself)
    assert (positives["value"], positives["p_value"]) == pytest.approx((0, 1), abs=1e-9)


def test_a_changed_truth_is_an_alarm(monitored: SyncedVersion, hook: MetricsHook) -> None:
    monitored.connect("serving")
    monitored.connect("actuals")
    for day in (1, 2, 3):
        table, labels = predicted(day)
        monitored.write("serving", table)
        monitored.write("actuals", labelled(5, labels if day < 3 else dict.fromkeys(labels, False)))
    monitored.sync()
    for name in ("expected_minus_realised_accuracy", "expected_minus_realised_positives"):
        found = metric_result(hook, name)
        assert found["status"] == "ok"
        assert found["p_value"] < 1e-9
        assert "the interval does not contain 0" in found["reason"]
    assert metric_result(hook, "expected_minus_realised_positives")["low"] > 0.2


def test_the_default_baseline_is_the_dataset_with_labels(
    monitored: SyncedVersion, hook: MetricsHook, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monitored.connect("serving")
    monitored.connect("actuals")
    table, _ = predicted(3)
    monitored.write("serving", table)
    DeltaTable.create(monitored.path("actuals"), labelled(None, {}).schema)
    monitored.sync()
    lacking = metric_result(hook, "expected_accuracy", baseline=None)
    assert "neither the testing nor the training dataset has labels" in lacking["reason"]

    monitored.connect("testing", labels={"score": "true"})
    assert "has never been synced" in metric_result(hook, "expected_accuracy", baseline=None)["reason"]
    tested, labels = predicted(1)
    monitored.write("testing", tested.append_column("true", pa.array(list(labels.values()))))
    monitored.sync("testing")
    found = metric_result(hook, "expected_accuracy", baseline=None)
    assert (found["status"], found["baseline_samples"]) == ("ok", ROWS)
    few = metric_result(hook, "expected_accuracy", baseline=None, minimum_baseline=2_000)
    assert (few["value"], few["shown"]) == (None, found["value"])
    assert "only 1500 labels in the baseline; 2000 are needed" in few["reason"]

    url = ["--database-url", str(monitored.registry.database.url), "--environment", "prod"]
    assert main(["metrics", MODEL, "expected_accuracy", "expected_f1", "--json", *url]) == 0
    (answer,) = json.loads(capsys.readouterr().out)
    assert answer["metrics"][0]["value"] == found["value"]


PERIODS = {**JANUARY_3, "baseline_start": "2024-01-01", "baseline_end": "2024-01-03"}


def gap(past: tuple[Any, Any], scores: Any, labels: Any) -> float:
    """Realised minus expected accuracy of rows, by scikit-learn."""
    shares = IsotonicRegression(out_of_bounds="clip").fit(*past).predict(scores)
    predicted = scores >= 0.5
    return float(np.mean(predicted == labels) - np.mean(np.where(predicted, shares, 1 - shares)))


@pytest.fixture
def four_days(monitored: SyncedVersion) -> dict[int, tuple[Any, Any]]:
    """
    Scores and labels by day, synced.

    On the third day the scores and an input are shifted; on the fourth, half of the true labels are false.
    """
    monitored.connect("serving")
    monitored.connect("actuals")
    random = np.random.default_rng(9)
    days = {}
    for day, shift in ((1, 0.0), (2, 0.0), (3, 1.5), (4, 0.0)):
        table, labels = predicted(day, shift)
        if day == 3:
            table = table.set_column(2, "age", pa.array(random.normal(60, 9, ROWS)))
        if day == 4:
            labels = {id_: label and bool(random.random() < 0.5) for id_, label in labels.items()}
        monitored.write("serving", table)
        monitored.write("actuals", labelled(9, labels))
        days[day] = table["score"].to_numpy(), np.array(list(labels.values()))
    monitored.sync()
    return days


def test_a_change_is_the_sum_of_its_parts(four_days: dict[int, tuple[Any, Any]], hook: MetricsHook) -> None:
    for metric in ("accuracy", "precision", "logloss", "brier", "auc_roc"):
        found = hook.explain_change(MODEL, metric, importance={"age": 2.0, "city": 1.0}, **PERIODS)
        (before,) = hook.get_metric(MODEL, metric, start="2024-01-01", end="2024-01-03")
        assert (found.before, found.after) == (
            before["value"],
            metric_result(hook, metric, baseline=None)["value"],
        )
        assert found.other_inputs + found.other_labels == pytest.approx(found.after - found.before, abs=1e-12)
        assert found.low < found.other_labels < found.high
        assert found.p_value > 0.01
        assert [(one.field, one.importance) for one in found.fields] == [("features.age", 2.0)]
        assert (found.samples, found.baseline_samples) == (ROWS, 2 * ROWS)


def test_changed_labels_are_told_from_changed_inputs(
    four_days: dict[int, tuple[Any, Any]], hook: MetricsHook
) -> None:
    past = tuple(np.concatenate(sides) for sides in zip(four_days[1], four_days[2], strict=True))
    for day, is_changed in ((3, False), (4, True)):
        period = PERIODS | {"start": f"2024-01-0{day}", "end": f"2024-01-0{day + 1}"}
        found = hook.explain_change(MODEL, "accuracy", **period)
        expected = gap((past[0], past[1]), *four_days[day]) - gap((past[0], past[1]), past[0], past[1])
        # The scores of a bin are equal to each other.
        assert found.other_labels == pytest.approx(expected, abs=2e-3)
        assert (not found.low <= found.other_labels <= found.high) == is_changed
    assert abs(found.other_labels) > 5 * abs(found.other_inputs)
    assert found.fields == ()
    text = found.to_markdown()
    assert f"| other labels at the same scores | {found.other_labels:+.6f} |" in text
    assert "is not within what sampling alone explains" in text
    assert json.loads(json.dumps(found.to_dict()))["change"] == found.change


def test_a_change_that_cannot_be_explained(monitored: SyncedVersion, hook: MetricsHook) -> None:
    monitored.connect("serving")
    monitored.connect("actuals")
    monitored.write("serving", predicted(1)[0])
    DeltaTable.create(monitored.path("actuals"), labelled(None, {}).schema)
    monitored.sync()
    found = hook.explain_change(MODEL, "accuracy", **PERIODS)
    assert (found.before, found.change) == (None, None)
    assert "before: no row is labelled" in str(found.reason)
    assert "unknown → unknown" in found.to_markdown()
    with pytest.raises(ValidationError, match="The change of 'tp_count' cannot be divided"):
        hook.explain_change(MODEL, "tp_count", **PERIODS)
    with pytest.raises(ValidationError) as raised:
        hook.explain_change(MODEL, "accuracy", segment={"id": "plan"}, **PERIODS)
    # Once, although several queries name the segment.
    assert raised.value.problems == ["value: Field required"]
