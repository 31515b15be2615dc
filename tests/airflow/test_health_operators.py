"""The operators that check the health of a version, against the embedded backend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from airflow.sdk import DAG

from aporia_provider import settings
from aporia_provider.operators.health import CheckModelHealthOperator
from tests.airflow.running import finish
from tests.backend.monitors.monitored_model import START, MonitoredModel, on, usual

pytestmark = pytest.mark.usefixtures("airflow_database", "registry")

# 300 ages of 0 to 99 a day: mean 49.5, standard deviation 28.9.
HIGH, LOW, EXACT = ({"metric": "mean", "column": "age", "min": limit} for limit in (40, 60, 49.5))


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
