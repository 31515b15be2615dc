"""Terms of segments as texts: the conditions of values and of numeric ranges, and their labels."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Final

from aporia_provider.errors import ValidationError
from aporia_provider.nearest import nearest
from aporia_provider.segment_values import label_of

Term = tuple[str, str]
"""Label and condition of a term of a segment."""

NUMBERS: Final = ("numeric",)
"""Types of fields whose values are numbers in conditions."""
TEXTS: Final = ("categorical", "string", "text", "datetime")
"""Types of fields whose values are texts in conditions."""
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = {"and", "or", "not", "is", "in", "null", "none", "true", "false", "nan"}


def field_named(name: str, types: Mapping[str, str]) -> str:
    """
    Return the qualified name of a field.

    :param name: Name with or without its group, such as ``features.age`` or ``age``.
    :param types: Qualified names of the fields, and their types.
    :raises aporia_provider.errors.ValidationError: if there is no such field, or several.
    """
    if name in types:
        return name
    candidates = [qualified for qualified in types if qualified.partition(".")[2] == name]
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        raise ValidationError(
            f"The field {name!r} is one of {', '.join(candidates)}: write its group as well"
        )
    names = [*types, *(qualified.partition(".")[2] for qualified in types)]
    raise ValidationError(f"There is no field {name!r}; {nearest(name, names)}")


def written_field(qualified: str) -> str:
    """Return the qualified name of a field as it is written in a condition."""
    group, _, name = qualified.partition(".")
    if _PLAIN_NAME.fullmatch(name) and name.lower() not in _RESERVED:
        return qualified
    return f"{group}.`{name.replace('`', '``')}`"


def written_text(value: str) -> str:
    """Return text as it is written in a condition."""
    return f"'{value.replace(chr(39), chr(39) * 2)}'"


def terms_between(edges: Sequence[float], name: str, type_: str) -> list[Term]:
    """
    Return a term for each two successive numbers.

    :param edges: Increasing numbers.
    :param name: Qualified name of the field.
    :param type_: Its type.
    :raises aporia_provider.errors.ValidationError: if the values of the field are not numbers.
    """
    if type_ not in NUMBERS:
        raise ValidationError(f"edges require a numeric field, and {name} is {type_}")
    field, last = written_field(name), len(edges) - 2
    return [
        (
            label_of(lower),
            f"{field} >= {label_of(lower)} and {field} {'<=' if i == last else '<'} {label_of(upper)}",
        )
        for i, (lower, upper) in enumerate(itertools.pairwise(edges))
    ]


def terms_of_values(values: Sequence[str | float], name: str, type_: str) -> list[Term]:
    """
    Return a term for each value.

    :param values: Texts, booleans or numbers.
    :param name: Qualified name of the field.
    :param type_: Its type.
    :raises aporia_provider.errors.ValidationError: if values do not fit the type; all are listed.
    """
    literals = [_literal(value, type_) for value in values]
    problems = [
        f"{value!r} is not a value of {name}, which is {type_}"
        for value, literal in zip(values, literals, strict=True)
        if literal is None
    ]
    if problems:
        raise ValidationError("Values do not fit their field", problems=problems)
    field = written_field(name)
    return [
        (label_of(value), f"{field} = {literal}") for value, literal in zip(values, literals, strict=True)
    ]


def _literal(value: str | float, type_: str) -> str | None:
    """Return a value as it is written in a condition on a field of a type, or None if it does not fit."""
    if type_ in TEXTS:
        return written_text(label_of(value))
    if type_ == "boolean":
        text = label_of(value).lower()
        return text if text in ("true", "false") else None
    if type_ in NUMBERS and not isinstance(value, str | bool):
        return label_of(value)
    return None
