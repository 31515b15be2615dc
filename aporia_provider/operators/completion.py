"""Operator that completes the registration of a model version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.definitions.mappedoperator import MappedOperator

from aporia_provider.assets import EventKind
from aporia_provider.errors import ValidationError
from aporia_provider.links import ModelPageLink, ModelVersionLink
from aporia_provider.operators.base import VersionOperator, fail_without_retry
from aporia_provider.operators.dataset import ConnectDatasetOperator
from aporia_provider.registered_versions import check_connected

if TYPE_CHECKING:
    from airflow.sdk import BaseOperatorLink, Context

    from aporia_provider.datasets import Role


class CompleteModelVersionOperator(VersionOperator):
    """
    Check that a model version is complete, and emit an asset event.

    The event is of the kind :func:`~aporia_provider.assets.version_completed`.

    A version is complete when it is registered, and all datasets that the DAG connects to it are connected.
    Place this task downstream of all tasks that connect data to the version. The connected datasets are taken
    from the results of these tasks in the same DAG run; skipped tasks are ignored. The task fails if one of
    them did not succeed, if another task of the DAG connects data to the version but is not upstream, or if
    one of the datasets is not registered as connected.

    :param model_id: Id of the model.
    :param model_version: Name of the version.
    :param datasets: Roles of the datasets that have to be connected, by any task or DAG. None uses those that
        the DAG connects.
    :return: ``{"model_id", "model_version", "datasets"}``.
    """

    event = EventKind.COMPLETED

    template_fields = (*VersionOperator.template_fields, "datasets")
    template_fields_renderers: ClassVar[dict[str, str]] = {"datasets": "json"}
    operator_extra_links: tuple[BaseOperatorLink, ...] = (ModelVersionLink(), ModelPageLink())
    ui_color = "#d7e8ff"

    def __init__(self, *, datasets: Role | Sequence[Role] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.datasets = datasets

    def execute(self, context: Context) -> dict[str, Any]:
        """Check the version and emit the event."""
        self.find_links(None)
        with fail_without_retry(), self.aporia_hook.get_conn() as api:
            datasets = sorted(self._wanted(context))
            check_connected(api, self.model_id, self.model_version, datasets)
            environment = api.environment
        self.log.info(
            "Version %r of model %r is complete; datasets: %s",
            self.model_version,
            self.model_id,
            ", ".join(datasets) or "none",
        )
        # Airflow before 3.2 loses events whose extra contains a list.
        self.emit(context, environment, datasets=",".join(datasets))
        return {"model_id": self.model_id, "model_version": self.model_version, "datasets": datasets}

    def _wanted(self, context: Context) -> set[str]:
        if self.datasets is None:
            return set(self._connected_by_dag(context))
        return {self.datasets} if isinstance(self.datasets, str) else set(self.datasets)

    def _connected_by_dag(self, context: Context) -> list[str]:
        """Return the roles that upstream tasks connected to the version in this DAG run."""
        if "dag" not in context:
            raise ValidationError(
                "Without the context of a DAG run, the datasets of the DAG are unknown: give datasets, such "
                "as ['training', 'serving']"
            )
        dag_task = context["dag"].get_task(self.task_id)
        upstream = [task for task in dag_task.get_flat_relatives(upstream=True) if _connects(task)]
        results = {task.task_id: _results(context, task.task_id) for task in upstream}
        problems = [*_elsewhere(dag_task, results), *_unsuccessful(context, results)]
        if problems:
            raise ValidationError(
                f"Version {self.model_version!r} of model {self.model_id!r} is not known to be complete",
                problems=problems,
            )
        version = (self.model_id, self.model_version)
        return [
            result["dataset"]
            for connected in results.values()
            for result in connected
            if (result["model_id"], result["model_version"]) == version
        ]


def _connects(task: Any) -> bool:
    operator = task.operator_class if isinstance(task, MappedOperator) else type(task)
    return issubclass(operator, ConnectDatasetOperator)


def _results(context: Context, task_id: str) -> list[Mapping[str, Any]]:
    """Return the results of all instances of a task that connects data."""
    return [result for result in context["ti"].xcom_pull(task_ids=[task_id]) if result is not None]


def _elsewhere(task: Any, upstream: Mapping[str, Any]) -> Iterator[str]:
    """
    Yield a problem for each task that connects data to the same unrendered version, but is not upstream.
    """
    for other in task.dag.tasks:
        if _connects(other) and other.task_id not in upstream and _version(other) == _version(task):
            yield (
                f"task {other.task_id!r} connects data to this version and is not upstream of "
                f"{task.task_id!r}. Set it upstream, or list the required roles in datasets"
            )


def _version(task: Any) -> tuple[Any, Any]:
    """
    Return the unrendered model and version of a task; None for arguments that a mapped task is mapped over.
    """
    parameters = task.partial_kwargs if isinstance(task, MappedOperator) else vars(task)
    return parameters.get("model_id"), parameters.get("model_version")


def _unsuccessful(context: Context, results: Mapping[str, Sequence[Any]]) -> Iterator[str]:
    """Yield a problem for each upstream task that was neither skipped nor successful with a result."""
    if not results:
        return
    ti = context["ti"]
    states = ti.get_task_states(dag_id=ti.dag_id, task_ids=list(results), run_ids=[ti.run_id])
    for name, state in states.get(ti.run_id, {}).items():
        if state == "success" and not results.get(name, ["of a mapped task"]):
            yield (
                f"task {name!r} has no result, so its datasets are unknown. Remove do_xcom_push=False "
                "there, or list the required roles in datasets"
            )
        elif state not in ("success", "skipped"):
            yield f"task {name!r}, which connects data, did not succeed; its state is {state}"
