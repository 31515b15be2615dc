"""Segments of a model, and the plans of their states in the datasets of a version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from aporia_provider.backend.registration.profile_plans import TermColumn
from aporia_provider.backend.store.segment_keys import term_prefix
from aporia_provider.backend.store.segment_tables import SegmentRow
from aporia_provider.datasets import DatasetConnection
from aporia_provider.monitoring.profiles.plan import SegmentTermPlan
from aporia_provider.monitoring.segments.conditions import (
    Condition,
    condition_faults,
    parse_condition,
    resolve,
)
from aporia_provider.schema import CATEGORIES, VersionSchema


@dataclass(frozen=True)
class VersionSegment:
    """
    A segment of a model.

    :param key: Key of its row.
    :param name: Its name.
    :param terms: Labels and conditions of its terms.
    """

    key: int
    name: str
    terms: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, row: SegmentRow) -> VersionSegment:
        """Return the segment of a row."""
        return cls(row.key, row.name, tuple((label, condition) for label, condition in row.terms))

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """Return the conditions of the terms."""
        return tuple(parse_condition(condition) for _, condition in self.terms)

    def faults(self, fields: Mapping[str, str]) -> list[str]:
        """
        Return why the segment cannot be computed from a dataset; nothing if it can.

        :param fields: Types of the fields of the dataset by their keys, such as ``features.age``.
        """
        names = {name for key in fields for name in (key, key.partition(".")[2])}
        faults: dict[str, None] = {}
        for condition in self.conditions:
            missing = [name for name in condition.fields if name not in names]
            found = [f"the dataset has no field {name!r}" for name in missing]
            faults |= dict.fromkeys(found or condition_faults(condition, fields))
        return list(faults)


def dataset_fields(dataset: DatasetConnection, schema: VersionSchema) -> dict[str, str]:
    """
    Return the types of the fields of a dataset that conditions may name, by their keys.

    :param dataset: The dataset.
    :param schema: Schema of its version.
    """
    return {
        f"{category}.{name}": schema.fields(category)[name].type
        for category, name, _ in dataset.columns(schema)
        if category in CATEGORIES
    }


def computable(
    segments: Iterable[VersionSegment], dataset: DatasetConnection, schema: VersionSchema
) -> tuple[VersionSegment, ...]:
    """Return the segments whose conditions name only fields that a dataset has."""
    fields = dataset_fields(dataset, schema)
    return tuple(each for each in segments if not each.faults(fields))


def term_plans(
    segments: Iterable[VersionSegment], columns: Mapping[str, TermColumn]
) -> tuple[SegmentTermPlan, ...]:
    """
    Return the plans of the terms of segments.

    :param segments: Segments that can be computed.
    :param columns: Columns of the batches by the key of their field.
    """
    types = {key: column.type for key, column in columns.items()}
    return tuple(
        SegmentTermPlan(
            term_prefix(segment.key, place),
            condition.text,
            tuple(
                (written, columns[key].name, columns[key].type)
                for written, key in resolve(condition, types).items()
            ),
        )
        for segment in segments
        for place, condition in enumerate(segment.conditions)
    )
