"""Calls for segments and custom metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import pydantic

from aporia_provider.client.error_responses import lines
from aporia_provider.client.messages import Call, Reply, Request, segment
from aporia_provider.client.monitor_calls import deletion
from aporia_provider.client.registration import registered, settled
from aporia_provider.custom_metrics import CustomMetric, RegisteredCustomMetric
from aporia_provider.errors import AporiaError
from aporia_provider.registrations import IfExists, Registered, check_if_exists
from aporia_provider.segment_reports import RegisteredSegment, SegmentCost, SegmentSuggestions
from aporia_provider.segments import Segment

T = TypeVar("T")


class SegmentCalls:
    """
    The calls for segments and custom metrics, without I/O. Only this project's server has them.

    Parameters, results and errors: see :class:`~aporia_provider.api.AporiaApi`.
    """

    def create_segment(
        self, model_id: str, segment: Segment, *, if_exists: IfExists = "match"
    ) -> Call[Registered]:
        """Register a segment of a model."""
        Segment.check_type(segment)
        subject, body = f"segment {segment.name!r}", segment.to_wire()
        existing = self.list_segments(model_id)
        return (yield from _creation(_segments(model_id), subject, model_id, body, if_exists, existing))

    def list_segments(self, model_id: str) -> Call[list[RegisteredSegment]]:
        """Return the segments of a model, oldest first."""
        reply = yield Request(f"Listing the segments of model {model_id!r}", "GET", _segments(model_id))
        return _parsed(reply, "the segments", list[RegisteredSegment], reply.mapping().get("segments"))

    def delete_segment(self, model_id: str, name: str) -> Call[None]:
        """Delete a segment of a model with its states."""
        path = f"{_segments(model_id)}/{segment(name, 'segment')}"
        yield from deletion(f"Deleting segment {name!r} of model {model_id!r}", path)

    def suggest_segments(self, model_id: str, model_version: str) -> Call[SegmentSuggestions]:
        """Return segments for the most important fields of a version."""
        version = segment(model_version, "model version")
        path = f"{_model(model_id)}/versions/{version}/suggested_segments"
        description = f"Getting suggested segments for version {model_version!r} of model {model_id!r}"
        reply = yield Request(description, "GET", path)
        return _parsed(reply, "suggestions", SegmentSuggestions, reply.accepted())

    def segment_cost(self, model_id: str, segment: Segment) -> Call[SegmentCost]:
        """Return what a segment would cost."""
        Segment.check_type(segment)
        description = f"Estimating the cost of segment {segment.name!r} of model {model_id!r}"
        reply = yield Request(description, "POST", f"{_model(model_id)}/segment_cost", segment.to_wire())
        return _parsed(reply, "a cost", SegmentCost, reply.accepted())

    def create_custom_metric(
        self, model_id: str, custom_metric: CustomMetric, *, if_exists: IfExists = "match"
    ) -> Call[Registered]:
        """Register a custom metric of a model."""
        CustomMetric.check_type(custom_metric)
        subject, body = f"custom metric {custom_metric.name!r}", custom_metric.to_wire()
        existing = self.list_custom_metrics(model_id)
        return (yield from _creation(_custom_metrics(model_id), subject, model_id, body, if_exists, existing))

    def list_custom_metrics(self, model_id: str) -> Call[list[RegisteredCustomMetric]]:
        """Return the custom metrics of a model, oldest first."""
        description = f"Listing the custom metrics of model {model_id!r}"
        reply = yield Request(description, "GET", _custom_metrics(model_id))
        custom_metrics = reply.mapping().get("custom_metrics")
        return _parsed(reply, "the custom metrics", list[RegisteredCustomMetric], custom_metrics)

    def delete_custom_metric(self, model_id: str, name: str) -> Call[None]:
        """Delete a custom metric of a model."""
        path = f"{_custom_metrics(model_id)}/{segment(name, 'custom metric')}"
        yield from deletion(f"Deleting custom metric {name!r} of model {model_id!r}", path)


def _creation(
    path: str,
    what: str,
    model_id: str,
    body: Mapping[str, Any],
    if_exists: IfExists,
    existing: Call[list[RegisteredSegment]] | Call[list[RegisteredCustomMetric]],
) -> Call[Registered]:
    """
    Register something.

    :param existing: Call that lists what is registered. It is made only if the name exists.
    """
    check_if_exists(if_exists)
    subject = f"{what[0].upper()}{what[1:]} of model {model_id!r}"
    reply = yield Request(f"Creating {what} of model {model_id!r}", "POST", path, body)
    if reply.status == 409:
        differences = lines(reply.body, "differences")
        ids = {each["name"]: each["id"] for each in (yield from existing)}
        return settled(reply, subject, ids.get(body["name"], ""), differences, if_exists)
    return registered(reply, subject, str(body["name"]), if_exists)


def _parsed(reply: Reply, description: str, type_: type[T], body: Any) -> T:
    try:
        return pydantic.TypeAdapter(type_).validate_python(body)
    except pydantic.ValidationError as error:
        location = ".".join(map(str, error.errors(include_url=False, include_input=False)[0]["loc"]))
        message = reply.error_message(f"the reply does not have {description} (at {location or 'its start'})")
        raise AporiaError(message, status=reply.status) from None


def _model(model_id: str) -> str:
    return f"/v1beta/models/{segment(model_id, 'model id')}"


def _segments(model_id: str) -> str:
    return f"{_model(model_id)}/segments"


def _custom_metrics(model_id: str) -> str:
    return f"{_model(model_id)}/custom_metrics"
