"""The operator that writes metrics to Delta tables, with numbers computed from the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import DAG
from deltalake import DeltaTable, write_deltalake

from aporia_provider import settings
from aporia_provider.backend.server.auth.tokens import create_token
from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.performance.states.regression_state import Regression
from aporia_provider.operators.export import ExportMetricsOperator
from tests.airflow.running import asset_events, execute, finish
from tests.backend.monitors.monitored_model import (
    MonitoredModel,
    categories,
    labelled,
    numbers,
    on,
    rows,
    usual,
)
from tests.backend.running import serving
from tests.conftest import S3

pytestmark = pytest.mark.usefixtures("airflow_database", "registry")

ROWS = 1_500
TRAINING = np.arange(ROWS) % 100
AGES = {
    0: np.arange(ROWS) % 50,
    1: np.arange(ROWS) % 80 + 10,
    2: np.arange(ROWS) % 100,
    3: np.arange(ROWS) % 20,
}
PLANS = {0: (1_000, 500), 1: (300, 1_200), 2: (750, 750), 3: (1_499, 1)}
NULLS = 30


def a_day(ages: Any, plans: tuple[int, int]) -> dict[str, Any]:
    basic, gold = plans
    return usual(
        rows=rows(ROWS), age=numbers(ages[NULLS:], nulls=NULLS), plan=categories(basic=basic, gold=gold)
    )


@pytest.fixture
def model() -> Iterator[MonitoredModel]:
    """A model with three days of serving data, labels, and training data."""
    with MonitoredModel(settings.database_url(), settings.environment()) as found:
        found.store({day: a_day(AGES[day], PLANS[day]) for day in range(3)})
        found.store({-9: a_day(TRAINING, (1_000, 500))}, role="training")
        found.store({0: labelled(), 1: labelled(tp=50)}, part="performance")
        yield found


def export(location: str, first: float, last: float, **given: Any) -> dict[str, Any]:
    given = {"model_id": "m", "start": on(first), "end": on(last), **given}
    result: dict[str, Any] = execute(ExportMetricsOperator(task_id="export", location=location, **given))
    return result


def read(s3: S3, result: dict[str, Any], table: str) -> list[dict[str, Any]]:
    found = DeltaTable(result[f"{table}_table"], storage_options=s3.delta_options).to_pyarrow_table()
    return sorted(found.to_pylist(), key=repr)


def only(found: list[dict[str, Any]], **values: Any) -> dict[str, Any]:
    (row,) = [
        row
        for row in found
        if all(
            (row["window"] and row["window"]["start"]) == value if name == "day" else row[name] == value
            for name, value in values.items()
        )
    ]
    return row


def test_values_of_segments_have_rows_on_s3(model: MonitoredModel, aws: S3) -> None:
    model.segment("plan", "gold")
    gold = AGES[1][:1_200]
    states = usual(rows=rows(len(gold)), age=numbers(gold), plan=categories(gold=len(gold)))
    model.store_terms("plan", {"gold": {1: states}})
    found = read(aws, export(aws.uri("fraud"), 1, 2, segments=["plan"]), "profile")
    row = only(found, column_name="age", day=on(1), slice_value="gold")
    assert (row["slice_key"], row["count"]) == ("plan", len(gold))
    assert row["avg"] == pytest.approx(gold.mean())
    whole = only(found, column_name="age", day=on(1), slice_value=None)
    assert (whole["slice_key"], whole["count"]) == (None, ROWS - NULLS)


def test_profiles_are_those_of_the_rows(model: MonitoredModel, aws: S3) -> None:
    result = export(aws.uri("fraud"), 0, 3)
    assert (result["windows"], result["windows_without_rows"]) == (3, 0)
    found = read(aws, result, "profile")
    # Five fields and the table, in three windows and the baseline.
    assert len(found) == result["profile_rows"] == 24
    for day, ages in AGES.items():
        if day == 3:
            continue
        row, values = only(found, column_name="age", day=on(day)), ages[NULLS:]
        assert (row["window"]["end"], row["granularity"]) == (on(day + 1), "1 day")
        assert (row["log_type"], row["data_type"]) == ("INPUT", "double")
        assert (row["model_id"], row["model_version"], row["environment"]) == ("m", "v1", "prod")
        assert (row["slice_key"], row["slice_value"]) == (None, None)
        assert (row["count"], row["num_nulls"]) == (ROWS - NULLS, NULLS)
        assert (row["min"], row["max"]) == (values.min(), values.max())
        assert row["avg"] == pytest.approx(values.mean())
        assert row["stddev"] == pytest.approx(values.std(ddof=1))
        assert row["num_zeros"] == (values == 0).sum()
        assert row["percent_null"] == pytest.approx(100 * NULLS / ROWS)
        assert row["percent_zeros"] == pytest.approx(100 * (values == 0).sum() / ROWS)
        assert row["median"] == pytest.approx(np.median(values), abs=1)
        expected = np.quantile(values, np.linspace(0, 1, 11))
        assert row["quantiles"] == pytest.approx(expected, abs=1)
    baseline = only(found, column_name="age", log_type="BASELINE")
    assert (baseline["window"], baseline["granularity"]) == (None, None)
    assert baseline["avg"] == pytest.approx(TRAINING[NULLS:].mean())
    plan = only(found, column_name="plan", day=on(1))
    assert plan["frequent_items"] == [{"item": "gold", "count": 1_200}, {"item": "basic", "count": 300}]
    assert (plan["distinct_count"], plan["min_length"], plan["max_length"]) == (2, 4, 5)
    table = only(found, column_name=":table", day=on(1))
    assert (table["count"], table["data_type"]) == (ROWS, None)
    assert table["non_null_columns"] == ["latency", "age", "plan", "emb", "proba"]
    # 50 true and 10 false positives, 20 false and 180 true negatives.
    assert table["accuracy_score"] == pytest.approx(230 / 260)
    assert table["precision"] == {"one_vs_all": [("true", 50 / 60)], "macro": None, "weighted": None}
    assert only(found, column_name=":table", day=on(2))["accuracy_score"] is None


def ecdf(values: Any) -> Any:
    return np.searchsorted(np.sort(values), np.arange(100), side="right") / len(values)


def test_drift_is_that_of_the_rows(model: MonitoredModel, aws: S3) -> None:
    found = read(aws, export(aws.uri("fraud"), 0, 3), "drift")
    # Three windows differ from the baseline, and two from the window before.
    assert len(found) == 6 * 5
    for day, (other, drift_type) in {0: (None, "BASELINE"), 2: (1, "CONSECUTIVE")}.items():
        before = TRAINING if other is None else AGES[other]
        values, before = AGES[day][NULLS:], before[NULLS:]
        row = only(found, column_name="age", day=on(day), drift_type=drift_type)
        window = None if other is None else {"start": on(other), "end": on(other + 1)}
        assert row["window_cmp"] == window
        assert (row["count_delta"], row["percent_null_delta"]) == (0, 0)
        assert row["avg_delta"] == pytest.approx(values.mean() - before.mean())
        gaps = np.abs(ecdf(values) - ecdf(before))
        assert row["ks_test"]["statistic"] == pytest.approx(gaps.max(), abs=0.01)
        assert row["wasserstein_distance"] == pytest.approx(gaps.sum(), rel=0.05)
    row = only(found, column_name="plan", day=on(1), drift_type="CONSECUTIVE")
    counts = np.array([PLANS[0], PLANS[1]])
    shares = counts / ROWS
    assert row["tv_distance"] == pytest.approx(np.abs(shares[0] - shares[1]).sum() / 2)
    assert row["l_infinity_distance"] == pytest.approx(np.abs(shares[0] - shares[1]).max())
    psi = ((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum()
    assert row["population_stability_index"] == pytest.approx(psi)
    expected = counts.sum(axis=0) * ROWS / counts.sum()
    statistic = ((counts - expected) ** 2 / expected).sum()
    assert row["chi_squared_test"]["statistic"] == pytest.approx(statistic)
    assert row["chi_squared_test"]["pvalue"] < 1e-9
    table = only(found, column_name=":table", day=on(1), drift_type="BASELINE")
    assert table["non_null_columns_delta"] == {"added": 0, "missing": 0}


def test_months_are_windows_of_different_lengths(model: MonitoredModel, aws: S3) -> None:
    """Of 2024, January has 31 days and February 29: days 31 to 59."""
    model.store({day: a_day(AGES[number], PLANS[number]) for number, day in enumerate((30, 31, 59, 60))})
    result = export(aws.uri("months"), 40, 41, granularity="1 month")
    window = {"start": on(31), "end": on(60)}
    assert (result["start"], result["end"]) == (on(31).isoformat(), on(60).isoformat())
    row = only(read(aws, result, "profile"), column_name="age", log_type="INPUT")
    january = np.concatenate([AGES[number][NULLS:] for number in (0, 1, 2, 0)])
    february = np.concatenate([AGES[number][NULLS:] for number in (1, 2)])
    assert (row["window"], row["granularity"], row["count"]) == (window, "1 month", len(february))
    assert row["avg"] == pytest.approx(february.mean())
    row = only(read(aws, result, "drift"), column_name="age", drift_type="CONSECUTIVE")
    assert (row["window"], row["window_cmp"]) == (window, {"start": on(0), "end": on(31)})
    assert row["count_delta"] == len(february) - len(january)
    assert row["avg_delta"] == pytest.approx(february.mean() - january.mean())
    assert row["ks_test"]["statistic"] == pytest.approx(
        np.abs(ecdf(february) - ecdf(january)).max(), abs=0.01
    )


def test_hours_are_windows_of_a_model_with_hourly_buckets(aws: S3) -> None:
    with MonitoredModel(settings.database_url(), settings.environment(), period="hourly") as model:
        hours = {22 + number: a_day(AGES[number], PLANS[number]) for number in range(4)}
        model.store(hours, seconds=3_600)
        model.store({-9: a_day(TRAINING, (1_000, 500))}, role="training", seconds=3_600)
        result = export(aws.uri("hours"), 23 / 24, 25 / 24, granularity="1 hour")
        days = export(aws.uri("hours"), 0, 1)
    assert (result["windows"], result["windows_without_rows"]) == (2, 0)
    found = read(aws, result, "profile")
    for hour in (23, 24):
        row = only(found, column_name="age", day=on(hour / 24), granularity="1 hour")
        assert row["window"]["end"] == on((hour + 1) / 24)
        assert row["avg"] == pytest.approx(AGES[hour - 22][NULLS:].mean())
        assert row["count"] == ROWS - NULLS
    # The window before the range is compared, but not written.
    assert {row["window"]["start"] for row in found if row["granularity"] == "1 hour"} == {
        on(hour / 24) for hour in (23, 24)
    }
    row = only(read(aws, result, "drift"), column_name="age", day=on(23 / 24), drift_type="CONSECUTIVE")
    assert row["window_cmp"] == {"start": on(22 / 24), "end": on(23 / 24)}
    assert row["avg_delta"] == pytest.approx(AGES[1][NULLS:].mean() - AGES[0][NULLS:].mean())
    row = only(read(aws, days, "profile"), column_name="age", granularity="1 day")
    assert row["count"] == 2 * (ROWS - NULLS)


def test_errors_of_regression_are_those_of_the_rows(aws: S3) -> None:
    """The labels are 1, 2, 3 and 4, the predictions 1.5, 2, 2 and 4."""
    labels, predictions = np.array([1.0, 2, 3, 4]), np.array([1.5, 2, 2, 4])
    regression: dict[str, Any] = {"model_type": "regression"}
    with MonitoredModel(settings.database_url(), settings.environment(), **regression) as model:
        values = [pa.array(each) for each in (predictions, labels)]
        model.store({0: {"rows": rows(4), "predictions.proba": numbers(predictions)}})
        model.store({0: {"performance.proba": Regression.of(*values)}}, part="performance")
        found = read(aws, export(aws.uri("errors"), 0, 1, unreliable=True), "profile")
    row, errors = only(found, column_name=":table"), predictions - labels
    assert row["mean_absolute_error"] == row["mean_average_error"] == pytest.approx(np.abs(errors).mean())
    assert row["mean_squared_error"] == pytest.approx((errors**2).mean())
    assert row["root_mean_squared_error"] == pytest.approx(np.sqrt((errors**2).mean()))
    assert row["mean_absolute_percentage_error"] == pytest.approx(np.abs(errors / labels).mean())
    variance = ((labels - labels.mean()) ** 2).mean()
    assert row["r2_score"] == pytest.approx(1 - (errors**2).mean() / variance)
    assert row["accuracy_score"] is None


def test_a_range_is_replaced_and_a_later_one_is_added(model: MonitoredModel, aws: S3) -> None:
    location = aws.uri("shared")
    first = export(location, 0, 2)
    before = {name: read(aws, first, name) for name in ("profile", "drift")}
    again = export(location, 0, 2)
    assert again == first
    assert {name: read(aws, again, name) for name in ("profile", "drift")} == before
    # A version whose name would end a literal of SQL, and another granularity, share the tables.
    model.add_version("v' OR ''='")
    model.store({0: a_day(AGES[0], PLANS[0])}, version="v' OR ''='")
    export(location, 0, 1, model_version="v' OR ''='")
    export(location, 0, 2, model_version="v1", granularity="1 week")
    model.store({1: a_day(AGES[3], PLANS[3]), 2: a_day(AGES[2], PLANS[2])})
    found = read(aws, export(location, 1, 3, model_version="v1"), "profile")
    daily = {
        (row["model_version"], row["window"]["start"]): row["avg"]
        for row in found
        if row["column_name"] == "age" and row["granularity"] == "1 day"
    }
    assert daily == {
        ("v1", on(0)): pytest.approx(AGES[0][NULLS:].mean()),
        ("v1", on(1)): pytest.approx(AGES[3][NULLS:].mean()),
        ("v1", on(2)): pytest.approx(AGES[2][NULLS:].mean()),
        ("v' OR ''='", on(0)): pytest.approx(AGES[0][NULLS:].mean()),
    }
    week = only(found, column_name="age", granularity="1 week")
    assert (week["window"], week["count"]) == ({"start": on(0), "end": on(7)}, 3 * (ROWS - NULLS))
    assert len([row for row in found if row["log_type"] == "BASELINE"]) == 6


def test_a_window_that_lost_its_rows_is_removed(model: MonitoredModel, aws: S3) -> None:
    location = aws.uri("removed")
    export(location, 0, 3)
    model.store({1: {}})
    result = export(location, 1, 2)
    assert (result["windows"], result["windows_without_rows"]) == (1, 1)
    found = read(aws, result, "profile")
    assert {row["window"]["start"] for row in found if row["window"]} == {on(0), on(2)}


def test_distances_of_few_values_are_null_unless_unreliable_ones_are_wanted(
    model: MonitoredModel, aws: S3
) -> None:
    model.store({-9: usual()}, role="training")
    for unreliable, expected in ((False, None), (True, 0.5)):
        found = read(aws, export(aws.uri(f"few-{unreliable}"), 0, 1, unreliable=unreliable), "drift")
        row = only(found, column_name="age", drift_type="BASELINE")
        assert (row["ks_test"] and row["ks_test"]["statistic"]) == pytest.approx(expected, abs=0.02)


@pytest.mark.very_slow
def test_the_default_range_is_the_data_interval_and_the_tables_are_assets(
    model: MonitoredModel, aws: S3
) -> None:
    location = aws.uri("interval")
    with DAG("exports_interval", schedule="@daily", start_date=on(0)) as dag:
        operator = ExportMetricsOperator(task_id="export", model_id="m", location=location)
    (instance,) = finish(dag, logical_date=on(2)).get_task_instances()
    result = instance.xcom_pull(task_ids="export")
    assert (result["start"], result["end"]) == (on(1).isoformat(), on(2).isoformat())
    names = [f"{aws.bucket}/interval_{kind}_metrics" for kind in ("profile", "drift")]
    assert sorted(uri for uri, _, _ in asset_events(dag.dag_id)) == sorted(
        f"x-delta://{name}" for name in names
    )
    execute(operator, data_interval_start=on(0), data_interval_end=on(3))
    facets = operator.get_openlineage_facets_on_complete(None)
    assert [f"{each.namespace}/{each.name}" for each in facets.outputs] == [f"s3://{name}" for name in names]
    assert [each.name for each in facets.inputs] == ["m.v1"] or "m" in facets.inputs[0].name


@pytest.mark.very_slow
def test_a_server_is_asked_for_the_same_rows(model: MonitoredModel, aws: S3, set_connection: Any) -> None:
    embedded = export(aws.uri("embedded"), 0, 3)
    token = create_token(model.registry.database, "prod", "reader", read_only=True)
    with serving(settings.database_url()) as served:
        set_connection("aporia_server", conn_type="aporia", host=served.url, password=token)
        remote = export(aws.uri("remote"), 0, 3, aporia_conn_id="aporia_server")
    for table in ("profile", "drift"):
        assert read(aws, remote, table) == read(aws, embedded, table)


def test_errors_name_every_problem(model: MonitoredModel, aws: S3) -> None:
    location = aws.uri("errors")
    with pytest.raises(AirflowFailException, match=r"fields.*20,000 is the limit"):
        export(location, -4_000, 3)
    with pytest.raises(AirflowFailException, match=r"(?s)no field 'aga'.*no field 'plann'"):
        export(location, 0, 3, fields=["aga", "plan", "plann"])
    with pytest.raises(AirflowFailException, match="both start and end"):
        export(location, 0, 3, end=None)
    with pytest.raises(AirflowFailException, match="is after end"):
        export(location, 3, 0)
    with pytest.raises(AirflowFailException, match="no version 'v9'"):
        export(location, 0, 3, model_version="v9")
    with pytest.raises(ValidationError, match="1 day"):
        export(location, 0, 3, granularity="1 days")
    other = pa.table({"window": ["x"], "count": [1]})
    write_deltalake(f"{location}_profile_metrics", other, storage_options=aws.delta_options)
    with pytest.raises(AirflowFailException, match=r"(?s)other columns.*window: string.*log_type: missing"):
        export(location, 0, 3)
