"""Checks of the parameters of operators and sensors when their templates have been rendered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Final

from airflow.sdk import BaseOperator

from aporia_provider.errors import ValidationError
from aporia_provider.operators.parameters import ParameterError

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context

IDS: Final = frozenset(
    {
        *("aporia_conn_id", "aws_conn_id", "spark_conn_id", "data_source_conn_id"),
        *("model_id", "model_version"),
        *("champion", "challenger", "metric", "prediction", "monitors", "fields"),
        *("location", "table_uri", "id_column", "timestamp_column", "role_name", "policy_name"),
    }
)
"""Parameters that are ids or names, or lists of them."""


class CheckedRendering(BaseOperator):
    """
    Operator whose parameters are checked before it is executed: all faults are in one error without retry.

    Ids must not be empty, which a template is if a value is missing. Some parameters may be left out, and
    then have another meaning than an empty id.
    """

    id_fields: ClassVar[frozenset[str]] = IDS

    def rendered_faults(self) -> Iterator[str]:
        """Return the faults of the rendered parameters, besides those that setting them finds."""
        for name in self.template_fields:
            if name in self.id_fields:
                yield from _faults_of_ids(name, getattr(self, name))

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Iterable[str],
        context: Context,
        jinja_env: jinja2.Environment,
        seen_oids: set[int],
    ) -> None:
        # Airflow calls this method for all tasks and for nested objects, and render_template_fields for
        # unmapped tasks only.
        if parent is not self:
            super()._do_render_template_fields(parent, template_fields, context, jinja_env, seen_oids)
            return
        errors: list[ValidationError] = []
        for name in template_fields:
            try:
                super()._do_render_template_fields(parent, (name,), context, jinja_env, seen_oids)
            except ValidationError as error:
                errors.append(error)
        problems = [*(error.message for error in errors), *self.rendered_faults()]
        if len(problems) == 1:
            raise ParameterError(problems[0])
        if problems:
            raise ParameterError(f"The parameters of task {self.task_id!r} are not valid", problems=problems)


def _faults_of_ids(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _faults_of_ids(f"{name}[{index}]", item)
    elif isinstance(value, str) and not value.strip():
        yield f"{name}: {value!r} is empty"
