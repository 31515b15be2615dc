"""Checks of conditions against the fields of a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa

from aporia_provider.monitoring.arrow.times import times_of_texts
from aporia_provider.monitoring.segments.condition_nodes import (
    Comparison,
    Condition,
    ConditionError,
    Constant,
    FieldName,
    IsNull,
    Membership,
    ParsedParts,
    Predicate,
)
from aporia_provider.nearest import nearest

KINDS: Mapping[str, str] = {
    "numeric": "number",
    "categorical": "text",
    "string": "text",
    "text": "text",
    "boolean": "truth value",
    "datetime": "time",
}
"""
What the values of a field are compared as, by field type. Fields of other types are only compared with null.
"""

_MOST_HINTS = 20
_LABELS, _ACTUALS = "labels.", "actuals."


def condition_faults(condition: Condition | ParsedParts, fields: Mapping[str, str]) -> list[str]:
    """
    Return the problems of a condition for a model.

    :param condition: The condition, or the parts of one whose syntax has problems.
    :param fields: Types of the fields by key, such as ``features.age``.
    """
    names, faults = _resolved(condition, fields)
    types = {name: fields[key] for name, key in names.items()}
    for predicate in condition.predicates():
        faults += _type_faults(predicate, types)
    return faults


def resolve(condition: Condition, fields: Iterable[str]) -> dict[str, str]:
    """
    Return the keys of the fields of a condition by their name in the condition.

    :param condition: The condition.
    :param fields: Keys of the fields, such as ``features.age``.
    :raises ConditionError: if there is no such field, or several.
    """
    names, faults = _resolved(condition, fields)
    if faults:
        raise ConditionError(faults)
    return names


def constant_micros(text: str) -> float:
    """Return the microseconds since 1970, UTC, of a time in ISO 8601 form; NaN if it is invalid."""
    return float(times_of_texts(pa.array([text]))[0].as_py())


def _resolved(condition: Condition | ParsedParts, fields: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    keys = list(fields)
    names: dict[str, str] = {}
    faults: list[str] = []
    for field in condition.field_names():
        candidates = _candidates(field.name, keys)
        if len(candidates) == 1:
            names[field.name] = candidates[0]
        elif not candidates:
            # Finding similar names takes time.
            similar = _similar_names(field.name, keys) if len(faults) < _MOST_HINTS else []
            hint = f"; {nearest(field.name, similar)}" if similar else ""
            faults.append(f"{_place(field)} is not a field of the model{hint}")
        else:
            faults.append(f"{_place(field)} is the name of several fields: write {' or '.join(candidates)}")
    return names, faults


def _candidates(name: str, keys: list[str]) -> list[str]:
    """Return the keys that a name may refer to. Labels have the names of predictions, which are preferred."""
    if name in keys:
        return [name]
    label = name.replace(_ACTUALS, _LABELS, 1) if name.startswith(_ACTUALS) else ""
    if label in keys:
        return [label]
    candidates = [key for key in keys if key.partition(".")[2] == name]
    return [key for key in candidates if not key.startswith(_LABELS)] or candidates


def _similar_names(name: str, keys: list[str]) -> list[str]:
    categories = {key.partition(".")[0] for key in keys}
    if name.partition(".")[0] in {*categories, "actuals"} and "." in name:
        return keys
    return list(dict.fromkeys(key.partition(".")[2] for key in keys))


def _place(field: FieldName) -> str:
    return f"the field {field} at character {field.position}"


def _type_faults(predicate: Predicate, types: Mapping[str, str]) -> Iterator[str]:
    field = predicate.left
    if field.name not in types or isinstance(predicate, IsNull):
        return
    kind = KINDS.get(types[field.name])
    if kind is None:
        yield f"{_place(field)} is of type {types[field.name]}, which is only compared with null"
    elif isinstance(predicate, Membership):
        for constant in predicate.constants:
            yield from _constant_faults(field, types[field.name], constant)
    elif isinstance(predicate, Comparison):
        yield from _comparison_faults(predicate, types)
    elif kind != "truth value":
        yield f"{_place(field)} is {types[field.name]}, not boolean: compare it with a constant"


def _comparison_faults(comparison: Comparison, types: Mapping[str, str]) -> Iterator[str]:
    field, right, type_ = comparison.left, comparison.right, types[comparison.left.name]
    if isinstance(right, Constant):
        yield from _constant_faults(field, type_, right)
    elif right.name in types and KINDS.get(types[right.name]) != KINDS[type_]:
        yield f"{_place(field)} is {type_} and {right} is {types[right.name]}: they cannot be compared"
    if type_ == "boolean" and comparison.operator not in ("=", "!="):
        yield f"{_place(field)} is boolean, which has no order: use = or !="


def _constant_faults(field: FieldName, type_: str, constant: Constant) -> Iterator[str]:
    kind, value = KINDS[type_], constant.value
    if kind == "text" and not isinstance(value, str):
        quoted = Constant(str(constant))
        yield f"{_place(field)} is {type_}: quote the constant, as in {field} = {quoted}"
    elif kind == "number" and isinstance(value, (str, bool)):
        yield f"{_place(field)} is numeric: compare it with a number without quotes, not with {constant}"
    elif kind == "truth value" and not isinstance(value, bool):
        yield f"{_place(field)} is boolean: compare it with true or false, not with {constant}"
    elif kind == "time" and not (isinstance(value, str) and not np.isnan(constant_micros(value))):
        yield (
            f"{_place(field)} is a time: compare it with a time in ISO 8601 form in quotes, such as "
            f"'2024-01-31T12:00:00', not with {constant}"
        )
