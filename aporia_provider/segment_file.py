"""Segments and custom metrics as YAML."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from aporia_provider.base_model import Name, PublicModel
from aporia_provider.custom_metrics import CustomMetric
from aporia_provider.segments import Segment
from aporia_provider.yaml_files import load_mapping, repeated


class SegmentFile(PublicModel):
    """
    Segments and custom metrics of a model.

    :param model: Id of the model.
    :param segments: The segments. An intersection is after the segments that it names.
    :param custom_metrics: The custom metrics.
    :raises aporia_provider.errors.ValidationError: if there are problems, all of which are listed.
    """

    model: Name
    segments: list[Segment] = Field(default_factory=list)
    custom_metrics: list[CustomMetric] = Field(default_factory=list)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        problems = [
            f"there are several {what} {name!r}"
            for what, names in (
                ("segments", [segment.name for segment in self.segments]),
                ("custom metrics", [metric.name for metric in self.custom_metrics]),
            )
            for name in repeated(names)
        ]
        if not self.segments and not self.custom_metrics:
            problems.append("segments or custom_metrics is required")
        if problems:
            raise ValueError("; ".join(problems))
        return self


def parse_segment_file(text: str) -> SegmentFile:
    """
    Parse segments and custom metrics in YAML.

    :param text: YAML with the key ``model``, and ``segments``, ``custom_metrics`` or both.
    :raises aporia_provider.errors.ValidationError: if it is not YAML, or there are problems, all of which are
        listed.
    """
    return SegmentFile(**load_mapping(text, "model, and segments or custom_metrics"))
