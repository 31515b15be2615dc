"""Hook for segments and custom metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aporia_provider.custom_metrics import CustomMetric, RegisteredCustomMetric
from aporia_provider.errors import NotFoundError
from aporia_provider.hooks.aporia import AporiaHook
from aporia_provider.segment_reports import RegisteredSegment, SegmentCost, SegmentSuggestions
from aporia_provider.segments import Segment

if TYPE_CHECKING:
    from aporia_provider.registrations import IfExists, Registered


class SegmentsHook(AporiaHook):
    """
    Hook for segments and custom metrics.

    Parameters: see :class:`~aporia_provider.hooks.aporia.AporiaHook`.
    """

    def create_segment(
        self, model_id: str, segment: Segment | Mapping[str, Any], *, if_exists: IfExists = "match"
    ) -> Registered:
        """
        Register a segment of a model, which has a version.

        :param model_id: Id of the model.
        :param segment: The segment, also as a dict of its parameters.
        :param if_exists: If the model has a segment of this name, ``match`` succeeds if it is identical and
            fails otherwise, ``skip`` keeps the existing one, and ``fail`` always fails.
        :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
        """
        with self.get_conn() as api:
            return api.create_segment(model_id, _segment(segment), if_exists=if_exists)

    def list_segments(self, model_id: str) -> list[RegisteredSegment]:
        """Return the segments of a model, oldest first, including segments of filters of custom metrics."""
        with self.get_conn() as api:
            return api.list_segments(model_id)

    def delete_segment(self, model_id: str, name: str, *, ignore_if_missing: bool = True) -> bool:
        """
        Delete a segment of a model with its states.

        :param model_id: Id of the model.
        :param name: Name or id of the segment.
        :param ignore_if_missing: Whether to return if there is no such model or segment.
        :return: Whether there was such a segment.
        :raises aporia_provider.errors.NotFoundError: if there is no such model or segment.
        """
        with self.get_conn() as api:
            try:
                api.delete_segment(model_id, name)
            except NotFoundError:
                if not ignore_if_missing:
                    raise
                return False
        return True

    def suggest_segments(self, model_id: str, model_version: str) -> SegmentSuggestions:
        """Return segments for the most important fields of a version; nothing is created."""
        with self.get_conn() as api:
            return api.suggest_segments(model_id, model_version)

    def segment_cost(self, model_id: str, segment: Segment | Mapping[str, Any]) -> SegmentCost:
        """Return what a segment would cost, estimated from what is stored; nothing is created."""
        with self.get_conn() as api:
            return api.segment_cost(model_id, _segment(segment))

    def create_custom_metric(
        self,
        model_id: str,
        custom_metric: CustomMetric | Mapping[str, Any],
        *,
        if_exists: IfExists = "match",
    ) -> Registered:
        """
        Register a custom metric of a model, which has a version.

        :param model_id: Id of the model.
        :param custom_metric: The custom metric, also as a dict of its parameters.
        :param if_exists: See :meth:`create_segment`.
        :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
        """
        with self.get_conn() as api:
            return api.create_custom_metric(model_id, _custom_metric(custom_metric), if_exists=if_exists)

    def list_custom_metrics(self, model_id: str) -> list[RegisteredCustomMetric]:
        """Return the custom metrics of a model, oldest first."""
        with self.get_conn() as api:
            return api.list_custom_metrics(model_id)

    def delete_custom_metric(self, model_id: str, name: str, *, ignore_if_missing: bool = True) -> bool:
        """
        Delete a custom metric of a model, and the segments of its filters that no other one uses.

        :param model_id: Id of the model.
        :param name: Name or id of the custom metric.
        :param ignore_if_missing: Whether to return if there is no such model or custom metric.
        :return: Whether there was such a custom metric.
        :raises aporia_provider.errors.NotFoundError: if there is no such model or custom metric.
        """
        with self.get_conn() as api:
            try:
                api.delete_custom_metric(model_id, name)
            except NotFoundError:
                if not ignore_if_missing:
                    raise
                return False
        return True


def _segment(segment: Segment | Mapping[str, Any]) -> Segment:
    if isinstance(segment, Mapping):
        return Segment(**{str(name): value for name, value in segment.items()})
    Segment.check_type(segment)
    return segment


def _custom_metric(custom_metric: CustomMetric | Mapping[str, Any]) -> CustomMetric:
    if isinstance(custom_metric, Mapping):
        return CustomMetric(**{str(name): value for name, value in custom_metric.items()})
    CustomMetric.check_type(custom_metric)
    return custom_metric
