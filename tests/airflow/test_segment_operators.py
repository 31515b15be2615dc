"""The operators of segments and custom metrics, in DAG runs."""

from __future__ import annotations

from typing import Any

import pytest
import structlog
from airflow.providers.common.compat.sdk import AirflowFailException

from aporia_provider import settings
from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.custom_metrics import CustomMetric
from aporia_provider.models import Model
from aporia_provider.operators.parameters import ParameterError
from aporia_provider.operators.segments import (
    CreateCustomMetricOperator,
    CreateSegmentOperator,
    DeleteCustomMetricOperator,
    DeleteSegmentOperator,
)
from aporia_provider.schema import VersionSchema
from aporia_provider.segments import Segment
from tests.airflow.running import execute, new_dag, run

pytestmark = pytest.mark.usefixtures("airflow_database", "registry")


@pytest.fixture
def model(registry: None) -> None:
    schema = VersionSchema(
        model_type="binary",
        features={"age": "numeric", "plan": "categorical"},
        predictions={"score": "numeric"},
    )
    with opened() as registry:
        registry.create_model(Model(id="m", name="M"))
        registry.create_model_version("m", "v1", schema)


def opened() -> EmbeddedRegistry:
    return EmbeddedRegistry(settings.database_url(), settings.environment())


def segments() -> dict[str, list[tuple[str, str]]]:
    with opened() as registry:
        return {
            each["name"]: [(term["label"], term["condition"]) for term in each["terms"]]
            for each in registry.list_segments("m")
        }


@pytest.mark.usefixtures("model")
def test_segments_are_rendered_created_and_deleted() -> None:
    with new_dag("segments") as dag:
        plans = CreateSegmentOperator(
            task_id="plans",
            model_id="m",
            segment=Segment(name="plans {{ params.version }}", field="plan", values=["{{ params.version }}"]),
        )
        ages = CreateSegmentOperator(
            task_id="ages", model_id="m", segment={"name": "ages", "field": "age", "edges": [0, 18, 65]}
        )
        both = CreateSegmentOperator(
            task_id="both", model_id="m", segment={"name": "both", "intersection": ["ages", "plans v1"]}
        )
        again = CreateSegmentOperator(
            task_id="again",
            model_id="m",
            segment={"name": "ages", "conditions": [["age > {{ 60 + 5 }}", "old"]]},
            if_exists="{{ 'skip' }}",  # type: ignore[arg-type]
        )
        delete = DeleteSegmentOperator(task_id="delete", model_id="m", name="plans {{ params.version }}")
        missing = DeleteSegmentOperator(task_id="missing", model_id="m", name="plans v1")
        plans >> ages >> both >> again >> delete >> missing
    results = run(dag)
    statuses = {task: result["status"] for task, result in results.items()}
    assert statuses == {
        **dict.fromkeys(("plans", "ages", "both"), "created"),
        **{"again": "skipped", "delete": "deleted", "missing": "missing"},
    }
    assert results["plans"]["name"] == "plans v1"
    assert results["again"]["segment_id"] == results["ages"]["segment_id"]
    found = segments()
    assert list(found) == ["ages", "both"]
    assert [label for label, _ in found["both"]] == ["0 & v1", "18 & v1"]


@pytest.mark.usefixtures("model")
def test_custom_metrics_are_rendered_created_and_deleted() -> None:
    with new_dag("custom_metrics") as dag:
        ratio = CreateCustomMetricOperator(
            task_id="ratio",
            model_id="m",
            custom_metric=CustomMetric(name="old {{ params.version }}", code='count(filter="age > 65")'),
        )
        again = CreateCustomMetricOperator(
            task_id="again",
            model_id="m",
            custom_metric={"name": "old v1", "code": 'count(filter="age > {{ 60 + 5 }}")'},
        )
        delete = DeleteCustomMetricOperator(task_id="delete", model_id="m", name="old v1")
        missing = DeleteCustomMetricOperator(task_id="missing", model_id="m", name="old v1")
        ratio >> again >> delete >> missing
    results = run(dag)
    statuses = [results[task]["status"] for task in ("ratio", "again", "delete", "missing")]
    assert statuses == ["created", "unchanged", "deleted", "missing"]
    assert results["ratio"]["custom_metric_id"] == results["again"]["custom_metric_id"]
    assert segments() == {}


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(
    ("segment", "told"),
    [
        ({"name": "s", "field": "agee", "values": [1]}, "did you mean 'age'"),
        ({"name": "s", "conditions": [["age = 'x'", "a"], ["plan = 1", "b"]]}, "(?s)a: .*b: "),
        ({"name": "s"}, "exactly one of values, edges, conditions, intersection is required"),
        ("plans", "A value of type Segment is required, not str"),
    ],
)
def test_faults_of_segments_fail_without_a_retry(segment: Any, told: str) -> None:
    with pytest.raises(AirflowFailException, match=told):
        execute(CreateSegmentOperator(task_id="t", model_id="m", segment=segment))
    assert segments() == {}


@pytest.mark.usefixtures("model")
def test_other_faults_fail_without_a_retry() -> None:
    with pytest.raises(AirflowFailException, match="Custom metric 'c' is not valid"):
        execute(
            CreateCustomMetricOperator(
                task_id="c", model_id="m", custom_metric={"name": "c", "code": 'sum(column="plan")'}
            )
        )
    with pytest.raises(AirflowFailException, match="Model 'm' has no segment 'x'"):
        execute(DeleteSegmentOperator(task_id="d", model_id="m", name="x", ignore_if_missing=False))
    with pytest.raises(AirflowFailException, match="Model 'm' has no custom metric 'x'"):
        execute(DeleteCustomMetricOperator(task_id="e", model_id="m", name="x", ignore_if_missing=False))
    with pytest.raises(ParameterError, match="if_exists"):
        CreateSegmentOperator(task_id="f", model_id="m", segment={}, if_exists="mach")  # type: ignore[arg-type]


@pytest.mark.usefixtures("model")
def test_the_literals_of_conditions_are_not_logged() -> None:
    segment = {"name": "s", "conditions": [["plan = 'Jane Doe'", "a"]]}
    code = "count(filter=\"plan = 'Jane Doe'\")"
    with structlog.testing.capture_logs() as logged:
        execute(CreateSegmentOperator(task_id="t", model_id="m", segment=segment))
        execute(
            CreateCustomMetricOperator(task_id="u", model_id="m", custom_metric={"name": "c", "code": code})
        )
    assert len([each for each in logged if "of model" in str(each)]) == 2
    assert "Jane" not in str(logged)
