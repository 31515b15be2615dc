"""The calls for segments and custom metrics, which only this project's server has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from aporia_provider.custom_metrics import CustomMetric, RegisteredCustomMetric
    from aporia_provider.registrations import IfExists, Registered
    from aporia_provider.segment_reports import RegisteredSegment, SegmentCost, SegmentSuggestions
    from aporia_provider.segments import Segment


class SegmentApi(Protocol):
    """
    The calls for segments and custom metrics of a model.

    Only this project's server has them. For the errors and ``if_exists`` see
    :class:`~aporia_provider.api.AporiaApi`.
    """

    def create_segment(self, model_id: str, segment: Segment, *, if_exists: IfExists = "match") -> Registered:
        """
        Register a segment of a model.

        Its conditions are checked against the fields of all versions; where their types differ, the types of
        the latest version count. The next sync of each dataset computes the states of the segment.

        :param model_id: Id of the model, which has a version.
        :param segment: The segment.
        :param if_exists: Behaviour if the model has a segment of this name.
        """

    def list_segments(self, model_id: str) -> list[RegisteredSegment]:
        """
        Return the segments of a model, oldest first.

        Those of the filters of custom metrics are included.
        """

    def delete_segment(self, model_id: str, name: str) -> None:
        """
        Delete a segment of a model with its states.

        :param model_id: Id of the model.
        :param name: Name or id of the segment.
        """

    def suggest_segments(self, model_id: str, model_version: str) -> SegmentSuggestions:
        """
        Return segments for the most important fields of a version, from its stored states.

        They are not created. For what is suggested see
        :meth:`~aporia_provider.backend.registration.segment_suggestions.Suggestions.suggest_segments`.
        """

    def segment_cost(self, model_id: str, segment: Segment) -> SegmentCost:
        """
        Return what a segment would cost, estimated from what is stored; nothing is created.



        :param model_id: Id of the model, which has a version.
        :param segment: The segment. It may have the name of an existing one.
        """

    def create_custom_metric(
        self, model_id: str, custom_metric: CustomMetric, *, if_exists: IfExists = "match"
    ) -> Registered:
        """
        Register a custom metric of a model.

        Its code is checked against the fields of all versions, as the conditions of segments are. A segment
        is made for each of its filters.

        :param model_id: Id of the model, which has a version.
        :param custom_metric: The custom metric.
        :param if_exists: What to do if the model has a custom metric of this name.
        """

    def list_custom_metrics(self, model_id: str) -> list[RegisteredCustomMetric]:
        """Return the custom metrics of a model, oldest first."""

    def delete_custom_metric(self, model_id: str, name: str) -> None:
        """
        Delete a custom metric of a model, and the segments of its filters that no other one uses.



        :param model_id: Id of the model.
        :param name: Name or id of the custom metric.
        """
