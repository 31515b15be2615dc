"""Execution of tasks in this process with Airflow's task runner, without a metadata database."""

from __future__ import annotations

import os
import signal
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aporia_provider.errors import ValidationError

if TYPE_CHECKING:
    from airflow.sdk import XComArg
    from airflow.sdk.bases.operator import BaseOperator
    from airflow.sdk.execution_time.supervisor import TaskRunResult

    from aporia_provider.testing.execution_api import ExecutionApi


@dataclass(frozen=True)
class AssetEvent:
    """An asset event that a task emitted."""

    uri: str
    extra: dict[str, Any]


@dataclass(frozen=True)
class TaskRun:
    """
    Result of a task.

    :param state: ``success``, ``skipped``, ``deferred`` or ``up_for_reschedule``.
    :param result: Return value, as read from XCom.
    :param asset_events: Asset events that the task emitted.
    :param task: Operator with rendered templates.
    """

    state: str
    result: Any
    asset_events: tuple[AssetEvent, ...]
    task: BaseOperator


class TaskRunner:
    """A function that runs the tasks of a test. Each task has access to the XComs of the previous ones."""

    def __init__(self) -> None:
        self._xcoms: dict[str, Any] = {}

    def __call__(
        self,
        task: BaseOperator | XComArg,
        *,
        run_id: str = "test",
        logical_date: datetime | None = None,
        conf: dict[str, Any] | None = None,
    ) -> TaskRun:
        """
        Render the templates of a task and execute it like an Airflow worker.

        Upstream tasks are not run. To run a DAG with all its rules, use ``dag.test()``, which requires a
        metadata database.

        :param task: An operator, or the return value of a ``@task`` function. It does not need a DAG.
        :param run_id: Id of the DAG run.
        :param logical_date: Logical date of the DAG run. If it is None, as in runs triggered by assets,
            ``ds``, ``ts`` and related template variables are undefined.
        :param conf: Configuration of the DAG run, which overrides params.
        :raises aporia_provider.errors.ValidationError: if the task or the date is not valid.
        :raises Exception: any exception that the task raised.
        """
        from aporia_provider.testing.execution_api import ExecutionApi

        operator = _operator(task)
        _check_date(logical_date)
        api = ExecutionApi(operator.dag_id, run_id, datetime.now(UTC), logical_date, conf, self._xcoms)
        with _restored_environment():
            finished = _run(operator, api)
        if finished.error is not None:
            raise finished.error
        return TaskRun(
            state=str(getattr(finished.state, "value", finished.state)),
            result=self._result(operator, run_id),
            asset_events=tuple(_asset_events(finished)),
            task=finished.ti.task,
        )

    def _result(self, operator: BaseOperator, run_id: str) -> Any:
        from airflow.sdk.execution_time.comms import XComResult
        from airflow.sdk.execution_time.xcom import XCom

        path = f"{operator.dag_id}/{run_id}/{operator.task_id}/{XCom.XCOM_RETURN_KEY}"
        value = self._xcoms.get(path)
        return XCom.deserialize_value(XComResult(key=XCom.XCOM_RETURN_KEY, value=value))


def _operator(task: BaseOperator | XComArg) -> BaseOperator:
    from airflow.sdk import DAG
    from airflow.sdk.bases.operator import BaseOperator

    operator: Any = getattr(task, "operator", task)
    if not isinstance(operator, BaseOperator):
        raise ValidationError(f"{task!r} cannot be run: {_advice(task)}")
    if not operator.has_dag():  # type: ignore[no-untyped-call]
        operator.dag = DAG("test", schedule=None)
    return operator


def _advice(task: Any) -> str:
    """Return advice for an argument that is not a task."""
    from airflow.sdk import DAG

    if isinstance(task, DAG):
        return "it is a DAG, which dag.test() runs; here, give one of its tasks"
    name = getattr(task, "__name__", "function")
    # Mapped operators have the attribute operator_class as well.
    if callable(task) and hasattr(task, "operator_class"):
        return f"it is a function with the decorator @task. Call it: {name}()"
    if callable(task):
        return f"it is a function. Decorate it with @task, and give its return value: {name}()"
    return "give an operator that is not mapped"


def _check_date(date: Any) -> None:
    example = "give one such as datetime(2026, 1, 1, tzinfo=UTC)"
    if date is not None and not isinstance(date, datetime):
        raise ValidationError(f"logical_date is of type {type(date).__name__} instead of datetime; {example}")
    if date is not None and date.tzinfo is None:
        raise ValidationError(f"logical_date has no time zone; {example}")


def _run(operator: BaseOperator, api: ExecutionApi) -> TaskRunResult:
    from airflow.sdk.api.datamodels._generated import TaskInstance
    from airflow.sdk.execution_time.supervisor import InProcessTestSupervisor

    class Supervisor(InProcessTestSupervisor):
        """Airflow's supervisor with another API client, which ``run_task_in_process`` accepts since 3.3."""

        @staticmethod
        def _api_client(dag: Any = None) -> Any:
            return InProcessTestSupervisor._Client(
                base_url=None, token="", dry_run=True, transport=api.transport()
            )

    instance = TaskInstance(
        id=uuid.uuid4(),
        dag_version_id=uuid.uuid4(),
        task_id=operator.task_id,
        dag_id=api.dag_id,
        run_id=api.run_id,
        try_number=1,
        map_index=-1,
    )
    return Supervisor.start(what=instance, task=operator)


@contextmanager
def _restored_environment() -> Iterator[None]:
    """Restore the process after a task: variables ``AIRFLOW_CTX_…`` and the SIGTERM handler."""
    environment = dict(os.environ)
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)
        for name in [name for name in os.environ if name.startswith("AIRFLOW_CTX_")]:
            del os.environ[name]
        os.environ.update({n: v for n, v in environment.items() if n.startswith("AIRFLOW_CTX_")})


def _asset_events(finished: TaskRunResult) -> Iterator[AssetEvent]:
    """Yield events as Airflow stores them: events emitted through several aliases are merged."""
    emitted: list[AssetEvent] = []
    for event in getattr(finished.msg, "outlet_events", None) or ():
        asset_event = AssetEvent(event["dest_asset_key"]["uri"], dict(event["extra"]))
        if asset_event not in emitted:
            emitted.append(asset_event)
            yield asset_event
