"""What tasks do if a verdict is ``fail`` or ``insufficient``: fail, skip, pass, or follow a branch."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException
from airflow.providers.standard.operators.branch import BaseBranchOperator

from aporia_provider.base_model import is_template
from aporia_provider.errors import InsufficientDataError, ValidationError
from aporia_provider.nearest import nearest
from aporia_provider.operators.base import AporiaOperator
from aporia_provider.operators.parameters import CheckedParameter, check_parameters

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

    from aporia_provider.verdicts import Outcome

OnOutcome = Literal["fail", "skip", "pass"]
ON_OUTCOME: tuple[str, ...] = get_args(OnOutcome)

TaskIds = str | Sequence[str]

_FOLLOWED = ("follow_task_ids_if_passed", "follow_task_ids_if_failed", "follow_task_ids_if_insufficient")


class TaskIdsParameter(CheckedParameter["TaskIds | None"]):
    """
    A parameter that is the id of a task or task group, or a collection of ids.

    :param optional: Whether None is allowed.
    """

    def __init__(self, *, optional: bool = False) -> None:
        self.optional = optional

    def _checked(self, value: Any) -> Any:
        if value is None and self.optional:
            return None
        ids = [value] if isinstance(value, str) else value
        if isinstance(ids, Mapping) or not isinstance(ids, Collection):
            raise ValidationError(f"{self.name}: {value!r} is neither an id of a task nor a list of ids")
        if wrong := [id_ for id_ in ids if not _is_id(id_)]:
            raise ValidationError(f"{self.name}: {', '.join(map(repr, wrong))} is no id of a task")
        return value


def _is_id(value: Any) -> bool:
    return hasattr(value, "resolve") or (isinstance(value, str) and bool(value.strip()))


class OutcomeBranchOperator(AporiaOperator, BaseBranchOperator):
    """
    Base class of operators that follow tasks by the outcome of a verdict, and skip all others downstream.

    :param follow_task_ids_if_passed: Id of a task or task group downstream, or a list of ids.
    :param follow_task_ids_if_failed: The same for ``fail``. An empty list skips all tasks downstream.
    :param follow_task_ids_if_insufficient: The same for ``insufficient``. Default: the ids for ``fail``.
    """

    template_fields = (
        *AporiaOperator.template_fields,
        *_FOLLOWED,
    )

    follow_task_ids_if_passed = TaskIdsParameter()
    follow_task_ids_if_failed = TaskIdsParameter()
    follow_task_ids_if_insufficient = TaskIdsParameter(optional=True)

    def __init__(
        self,
        *,
        follow_task_ids_if_passed: TaskIds,
        follow_task_ids_if_failed: TaskIds = (),
        follow_task_ids_if_insufficient: TaskIds | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        task_ids = (follow_task_ids_if_passed, follow_task_ids_if_failed, follow_task_ids_if_insufficient)
        check_parameters(type(self), dict(zip(_FOLLOWED, task_ids, strict=True)), f"Task {self.task_id!r}")
        self.follow_task_ids_if_passed = follow_task_ids_if_passed
        self.follow_task_ids_if_failed = follow_task_ids_if_failed
        self.follow_task_ids_if_insufficient = follow_task_ids_if_insufficient

    def rendered_faults(self) -> Iterator[str]:
        """Return the faults of the rendered parameters, among them ids that the DAG does not have."""
        yield from super().rendered_faults()
        dag = self.get_dag()
        if dag is None:
            return
        known_ids = sorted({*dag.task_ids, *dag.task_group_dict} - {self.task_id})
        for name in _FOLLOWED:
            followed = [task_id for task_id in _ids(getattr(self, name)) if not is_template(task_id)]
            if unknown := [task_id for task_id in followed if task_id not in known_ids]:
                yield f"{name}: the DAG has no task {unknown[0]!r}; {nearest(unknown[0], known_ids)}"

    def follow(self, context: Context, outcome: Outcome, result: Mapping[str, Any]) -> dict[str, Any]:
        """
        Store the result of the task, and skip the tasks that are not followed.

        :param context: Context of the task.
        :param outcome: The outcome.
        :param result: Result of the task.
        :return: The result with ``followed``, the ids of the followed tasks.
        """
        task_ids = self._followed(outcome)
        complete = {**result, "followed": task_ids}
        # Airflow skips the others by an exception, after which it would not store a returned value.
        push_result(self, context, complete)
        if "ti" in context:
            self.do_branch(context, task_ids)
        return complete

    def _followed(self, outcome: Outcome) -> list[str]:
        if outcome == "pass":
            chosen = self.follow_task_ids_if_passed
        elif outcome == "fail" or self.follow_task_ids_if_insufficient is None:
            chosen = self.follow_task_ids_if_failed
        else:
            chosen = self.follow_task_ids_if_insufficient
        return _ids(chosen)


def _ids(value: TaskIds | None) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def settle(
    operator: BaseOperator, context: Context, outcome: Outcome, result: Mapping[str, Any], message: str
) -> None:
    """
    Fail or skip a task if its operator is configured so for an outcome. The result is stored in any case.

    A failed verdict is not retried, since waiting does not change it; a verdict with too little data is
    retried.

    :param operator: Operator with the attribute ``on_insufficient``, and with ``on_fail`` unless it fails.
    :param context: Context of the task.
    :param outcome: The outcome.
    :param result: Result of the task.
    :param message: Text of the error.
    :raises airflow.sdk.exceptions.AirflowFailException: if a failed verdict fails the task.
    :raises aporia_provider.errors.InsufficientDataError: if a verdict with too little data fails the task.
    :raises airflow.sdk.exceptions.AirflowSkipException: if the task is skipped.
    """
    default = "pass" if outcome == "pass" else "fail"
    action = getattr(operator, f"on_{outcome}", default)
    if action == "pass":
        return
    push_result(operator, context, result)
    if action == "skip":
        raise AirflowSkipException(message)
    raise AirflowFailException(message) if outcome == "fail" else InsufficientDataError(message)


def push_result(operator: Any, context: Context, result: Mapping[str, Any]) -> None:
    """
    Store the result of a task that ends with an exception, as Airflow stores a returned value.

    :param operator: Operator of the task.
    :param context: Context of the task; without a task instance, nothing is stored.
    :param result: The result.
    """
    if "ti" not in context or not operator.do_xcom_push:
        return
    ti = context["ti"]
    for name, value in result.items() if operator.multiple_outputs else ():
        ti.xcom_push(key=name, value=value)
    ti.xcom_push(key="return_value", value=dict(result))
