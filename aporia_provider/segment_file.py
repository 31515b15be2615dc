"""Segments and custom metrics as YAML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from pydantic import Field, model_validator

from aporia_provider.base_model import Name, PublicModel
from aporia_provider.custom_metrics import CustomMetric
from aporia_provider.errors import ValidationError
from aporia_provider.segments import Segment
from aporia_provider.yaml_files import load_mapping, repeated


class SegmentFile(PublicModel):
    """
    Segments and custom metrics of a model.

    :param model: Id of the model.
    :param segments: The segments. An intersection is after the segments that it names.
    :param custom_metrics: The custom metrics.
    :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
    """

    model: Name
    segments: list[Segment] = Field(default_factory=list)
    custom_metrics: list[CustomMetric] = Field(default_factory=list)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        problems = [
            f"there are several {kind} {name!r}"
            for kind, names in (
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
    :raises aporia_provider.errors.ValidationError: if it is not YAML, or there are problems; all are listed.
    """
    return SegmentFile(**load_mapping(text, _KEYS))


_KEYS = "model, and segments or custom_metrics"


@dataclass(frozen=True)
class FileParts:
    """
    The parts of a file that are valid in themselves, although the file is not.

    :param model: Id of the model.
    :param segments: The valid segments.
    :param custom_metrics: The valid custom metrics.
    :param names: Names of all segments.
    :param conditions: Name of the segment, label and text of the conditions of segments that are not valid.
    """

    model: str
    segments: tuple[Segment, ...]
    custom_metrics: tuple[CustomMetric, ...]
    names: frozenset[str]
    conditions: tuple[tuple[str, str, str], ...]


def parts_of_file(text: str) -> FileParts | None:
    """
    Return the valid parts of a file that :func:`parse_segment_file` refuses; None if it has no model.

    :param text: YAML.
    """
    try:
        body = load_mapping(text, _KEYS)
    except ValidationError:
        return None
    model = body.get("model")
    if not isinstance(model, str) or not model.strip():
        return None
    segments = _mappings(body.get("segments"))
    valid = dict(_valid(Segment, segments))
    return FileParts(
        model,
        tuple(valid.values()),
        tuple(metric for _, metric in _valid(CustomMetric, _mappings(body.get("custom_metrics")))),
        frozenset(str(segment.get("name")) for segment in segments),
        tuple(_conditions(each for index, each in enumerate(segments) if index not in valid)),
    )


P = TypeVar("P", bound=PublicModel)


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _valid(kind: type[P], values: Iterable[Mapping[str, Any]]) -> Iterator[tuple[int, P]]:
    for index, value in enumerate(values):
        try:
            yield index, kind(**value)
        except (ValidationError, TypeError):
            # The fault is one of the file; keys that are not texts raise TypeError.
            continue


def _conditions(segments: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    for segment in segments:
        pairs = segment.get("conditions")
        for pair in pairs if isinstance(pairs, list) else ():
            if isinstance(pair, list) and pair and isinstance(pair[0], str):
                yield str(segment.get("name")), str(pair[1] if len(pair) > 1 else pair[0]), pair[0]
