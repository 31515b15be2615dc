"""Segments of a model, and the plans of their states in the datasets of a version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from aporia_provider.backend.registration.profile_plans import TermColumn
from aporia_provider.backend.store.segment_keys import term_prefix
from aporia_provider.backend.store.segment_tables import SegmentRow
from aporia_provider.datasets import DatasetConnection
from aporia_provider.monitoring.custom_metrics.call_sums import RowNumber
from aporia_provider.monitoring.profiles.plan import (
    RowCondition,
    RowNumberPlan,
    SegmentTermPlan,
    SumsPlan,
)
from aporia_provider.monitoring.segments.conditions import (
    Condition,
    condition_faults,
    parse_condition,
    resolve,
)
from aporia_provider.schema import CATEGORIES, VersionSchema

SUMS_KEY: Final = "sums"
"""Key of the numbers in the registration of the segment of the covariances of sums."""


@dataclass(frozen=True)
class VersionSegment:
    """
    A segment of a model.

    :param key: Key of its row.
    :param name: Its name.
    :param terms: Labels and conditions of its terms. An empty condition stands for all rows.
    :param numbers: Numbers of the rows, whose sums and products are computed instead of the states of fields;
        empty for other segments.
    """

    key: int
    name: str
    terms: tuple[tuple[str, str], ...]
    numbers: tuple[RowNumber, ...] = ()

    @classmethod
    def of(cls, row: SegmentRow) -> VersionSegment:
        """Return the segment of a row."""
        numbers = tuple(RowNumber(*number) for number in row.registration.get(SUMS_KEY, ()))
        return cls(row.key, row.name, tuple((label, condition) for label, condition in row.terms), numbers)

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """Return the conditions of the terms that have one, and the conditions of the numbers."""
        texts = [*(condition for _, condition in self.terms), *(number.filter for number in self.numbers)]
        return tuple(parse_condition(text) for text in texts if text)

    def faults(self, fields: Mapping[str, str]) -> list[str]:
        """
        Return why the segment cannot be computed from a dataset; nothing if it can.

        :param fields: Types of the fields of the dataset by their keys, such as ``features.age``.
        """
        names = {name for key in fields for name in (key, key.partition(".")[2])}
        used = dict.fromkeys(number.field for number in self.numbers if number.field)
        faults = dict.fromkeys(f"the dataset has no field {key!r}" for key in used if key not in fields)
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
        if not segment.numbers
        for place, condition in enumerate(segment.conditions)
    )


def sums_plans(segments: Iterable[VersionSegment], columns: Mapping[str, TermColumn]) -> tuple[SumsPlan, ...]:
    """
    Return the plans of the covariances of sums.

    :param segments: Segments that can be computed; segments of filters and fields are left out.
    :param columns: Columns of the batches by the key of their field.
    """
    return tuple(
        SumsPlan(
            term_prefix(segment.key, place),
            _rows(condition, columns),
            tuple(_number(number, columns) for number in segment.numbers),
        )
        for segment in segments
        if segment.numbers
        for place, (_, condition) in enumerate(segment.terms)
    )


def _number(number: RowNumber, columns: Mapping[str, TermColumn]) -> RowNumberPlan:
    rows = _rows(number.filter, columns)
    return RowNumberPlan(number.kind, *(columns[number.field] if number.field else ("", "")), rows)


def _rows(condition: str, columns: Mapping[str, TermColumn]) -> RowCondition:
    if not condition:
        return RowCondition()
    parsed, types = parse_condition(condition), {key: column.type for key, column in columns.items()}
    names = resolve(parsed, types)
    return RowCondition(
        parsed.text, tuple((written, columns[key].name, columns[key].type) for written, key in names.items())
    )
