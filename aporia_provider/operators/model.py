"""Operators for models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from aporia_provider.base_model import is_template
from aporia_provider.errors import NotFoundError
from aporia_provider.models import AGGREGATION_PERIODS, COLORS, ICONS, Model
from aporia_provider.operators.base import AporiaOperator, fail_without_retry
from aporia_provider.operators.parameters import CheckedParameter, Choice, Flag, ParameterError
from aporia_provider.registrations import IF_EXISTS
from aporia_provider.retention import LEVELS, Retention, retention_text

if TYPE_CHECKING:
    from airflow.sdk import Context

    from aporia_provider.models import AggregationPeriod
    from aporia_provider.registrations import IfExists


class RetentionParameter(CheckedParameter["str | None"]):
    """A parameter that is the text of a :class:`~aporia_provider.retention.Retention`, or None."""

    def _checked(self, value: Any) -> str | None:
        return retention_text(value)


class CreateModelOperator(AporiaOperator):
    """
    Register a model.

    :param model_id: Id of the model.
    :param name: Display name; None uses the id.
    :param description: Description of the model.
    :param model_owner: E-mail address of the model's owner.
    :param color: One of the protocol's colors.
    :param icon: One of the protocol's icons.
    :param tags: At most 10 tags.
    :param aggregation_period: Length of the time buckets, ``hourly`` or ``daily``; None means daily.
    :param retention: How long states are kept, such as ``hourly for 30 days, daily for 2 years``; None keeps
        all of them. See :class:`~aporia_provider.retention.Retention`.
    :param if_exists: If the model exists, ``match`` succeeds if it is identical and fails otherwise, ``skip``
        keeps the existing model, and ``fail`` always fails.
    :return: ``{"model_id", "status"}`` with status ``created``, ``unchanged`` or ``skipped``.
    """

    template_fields = (
        *AporiaOperator.template_fields,
        "model_id",
        "name",
        "description",
        "model_owner",
        "tags",
        "color",
        "icon",
        "aggregation_period",
        "retention",
        "if_exists",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"tags": "json"}
    ui_color = "#d7e8ff"

    color = Choice[str](COLORS)
    icon = Choice[str](ICONS)
    aggregation_period = Choice["AggregationPeriod | None"](AGGREGATION_PERIODS, optional=True)
    retention = RetentionParameter()
    if_exists = Choice["IfExists"](IF_EXISTS)

    def __init__(
        self,
        *,
        model_id: str,
        name: str | None = None,
        description: str | None = None,
        model_owner: str | None = None,
        color: str = "blue",
        icon: str = "general",
        tags: Mapping[str, str] | None = None,
        aggregation_period: AggregationPeriod | None = None,
        retention: str | Retention | None = None,
        if_exists: IfExists = "match",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model_id = model_id
        self.name = name
        self.description = description
        self.model_owner = model_owner
        self.color = color
        self.icon = icon
        self.tags = tags
        self.aggregation_period = aggregation_period
        self.retention = retention
        self._check_retention()
        self.if_exists = if_exists

    def _check_retention(self) -> None:
        """Check that the retention fits the aggregation period, unless one of them is rendered later."""
        period = self.aggregation_period or "daily"
        if not isinstance(self.retention, str) or is_template(self.retention) or period not in LEVELS:
            return
        problem = Retention.parse(self.retention).problem(period)
        if problem is not None:
            raise ParameterError(f"retention {problem}")

    def execute(self, context: Context) -> dict[str, str]:
        """Register the model."""
        with fail_without_retry(), self.aporia_hook.get_conn() as api:
            registered = api.create_model(self._model(), if_exists=self.if_exists)
        self.log.info("Model %r: %s", self.model_id, registered["status"])
        return {"model_id": registered["id"], "status": registered["status"]}

    def _model(self) -> Model:
        return Model(
            id=self.model_id,
            name=self.name or self.model_id,
            description=self.description,
            owner=self.model_owner,
            color=self.color,
            icon=self.icon,
            tags=self.tags,
            aggregation_period=self.aggregation_period,
            retention=self.retention,
        )


class DeleteModelOperator(AporiaOperator):
    """
    Delete a model with its versions and datasets. The data itself is not deleted.

    :param model_id: Id of the model.
    :param ignore_if_missing: Whether to succeed if there is no such model.
    :return: ``{"model_id", "status"}`` with status ``deleted`` or ``missing``.
    """

    template_fields = (*AporiaOperator.template_fields, "model_id", "ignore_if_missing")
    ui_color = "#ffd7d7"

    ignore_if_missing = Flag()

    def __init__(self, *, model_id: str, ignore_if_missing: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model_id = model_id
        self.ignore_if_missing = ignore_if_missing

    def execute(self, context: Context) -> dict[str, str]:
        """Delete the model."""
        with fail_without_retry(), self.aporia_hook.get_conn() as api:
            try:
                api.delete_model(self.model_id)
            except NotFoundError:
                if not self.ignore_if_missing:
                    raise
                return self._result("missing")
        return self._result("deleted")

    def _result(self, status: str) -> dict[str, str]:
        self.log.info("Model %r: %s", self.model_id, status)
        return {"model_id": self.model_id, "status": status}


class AddModelTagsOperator(AporiaOperator):
    """
    Set tags of a model; other tags remain.

    :param model_id: Id of the model.
    :param tags: Tags to set: keys of at most 15 characters, values of at most 100. A model can have 10 tags.
    :param multiple_outputs: Whether each tag is also stored as a separate XCom.
    :return: All tags of the model.
    """

    template_fields = (*AporiaOperator.template_fields, "model_id", "tags")
    template_fields_renderers: ClassVar[dict[str, str]] = {"tags": "json"}
    ui_color = "#d7e8ff"

    def __init__(
        self, *, model_id: str, tags: Mapping[str, str], multiple_outputs: bool = False, **kwargs: Any
    ) -> None:
        # Airflow does not quote XCom keys in its requests, and keys of tags may contain any character.
        super().__init__(multiple_outputs=multiple_outputs, **kwargs)
        self.model_id = model_id
        self.tags = tags

    def execute(self, context: Context) -> dict[str, str]:
        """Set the tags."""
        with fail_without_retry(), self.aporia_hook.get_conn() as api:
            api.add_model_tags(self.model_id, self.tags)
            tags = api.get_model_tags(self.model_id)
        self.log.info("Model %r: set the tags %s; it has %s", self.model_id, dict(self.tags), tags)
        return tags
