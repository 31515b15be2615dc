"""Checks of the terms of segments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from aporia_provider.base_model import MAX_FAULTS
from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.segments import ConditionError, checked_condition
from aporia_provider.segment_conditions import Term
from aporia_provider.segment_values import MAX_LABEL
from aporia_provider.segments import MAX_CONDITION, MAX_MODEL_TERMS, MAX_SEGMENTS, MAX_TERMS


def as_terms(stored: Sequence[Sequence[str]]) -> list[Term]:
    """Return the terms of the row of a segment."""
    return [(label, condition) for label, condition in stored]


def checked_terms(name: str, terms: Sequence[Term], fields: Mapping[str, str]) -> list[Term]:
    """
    Return terms with the canonical texts of their conditions.

    :param name: Name of the segment.
    :param terms: Its terms.
    :param fields: Fields of the model and their types.
    :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
    """
    checked, problems = list[Term](), list(_label_faults([label for label, _ in terms]))
    for label, condition in terms:
        try:
            checked.append((label, canonical_condition(condition, fields)))
        except ValidationError as error:
            problems += [f"{label}: {problem}" for problem in error.problems]
    if problems:
        raise ValidationError(f"Segment {name!r} is not valid", problems=problems[:MAX_FAULTS])
    return checked


def _label_faults(labels: Sequence[str]) -> Iterator[str]:
    """Yield the faults of labels that only intersections have, and texts that look like templates."""
    for label in dict.fromkeys(each for each in labels if labels.count(each) > 1):
        yield f"there are several terms {label[:MAX_LABEL]!r}"
    for label in labels:
        if len(label) > MAX_LABEL:
            yield f"the label {label[:40]!r}… is longer than {MAX_LABEL} characters"


def canonical_condition(text: str, fields: Mapping[str, str]) -> str:
    """
    Return the canonical text of a condition.

    :param text: The condition.
    :param fields: Fields of the model and their types.
    :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
    """
    if len(text) > MAX_CONDITION:
        problems = [f"the condition has {len(text)} characters, and may have {MAX_CONDITION}"]
        raise ValidationError("The condition is not valid", problems=problems)
    try:
        return checked_condition(text, fields).text
    except ConditionError as error:
        raise ValidationError("The condition is not valid", problems=error.faults) from None


def check_number_of_terms(
    model_id: str, existing: Sequence[Sequence[object]], new: Sequence[Sequence[Term]]
) -> None:
    """
    Raise an error if the segments of a model would be too many.

    :param existing: Terms of each segment that the model has.
    :param new: Terms of each segment that is created.
    :raises aporia_provider.errors.ValidationError: with all limits that would be exceeded, and the numbers.
    """
    problems = exceeded_limits(existing, new)
    if problems:
        raise ValidationError(f"Model {model_id!r} would have too many segments", problems=problems)


def exceeded_limits(existing: Sequence[Sequence[object]], new: Sequence[Sequence[Term]]) -> list[str]:
    """
    Return the limits that segments of a model would exceed, with the numbers.

    :param existing: Terms of each segment that the model has.
    :param new: Terms of each segment that is created.
    """
    return list(_exceeded(existing, new))


def _exceeded(existing: Sequence[Sequence[object]], new: Sequence[Sequence[Term]]) -> Iterator[str]:
    if not new:
        return
    segments = len(existing) + len(new)
    if segments > MAX_SEGMENTS:
        yield f"it would have {segments} segments, and can have {MAX_SEGMENTS}"
    for terms in new:
        if len(terms) > MAX_TERMS:
            yield f"a segment would have {len(terms)} terms, and can have {MAX_TERMS}"
    before, added = sum(map(len, existing)), sum(map(len, new))
    if before + added > MAX_MODEL_TERMS:
        yield (
            f"it has {before} terms, and would have {before + added} with the {added} that are given; it can "
            f"have {MAX_MODEL_TERMS}"
        )
