"""The operators that check the health of a version, against the embedded backend."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, task_group
from openlineage.client.generated.data_quality_assertions_dataset import DataQualityAssertionsDatasetFacet
from openlineage.client.generated.test_run import TestRunFacet as RunOfTests
from openlineage.client.serde import Serde

from aporia_provider import settings
from aporia_provider.backend.server.auth.tokens import create_token
from aporia_provider.errors import InsufficientDataError, NotFoundError
from aporia_provider.health import MetricCondition
from aporia_provider.hooks.health import HealthHook
from aporia_provider.hooks.metrics import MetricsHook
from aporia_provider.operators.health import BranchOnModelHealthOperator, CheckModelHealthOperator
from tests.airflow.running import execute, finish
from tests.backend.monitors.monitored_model import START, MonitoredModel, configuration, numbers, on, usual
from tests.backend.running import serving

pytestmark = pytest.mark.usefixtures("airflow_database", "registry")

# 300 ages of 0 to 99 a day: mean 49.5, standard deviation 28.9.
HIGH, LOW, EXACT = ({"metric": "mean", "column": "age", "min": limit} for limit in (40, 60, 49.5))

MEAN = configuration("mean", {"name": "RANGE", "min": 40.0}, features=["age"])


@pytest.fixture
def model() -> Iterator[MonitoredModel]:
    """A model with 30 usual days, and a monitor of the mean age."""
    with MonitoredModel(settings.database_url(), settings.environment()) as found:
        found.store({day: usual() for day in range(30)})
        found.complete_until(on(30))
        yield found


def a_dag(name: str) -> DAG:
    return DAG(name, schedule=None, start_date=START)


def finished(dag: DAG, day: float | None = 30) -> tuple[dict[str, str], dict[str, Any]]:
    """Run the DAG on a day; the states and the results of its tasks."""
    instances = finish(dag, **({} if day is None else {"logical_date": on(day)})).get_task_instances()
    states = {ti.task_id: str(ti.state) for ti in instances}
    return states, {ti.task_id: ti.xcom_pull(task_ids=ti.task_id) for ti in instances}


def test_a_check_passes_fails_or_is_insufficient(model: MonitoredModel) -> None:
    with a_dag("checks") as dag:
        for name, limits in {"high": HIGH, "low": LOW, "exact": EXACT}.items():
            for action in ("fail", "skip", "pass"):
                CheckModelHealthOperator(
                    task_id=f"{name}_{action}", model_id="m", metrics=[limits], on_insufficient=action
                )
    states, results = finished(dag)
    assert states == {
        **{f"high_{action}": "success" for action in ("fail", "skip", "pass")},
        **{f"low_{action}": "failed" for action in ("fail", "skip", "pass")},
        "exact_fail": "failed",
        "exact_skip": "skipped",
        "exact_pass": "success",
    }
    # The result is there however the task ended.
    outcomes = {name: result["outcome"] for name, result in results.items()}
    assert {name.partition("_")[0]: outcome for name, outcome in outcomes.items()} == {
        "high": "pass",
        "low": "fail",
        "exact": "insufficient",
    }
    (finding,) = results["low_fail"]["findings"]
    # The interval of Student's t with 8,999 degrees of freedom.
    half = 1.9602 * np.std(np.arange(300) % 100, ddof=1) / np.sqrt(9_000)
    assert finding["low"] == pytest.approx(49.5 - half, abs=0.01)
    assert finding["high"] == pytest.approx(49.5 + half, abs=0.01)
    assert (finding["value"], finding["min"], finding["max"], finding["samples"]) == (49.5, 60, None, 9_000)
    assert (finding["name"], finding["dataset_type"]) == ("mean of age", "serving")


def listed(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(each["check"], each["name"], each["outcome"]) for each in result["findings"]]


def test_monitors_and_alerts_are_evaluated_and_judged(model: MonitoredModel) -> None:
    model.monitor("metric_change", MEAN, "Mean age")
    model.monitor("metric_change", MEAN, "Other")
    given: dict[str, Any] = {"model_id": "m", "monitors": "all", "alerts": "LOW", "until": on(30)}
    good = execute(CheckModelHealthOperator(task_id="good", **given))
    assert listed(good) == [
        ("alert", "open alerts of severity LOW or MEDIUM or HIGH", "pass"),
        ("monitor", "Mean age", "pass"),
        ("monitor", "Other", "pass"),
    ]
    assert (good["outcome"], good["model_version"], good["until"]) == ("pass", "v1", on(30).isoformat())
    model.store({30: usual(age=numbers(np.arange(300) % 50))})
    model.complete_until(on(31))
    # The data of the next day is not part of a check of this day.
    assert execute(CheckModelHealthOperator(task_id="again", **given)) == good
    given["until"] = on(31)
    with pytest.raises(AirflowFailException, match=r"fail\n.*"):
        execute(CheckModelHealthOperator(task_id="bad", **given))
    only = given | {"alerts": "MEDIUM", "monitors": ["Mean age"]}
    with pytest.raises(AirflowFailException, match=r"Mean age .* failed: features\.age") as failure:
        execute(CheckModelHealthOperator(task_id="one", **only))
    assert "Other" not in str(failure.value)


def test_a_monitor_that_has_judged_nothing_passes_nothing(model: MonitoredModel) -> None:
    given: dict[str, Any] = {"model_id": "m", "until": on(30), "on_insufficient": "pass"}
    silent = execute(CheckModelHealthOperator(task_id="silent", alerts="LOW", **given))
    assert silent["outcome"] == "insufficient"
    assert "no active monitor of this severity has judged" in silent["findings"][0]["reason"]
    model.monitor("metric_change", MEAN, "Mean age")
    model.add_version("v2")
    new = execute(CheckModelHealthOperator(task_id="new", monitors="Mean age", **given))
    assert (new["model_version"], new["outcome"]) == ("v2", "insufficient")
    assert "there are no rows in the range" in new["findings"][0]["reason"]
    old = execute(CheckModelHealthOperator(task_id="old", monitors="Mean age", model_version="v1", **given))
    assert old["outcome"] == "pass"
    # The monitor is of low severity, so it does not say that there is nothing severe.
    severe = execute(CheckModelHealthOperator(task_id="severe", alerts="HIGH", model_version="v1", **given))
    assert severe["outcome"] == "insufficient"


def test_verdicts_are_not_evaluated_unless_asked(model: MonitoredModel) -> None:
    model.monitor("metric_change", MEAN, "Mean age")
    given: dict[str, Any] = {"model_id": "m", "monitors": "all", "on_insufficient": "pass"}
    before = execute(CheckModelHealthOperator(task_id="before", evaluate=False, **given))
    assert before["outcome"] == "insufficient"
    assert before["findings"][0]["reason"] == "the monitor has not judged version 'v1'"
    model.evaluate(30)
    after = execute(CheckModelHealthOperator(task_id="after", evaluate=False, **given))
    assert after["outcome"] == "pass"


def test_stale_data_is_insufficient(model: MonitoredModel) -> None:
    model.monitor("metric_change", MEAN, "Mean age")
    given: dict[str, Any] = {"model_id": "m", "monitors": "all", "metrics": [HIGH], "max_data_age": "2d"}
    fresh = execute(CheckModelHealthOperator(task_id="fresh", until=on(31), **given))
    assert fresh["outcome"] == "pass"
    with pytest.raises(InsufficientDataError) as failure:
        execute(CheckModelHealthOperator(task_id="stale", until=on(35), **given))
    assert "there are no recent rows; the last sync was at 2" in str(failure.value)
    assert "the latest judged window ended before 2024-02-03" in str(failure.value)
    # What fails, fails in old data as well.
    with pytest.raises(AirflowFailException):
        execute(CheckModelHealthOperator(task_id="low", until=on(35), **given | {"metrics": [LOW]}))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"metrics": [HIGH], "model_version": "v9"}, "Model 'm' has no version 'v9'"),
        ({"metrics": [HIGH], "model_id": "n"}, "There is no model 'n'"),
        ({"monitors": ["Mean ages"]}, "has no monitor 'Mean ages' .*Mean age"),
        ({}, "there is nothing to check"),
        ({"metrics": [{"metric": "meen", "column": "age", "max": 1}]}, "meen of age: .*mean"),
        ({"metrics": [{"metric": "mean", "column": "agee", "max": 1}]}, "mean of agee: .*age"),
        ({"metrics": [{"metric": "mean", "column": "age"}]}, "give min, max or both"),
        ({"metrics": [{**HIGH, "max": 1}]}, "min 40 is greater than max 1"),
        ({"metrics": [{**HIGH, "parameters": {"treshold": 1}}]}, "treshold: there is no such parameter"),
        ({"metrics": [{**HIGH, "period": "7d", "start": "2024-01-01"}]}, "give both start and end.*either"),
        ({"metrics": [HIGH], "max_data_age": "old", "alerts": "low"}, "(?s)alerts: .*max_data_age: "),
    ],
)
def test_faults_fail_without_a_retry(model: MonitoredModel, given: dict[str, Any], message: str) -> None:
    model.monitor("metric_change", MEAN, "Mean age")
    with pytest.raises(AirflowFailException, match=message):
        execute(CheckModelHealthOperator(task_id="t", **{"model_id": "m", **given}))


def test_branches_follow_the_outcome(model: MonitoredModel) -> None:
    with a_dag("branches") as dag:
        for name, limits in {"high": HIGH, "low": LOW, "exact": EXACT}.items():
            branch = BranchOnModelHealthOperator(
                task_id=name,
                model_id="m",
                metrics=[limits],
                follow_task_ids_if_passed=f"{name}_pass",
                follow_task_ids_if_failed=[f"{name}_fail"],
                follow_task_ids_if_insufficient=None if name == "low" else f"{name}_ask",
            )
            branch >> [EmptyOperator(task_id=f"{name}_{end}") for end in ("pass", "fail", "ask")]
        unsure = BranchOnModelHealthOperator(
            task_id="unsure", model_id="m", metrics=[EXACT], follow_task_ids_if_passed="never"
        )
        unsure >> EmptyOperator(task_id="never")
    states, results = finished(dag)
    followed = {name for name, state in states.items() if state == "success"}
    assert followed == {"high", "high_pass", "low", "low_fail", "exact", "exact_ask", "unsure"}
    assert set(states.values()) == {"success", "skipped"}
    told = {name: (results[name]["outcome"], results[name]["followed"]) for name in ("high", "low", "unsure")}
    assert told == {
        "high": ("pass", ["high_pass"]),
        "low": ("fail", ["low_fail"]),
        "unsure": ("insufficient", []),
    }


@pytest.mark.very_slow
def test_a_mapped_check_and_a_mapped_branch(model: MonitoredModel) -> None:
    model.add_version("v2")

    @task_group
    def gate(limits: list[dict[str, Any]]) -> None:
        branch = BranchOnModelHealthOperator(
            task_id="branch",
            model_id="m",
            model_version="v1",
            metrics=limits,
            follow_task_ids_if_passed="gate.good",
            follow_task_ids_if_failed="gate.bad",
        )
        branch >> [EmptyOperator(task_id="good"), EmptyOperator(task_id="bad")]

    with a_dag("mapped") as dag:
        CheckModelHealthOperator.partial(task_id="check", model_id="m", on_insufficient="skip").expand_kwargs(
            [{"metrics": [limits], "model_version": "v1"} for limits in (HIGH, LOW, EXACT)]
        )
        gate.expand(limits=[[HIGH], [LOW]])
    instances = finish(dag, logical_date=on(30)).get_task_instances()
    states = {(ti.task_id, ti.map_index): str(ti.state) for ti in instances}
    checks = [states["check", place] for place in range(3)]
    assert checks == ["success", "failed", "skipped"]
    # The scheduler skips the tasks of a mapped group by this XCom, which dag.test() does not read.
    branches = {ti.map_index: ti for ti in instances if ti.task_id == "gate.branch"}
    for place, followed in enumerate((["gate.good"], ["gate.bad"])):
        told = [
            branches[place].xcom_pull(task_ids="gate.branch", map_indexes=place, key=key)
            for key in ("skipmixin_key", "return_value")
        ]
        assert (told[0], told[1]["followed"]) == ({"followed": followed}, followed)


def test_a_check_is_of_the_time_of_its_run(model: MonitoredModel) -> None:
    """The last week of data before the logical date, as in a backfill, or before now without a date."""
    model.store({30: usual(age=numbers(np.arange(300) % 50))})
    model.complete_until(on(31))
    week = MetricCondition(metric="mean", column="age", min="{{ params.least }}", period="7d")
    with a_dag("dated") as dag:
        dag.params["least"] = 48
        CheckModelHealthOperator(task_id="check", model_id="m", metrics=[week], on_insufficient="pass")
    _, results = finished(dag, 30)
    (finding,) = results["check"]["findings"]
    assert (finding["value"], finding["samples"], finding["outcome"]) == (49.5, 2_100, "pass")
    assert (finding["start"], finding["end"], finding["min"]) == (on(23).isoformat(), on(30).isoformat(), 48)
    _, later = finished(dag, 31)
    # A backfill of the earlier day, after the later one.
    _, again = finished(dag, 30)
    assert again["check"] == results["check"]
    # Six usual days and one of ages of 0 to 49.
    assert later["check"]["findings"][0]["value"] == pytest.approx((6 * 49.5 + 24.5) / 7)
    _, undated = finished(dag, None)
    assert undated["check"]["outcome"] == "insufficient"
    assert "no rows" in undated["check"]["findings"][0]["reason"]


def test_a_check_that_runs_again_has_the_same_result(model: MonitoredModel) -> None:
    """As after a worker was killed once the monitors were evaluated."""
    model.monitor("metric_change", MEAN, "Mean age")
    model.store({29: usual(age=numbers(np.arange(300) % 50))})
    model.complete_until(on(30))
    given: dict[str, Any] = {"model_id": "m", "alerts": "LOW", "monitors": "all", "until": on(30)}
    texts = []
    for _ in range(2):
        with pytest.raises(AirflowFailException) as failure:
            execute(CheckModelHealthOperator(task_id="t", **given))
        texts.append(str(failure.value))
    assert texts[0] == texts[1]
    assert len(model.registry.get_alerts("m")) == 1


def test_only_too_little_data_is_retried(model: MonitoredModel) -> None:
    retries: dict[str, Any] = {"model_id": "m", "retries": 1, "retry_delay": timedelta(0)}
    with a_dag("retried") as dag:
        CheckModelHealthOperator(task_id="low", metrics=[LOW], **retries)
        CheckModelHealthOperator(task_id="exact", metrics=[EXACT], **retries)
        CheckModelHealthOperator(task_id="missing", metrics=[HIGH], model_version="v9", **retries)
    instances = finish(dag, logical_date=on(30)).get_task_instances()
    assert {ti.task_id: (str(ti.state), ti.try_number) for ti in instances} == {
        "low": ("failed", 1),
        "exact": ("failed", 2),
        "missing": ("failed", 1),
    }


def test_drift_within_the_noise_is_undecided(model: MonitoredModel) -> None:
    model.store({day: usual() for day in range(10)}, role="training")
    model.store({29: usual(age=numbers(np.arange(300) % 50))})
    given = {"metric": "psi", "column": "age", "start": on(29), "end": on(30)}
    (psi,) = MetricsHook().get_metric("m", "psi", column="age", start=on(29), end=on(30))
    between = (psi["excess"] + psi["value"]) / 2
    outcomes = [
        execute(
            CheckModelHealthOperator(
                task_id="t", model_id="m", metrics=[{**given, "max": limit}], on_insufficient="pass"
            )
        )["outcome"]
        for limit in (psi["value"] + 0.01, between)
    ]
    assert outcomes == ["pass", "insufficient"]
    with pytest.raises(AirflowFailException):
        execute(
            CheckModelHealthOperator(
                task_id="t", model_id="m", metrics=[{**given, "max": psi["excess"] - 0.01}]
            )
        )


def test_lineage_has_the_findings(model: MonitoredModel) -> None:
    conditions = [HIGH, LOW, EXACT]
    check = CheckModelHealthOperator(task_id="t", model_id="m", metrics=conditions)
    assert not check.get_openlineage_facets_on_complete(None).inputs
    with pytest.raises(AirflowFailException):
        execute(check)
    lineage = check.get_openlineage_facets_on_complete(None)
    (version,) = lineage.inputs
    assert (version.namespace, version.name) == ("aporia://prod", "m/v1")
    facet = version.inputFacets["dataQualityAssertions"]
    assert isinstance(facet, DataQualityAssertionsDatasetFacet)
    assert [(each.success, each.expected, each.column) for each in facet.assertions] == [
        (False, "at least 60", "age"),
        (True, "at least 40", "age"),
    ]
    tests = lineage.run_facets["test"]
    assert isinstance(tests, RunOfTests)
    assert [(each.status, each.actual, each.severity) for each in tests.tests] == [
        ("fail", "49.5", "error"),
        ("skip", "49.5", "error"),
        ("pass", "49.5", "error"),
    ]
    assert Serde.to_dict(lineage.run_facets["test"])["tests"][0]["type"] == "metric"


def test_an_openlineage_without_runs_of_tests(model: MonitoredModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openlineage.client.generated.test_run", None)
    check = BranchOnModelHealthOperator(
        task_id="t", model_id="m", metrics=[HIGH], follow_task_ids_if_passed="next"
    )
    assert execute(check)["followed"] == ["next"]
    lineage = check.get_openlineage_facets_on_complete(None)
    assert lineage.run_facets == {}
    assert lineage.inputs[0].inputFacets["dataQualityAssertions"].assertions[0].severity == "warn"


@pytest.mark.very_slow
@pytest.mark.process
def test_a_server_gives_the_same_report(
    model: MonitoredModel, set_connection: Callable[..., None], database_url: str
) -> None:
    model.monitor("metric_change", MEAN, "Mean age")
    given: dict[str, Any] = {"alerts": "LOW", "monitors": "all", "metrics": [HIGH, LOW], "max_data_age": "2d"}
    embedded = HealthHook().check_health("m", until=on(30), **given)
    token = create_token(model.registry.database, "prod", "test")
    with serving(database_url) as served:
        set_connection("aporia_default", conn_type="aporia", host=served.url, password=token)
        served_report = HealthHook().check_health("m", until=on(30), **given)
        assert served_report == embedded
        with pytest.raises(NotFoundError, match="has no version 'v9'"):
            HealthHook().check_health("m", "v9", **given)
