"""Segments of a model: parts of its rows, each described by a condition."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import Field, model_validator

from aporia_provider.base_model import MAX_TITLE, Name, PublicModel, Title, is_template
from aporia_provider.errors import ValidationError
from aporia_provider.nearest import nearest
from aporia_provider.query_types import Number, Value
from aporia_provider.segment_conditions import Term, field_named, terms_between, terms_of_values
from aporia_provider.segment_values import label_of

MAX_SEGMENTS: Final = 100
"""Maximum number of segments of a model, including segments of the filters of custom metrics."""
MAX_TERMS: Final = 100
"""Maximum number of terms of a segment."""
MAX_MODEL_TERMS: Final = 500
"""Maximum number of terms of all segments of a model."""
MAX_CONDITION: Final = 4_000
"""Maximum length of a condition in characters."""
FILTER_PREFIX: Final = "filter: "
"""Start of the names of the segments that are made for the filters of custom metrics."""

FILTER_LABEL: Final = "true"
"""Label of the only term of a segment of a filter."""

_KINDS = ("values", "edges", "conditions", "intersection")

_Condition = tuple[Annotated[str, Field(max_length=MAX_CONDITION)], Annotated[str, Field(min_length=1)]]


class Segment(PublicModel):
    """
    A segment of a model: terms, which select parts of the rows.

    It has ``field`` with ``values`` or ``edges``, or ``conditions``, or ``intersection``. Terms may overlap,
    and need not contain all rows.

    :param name: Name, unique among the segments of the model.
    :param field: Name of a field, such as ``age`` or ``features.age``.
    :param values: Values of the field. Each is a term, whose label is the value.
    :param edges: Increasing numbers. Two successive ones are the bounds of a term, whose label is the lower
        one. The lower bound belongs to the term; the upper one does not, except for the last term.
    :param conditions: Pairs of a condition, such as ``age > 70 and plan = 'gold'``, and its label.
    :param intersection: Names of two segments of the model. Each pair of their terms is a term, whose label
        is ``"<label of the first> & <label of the second>"``. Later changes of the two do not matter.
    :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
    """

    template_fields: ClassVar[tuple[str, ...]] = ("name", "field", "values", "conditions", "intersection")

    name: Title
    field: Name | None = None
    values: Annotated[list[Value], Field(min_length=1)] | None = None
    edges: Annotated[list[Number], Field(min_length=2)] | None = None
    conditions: Annotated[list[_Condition], Field(min_length=1)] | None = None
    intersection: tuple[Name, Name] | None = None

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        if problems := list(self._problems()):
            raise ValueError("; ".join(problems))
        return self

    def _problems(self) -> Iterator[str]:
        kinds = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            yield f"exactly one of {', '.join(_KINDS)} is required, not {' and '.join(kinds) or 'none'}"
        elif (kinds[0] in ("values", "edges")) != (self.field is not None):
            advice = "requires field" if self.field is None else "must not be given with field"
            yield f"{kinds[0]} {advice}"
        if self.name.startswith(FILTER_PREFIX):
            yield f"names that start with {FILTER_PREFIX!r} are reserved for the filters of custom metrics"
        if self.edges is not None:
            yield from self._faults_of_edges(self.edges)
        yield from self._faults_of_labels()

    def _faults_of_edges(self, edges: Sequence[float]) -> Iterator[str]:
        if not all(math.isfinite(edge) for edge in edges):
            yield "edges must be finite"
        for lower, upper in itertools.pairwise(edges):
            if not lower < upper:
                yield f"edges must increase, but {label_of(lower)} is followed by {label_of(upper)}"

    def _faults_of_labels(self) -> Iterator[str]:
        labels = self._labels()
        if len(labels) > MAX_TERMS:
            yield f"a segment has at most {MAX_TERMS} terms, not {len(labels)}"
        seen: set[str] = set()
        for label in labels[:MAX_TERMS]:
            if not label.strip():
                yield f"the label {label!r} is empty; a condition on such a value can have another label"
            if label in seen and not is_template(label):
                yield f"there are several terms {label[:MAX_TITLE]!r}"
            seen.add(label)
            if len(label) > MAX_TITLE:
                yield f"the label {label[:40]!r}… is longer than {MAX_TITLE} characters"

    def _labels(self) -> list[str]:
        if self.conditions is not None:
            return [label for _, label in self.conditions]
        if self.edges is not None:
            return [label_of(edge) for edge in self.edges[:-1]]
        return [label_of(value) for value in self.values or ()]

    def to_wire(self) -> dict[str, Any]:
        """Return the body of the request that creates the segment."""
        return self.model_dump(mode="json", exclude_none=True)

    def terms(
        self, types: Mapping[str, str], terms_of: Mapping[str, Sequence[Term]] | None = None
    ) -> list[Term]:
        """
        Return the terms, as labels and conditions.

        :param types: Fields of the model, such as ``features.age``, and their types.
        :param terms_of: Names of the other segments of the model, and their terms.
        :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
        """
        if self.conditions is not None:
            return [(label, condition) for condition, label in self.conditions]
        if self.intersection is not None:
            return self._terms_of_both(self.intersection, terms_of or {})
        assert self.field is not None  # noqa: S101
        name = field_named(self.field, types)
        if self.edges is not None:
            return terms_between(self.edges, name, types[name])
        return terms_of_values(self.values or (), name, types[name])

    def _terms_of_both(self, names: tuple[str, str], terms_of: Mapping[str, Sequence[Term]]) -> list[Term]:
        unknown = [name for name in dict.fromkeys(names) if name not in terms_of]
        if unknown:
            problems = [f"there is no segment {name!r}; {nearest(name, terms_of)}" for name in unknown]
            raise ValidationError(f"Segment {self.name!r} is not valid", problems=problems)
        first, second = (terms_of[name] for name in names)
        count = len(first) * len(second)
        if count > MAX_TERMS:
            raise ValidationError(
                f"Segment {self.name!r} would have {count} terms ({len(first)} times {len(second)}); a "
                f"segment has at most {MAX_TERMS}"
            )
        return [(f"{a} & {b}", f"({left}) and ({right})") for a, left in first for b, right in second]
