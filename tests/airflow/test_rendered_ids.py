"""What operators and sensors make of ids whose templates are empty, and of tasks that do not exist."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.providers.standard.operators.empty import EmptyOperator

from aporia_provider.errors import ValidationError
from aporia_provider.get_provider_info import get_provider_info
from aporia_provider.operators.base import NestedRenderingMixin
from aporia_provider.operators.health import BranchOnModelHealthOperator
from aporia_provider.operators.model import CreateModelOperator
from aporia_provider.operators.monitors import DeleteMonitorOperator
from aporia_provider.operators.rendering import IDS, CheckedRendering
from aporia_provider.sensors.dataset_sync import DatasetSyncSensor
from aporia_provider.sensors.deferrable import DeferrableSensor
from aporia_provider.sensors.delta_table import DeltaTableSensor
from tests.airflow.running import finish, new_dag

BRANCH: dict[str, Any] = {"task_id": "branch", "model_id": "m", "alerts": "LOW"}


def refused(operator: Any, **context: Any) -> str:
    """The message with which rendering fails a task at once."""
    with pytest.raises(AirflowFailException) as failure:
        operator.render_template_fields(context)
    return str(failure.value)


def test_every_empty_id_is_named_in_one_error() -> None:
    task = DeleteMonitorOperator(task_id="t", model_id="{{ empty }}", name="{{ blank }}", aporia_conn_id="")
    assert refused(task, empty="", blank=" \t").splitlines() == [
        "The parameters of task 't' are not valid",
        *("  - aporia_conn_id: '' is empty", "  - model_id: '' is empty", "  - name: ' \\t' is empty"),
    ]


def test_a_list_of_ids_has_no_empty_one() -> None:
    task = BranchOnModelHealthOperator(
        **BRANCH, monitors=["a", "{{ empty }}"], follow_task_ids_if_passed="next"
    )
    assert refused(task, empty="") == "monitors[1]: '' is empty"


def test_sensors_check_their_ids_too() -> None:
    sync = DatasetSyncSensor(
        task_id="t", model_id="{{ empty }}", model_version="v1", role="serving", table_version=1
    )
    assert refused(sync, empty="") == "model_id: '' is empty"
    table = DeltaTableSensor(task_id="t", table_uri="s3://b/k", aws_conn_id="{{ empty }}", min_rows=1)
    assert refused(table, empty="") == "aws_conn_id: '' is empty"


def test_other_faults_are_named_with_them() -> None:
    task = CreateModelOperator(task_id="t", model_id="{{ empty }}", color="{{ blu }}", if_exists="{{ fial }}")
    message = refused(task, empty="", blu="blu", fial="fial")
    assert [line.partition(":")[0] for line in message.splitlines()[1:]] == [
        *("  - color", "  - if_exists", "  - model_id")
    ]


def test_what_may_be_left_out_is_not_checked() -> None:
    task = CreateModelOperator(task_id="t", model_id="m", name="", description="{{ empty }}")
    task.render_template_fields({"empty": ""})  # type: ignore[typeddict-unknown-key]
    assert (task.name, task.description) == ("", "")
    BranchOnModelHealthOperator(**BRANCH, follow_task_ids_if_passed=()).render_template_fields({})


def test_all_operators_and_sensors_are_checked() -> None:
    assert issubclass(NestedRenderingMixin, CheckedRendering)
    assert issubclass(DeferrableSensor, CheckedRendering)
    found = []
    info = get_provider_info()
    entries = [entry for kind in ("operators", "sensors") for entry in info[kind]]
    for module in [module for entry in entries for module in entry["python-modules"]]:
        classes = vars(__import__(module, fromlist=["_"])).values()
        found += [
            each
            for each in classes
            if isinstance(each, type) and each.__module__ == module and hasattr(each, "template_fields")
        ]
    assert [each.__name__ for each in found if not issubclass(each, CheckedRendering)] == []
    # A parameter that ends with _id or _version is an id.
    ids = {name for each in found for name in each.template_fields if name.endswith(("_id", "model_version"))}
    assert ids <= IDS


@pytest.mark.usefixtures("airflow_database", "registry")
def test_an_empty_id_of_a_mapped_task_fails_it_without_retry() -> None:
    with new_dag("mapped") as dag:
        DeleteMonitorOperator.partial(task_id="t", name="n", retries=3).expand(model_id=["m", " "])
    states = {ti.map_index: (ti.state, ti.try_number) for ti in finish(dag).get_task_instances()}
    assert states == {0: ("success", 1), 1: ("failed", 1)}


def test_tasks_to_follow_are_checked_when_the_dag_is_read() -> None:
    with pytest.raises(ValidationError) as failure:
        BranchOnModelHealthOperator(
            **BRANCH,
            follow_task_ids_if_passed=None,  # type: ignore[arg-type]
            follow_task_ids_if_failed=["a", 5, ""],  # type: ignore[list-item]
            follow_task_ids_if_insufficient={"a": 1},  # type: ignore[arg-type]
        )
    assert failure.value.message.splitlines() == [
        "Task 'branch' is not valid",
        "  - follow_task_ids_if_passed: None is neither an id of a task nor a list of ids",
        "  - follow_task_ids_if_failed: 5, '' is no id of a task",
        "  - follow_task_ids_if_insufficient: {'a': 1} is neither an id of a task nor a list of ids",
    ]
    with pytest.raises(ValidationError, match="follow_task_ids_if_failed: 5 is neither"):
        BranchOnModelHealthOperator.partial(task_id="b", follow_task_ids_if_failed=5)


def test_tasks_to_follow_are_checked_before_the_branch_is_taken() -> None:
    with new_dag("unknown"):
        task = BranchOnModelHealthOperator(
            **BRANCH,
            follow_task_ids_if_passed="{{ passed }}",
            follow_task_ids_if_failed=["retrain", "{{ failed }}"],
            follow_task_ids_if_insufficient="{{ empty }}",
        )
        task >> [EmptyOperator(task_id="retrain"), EmptyOperator(task_id="other")]
    message = refused(task, passed="retrian", failed="nothing", empty="")
    assert message.splitlines()[1:] == [
        "  - follow_task_ids_if_insufficient: '' is no id of a task",
        "  - follow_task_ids_if_passed: the DAG has no task 'retrian'; did you mean 'retrain'?",
        "  - follow_task_ids_if_failed: the DAG has no task 'nothing'; there are 'other', 'retrain'",
    ]
