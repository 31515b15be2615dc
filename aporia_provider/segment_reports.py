"""Answers about segments: what is registered, what is suggested, and what a segment would cost."""

from __future__ import annotations

from typing import Any

# Pydantic refuses typing.TypedDict before Python 3.12.
from typing_extensions import TypedDict


class SegmentTerm(TypedDict):
    """A term of a registered segment."""

    label: str
    condition: str


class RegisteredSegment(TypedDict):
    """
    A registered segment.

    ``manual`` is false if it was made for the filter of a custom metric.
    """

    id: str
    name: str
    manual: bool
    created_at: str
    terms: list[SegmentTerm]
    registration: dict[str, Any]


class SuggestedSegment(TypedDict):
    """
    A segment that is suggested, and why.

    ``segment`` has the parameters of :class:`~aporia_provider.segments.Segment`.
    """

    segment: dict[str, Any]
    reason: str


class SegmentSuggestions(TypedDict):
    """
    Segments that are suggested for a model.

    ``left_out`` has the reason why there is none for a field.
    """

    model_id: str
    model_version: str
    segments: list[SuggestedSegment]
    left_out: list[str]


class SegmentCost(TypedDict):
    """
    Cost of a segment, estimated from the stored states.

    ``states`` and ``bytes`` are upper limits for all datasets of the model.
    ``sync_seconds`` is added to the next syncs of all datasets together, and ``fill_seconds`` is the time of
    the first one, which computes the states of the past; they are null if no sync has been measured.
    ``notes`` describes how each was estimated, and ``problems`` lists the limits that would be exceeded.
    """

    terms: int
    states: int
    bytes: int
    sync_seconds: float | None
    fill_seconds: float | None
    notes: list[str]
    problems: list[str]
