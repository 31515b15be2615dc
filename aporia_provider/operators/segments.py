"""Operators that create and delete segments and custom metrics."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from aporia_provider.links import ModelPageLink, ModelVersionLink
from aporia_provider.operators.base import AporiaOperator, fail_without_retry
from aporia_provider.operators.parameters import Choice, Flag
from aporia_provider.registrations import IF_EXISTS

if TYPE_CHECKING:
    from airflow.sdk import BaseOperatorLink, Context

    from aporia_provider.custom_metrics import CustomMetric
    from aporia_provider.hooks.segments import SegmentsHook
    from aporia_provider.registrations import IfExists, Registered
    from aporia_provider.segments import Segment


class SegmentsOperator(AporiaOperator):
    """
    Base class of operators for segments and custom metrics.

    :param model_id: Id of the model.
    """

    operator_extra_links: tuple[BaseOperatorLink, ...] = (ModelVersionLink(), ModelPageLink())
    template_fields = (*AporiaOperator.template_fields, "model_id")
    ui_color = "#d7f5ec"

    def __init__(self, *, model_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model_id = model_id
        self.server_url: str | None = None

    @cached_property
    def aporia_hook(self) -> SegmentsHook:
        """Return the hook for segments."""
        from aporia_provider.hooks.segments import SegmentsHook

        return SegmentsHook(self.aporia_conn_id)

    def find_link(self) -> None:
        """Store the target of the task's extra links, which is then available even if the task fails."""
        self.server_url = self.aporia_hook.server_url()

    def _log_status(self, kind: str, name: str, status: str) -> None:
        """Log the status of a segment or a custom metric, not its conditions, which may be personal data."""
        self.log.info("%s %r of model %r: %s", kind, name, self.model_id, status)


class CreateSegmentOperator(SegmentsOperator):
    """
    Register a segment of a model, which has a version.

    The next sync of each dataset computes the states of the segment, and only those.

    :param model_id: Id of the model.
    :param segment: The segment: a :class:`~aporia_provider.segments.Segment`, or a dict of its parameters.
    :param if_exists: If the model has a segment of this name, ``match`` succeeds if it is identical and fails
        otherwise, ``skip`` keeps the existing one, and ``fail`` always fails.
    :return: ``{"segment_id", "name", "status"}`` with status ``created``, ``unchanged`` or ``skipped``.
    """

    template_fields = (*SegmentsOperator.template_fields, "segment", "if_exists")
    template_fields_renderers: ClassVar[dict[str, str]] = {"segment": "json"}

    if_exists = Choice["IfExists"](IF_EXISTS)

    def __init__(
        self,
        *,
        model_id: str,
        segment: Segment | Mapping[str, Any],
        if_exists: IfExists = "match",
        **kwargs: Any,
    ) -> None:
        super().__init__(model_id=model_id, **kwargs)
        self.segment = segment
        self.if_exists = if_exists

    def execute(self, context: Context) -> dict[str, str]:
        """Register the segment."""
        with fail_without_retry():
            self.find_link()
            registered = self.aporia_hook.create_segment(
                self.model_id, self.segment, if_exists=self.if_exists
            )
        name = _name(self.segment)
        self._log_status("Segment", name, registered["status"])
        return {"segment_id": registered["id"], **_outcome(name, registered)}


class CreateCustomMetricOperator(SegmentsOperator):
    """
    Register a custom metric of a model, which has a version.

    :param model_id: Id of the model.
    :param custom_metric: The custom metric: a :class:`~aporia_provider.custom_metrics.CustomMetric`, or a
        dict of its parameters.
    :param if_exists: If the model has a custom metric of this name, ``match`` succeeds if it is identical and
        fails otherwise, ``skip`` keeps the existing one, and ``fail`` always fails.
    :return: ``{"custom_metric_id", "name", "status"}`` with status ``created``, ``unchanged`` or ``skipped``.
    """

    template_fields = (*SegmentsOperator.template_fields, "custom_metric", "if_exists")
    template_fields_renderers: ClassVar[dict[str, str]] = {"custom_metric": "json"}

    if_exists = Choice["IfExists"](IF_EXISTS)

    def __init__(
        self,
        *,
        model_id: str,
        custom_metric: CustomMetric | Mapping[str, Any],
        if_exists: IfExists = "match",
        **kwargs: Any,
    ) -> None:
        super().__init__(model_id=model_id, **kwargs)
        self.custom_metric = custom_metric
        self.if_exists = if_exists

    def execute(self, context: Context) -> dict[str, str]:
        """Register the custom metric."""
        with fail_without_retry():
            self.find_link()
            registered = self.aporia_hook.create_custom_metric(
                self.model_id, self.custom_metric, if_exists=self.if_exists
            )
        name = _name(self.custom_metric)
        self._log_status("Custom metric", name, registered["status"])
        return {"custom_metric_id": registered["id"], **_outcome(name, registered)}


class _DeletionOperator(SegmentsOperator):
    """
    Base class of operators that delete a segment or a custom metric.

    :param model_id: Id of the model.
    :param name: Name or id of what is deleted.
    :param ignore_if_missing: Whether to succeed if there is nothing of this name.
    """

    template_fields = (*SegmentsOperator.template_fields, "name", "ignore_if_missing")
    id_fields = SegmentsOperator.id_fields | {"name"}
    ui_color = "#ffd7d7"

    ignore_if_missing = Flag()

    def __init__(self, *, model_id: str, name: str, ignore_if_missing: bool = True, **kwargs: Any) -> None:
        super().__init__(model_id=model_id, **kwargs)
        self.name = name
        self.ignore_if_missing = ignore_if_missing


class DeleteSegmentOperator(_DeletionOperator):
    """
    Delete a segment of a model, with its states.

    :param model_id: Id of the model.
    :param name: Name or id of the segment.
    :param ignore_if_missing: Whether to succeed if there is no such segment.
    :return: ``{"name", "status"}`` with status ``deleted`` or ``missing``.
    """

    def execute(self, context: Context) -> dict[str, str]:
        """Delete the segment."""
        with fail_without_retry():
            self.find_link()
            deleted = self.aporia_hook.delete_segment(
                self.model_id, self.name, ignore_if_missing=self.ignore_if_missing
            )
        status = "deleted" if deleted else "missing"
        self._log_status("Segment", self.name, status)
        return {"name": self.name, "status": status}


class DeleteCustomMetricOperator(_DeletionOperator):
    """
    Delete a custom metric of a model, and the segments of its filters that no other one uses.

    :param model_id: Id of the model.
    :param name: Name or id of the custom metric.
    :param ignore_if_missing: Whether to succeed if there is no such custom metric.
    :return: ``{"name", "status"}`` with status ``deleted`` or ``missing``.
    """

    def execute(self, context: Context) -> dict[str, str]:
        """Delete the custom metric."""
        with fail_without_retry():
            self.find_link()
            deleted = self.aporia_hook.delete_custom_metric(
                self.model_id, self.name, ignore_if_missing=self.ignore_if_missing
            )
        status = "deleted" if deleted else "missing"
        self._log_status("Custom metric", self.name, status)
        return {"name": self.name, "status": status}


def _name(definition: Segment | CustomMetric | Mapping[str, Any]) -> str:
    return str(definition["name"] if isinstance(definition, Mapping) else definition.name)


def _outcome(name: str, registered: Registered) -> dict[str, str]:
    return {"name": name, "status": registered["status"]}
