"""Inference of the schema of a version from the columns of its data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aporia_provider.columns.types import describe, holds_numbers_by_name, is_numeric, kind, nesting
from aporia_provider.errors import ValidationError
from aporia_provider.nearest import nearest
from aporia_provider.schema import FieldSchema, VersionSchema

Columns = Sequence[tuple[str, Any]]
Override = FieldSchema | str | Mapping[str, Any] | None

_SCALAR_FIELDS = {
    "boolean": "boolean",
    "integral": "numeric",
    "fractional": "numeric",
    "string": "string",
    "time": "datetime",
}


def infer_fields(columns: Columns | Mapping[str, Any] | Any) -> dict[str, FieldSchema]:
    """
    Return the field type of each column.

    Booleans are ``boolean``, numbers ``numeric``, text ``string``, dates and times ``datetime``, arrays of
    numbers ``vector`` (``tensor`` requires dimensions, which column types do not include), arrays of other
    scalars ``array``, and maps of text to numbers ``dict``.

    :param columns: Pairs or a mapping of names and types (Spark's JSON form), or a pyarrow schema.
    :raises aporia_provider.errors.ValidationError: naming every column whose type matches no field type.
    """
    fields, problems = {}, []
    for name, type_ in _columns(columns):
        found = _field_type(type_)
        if found is None:
            problems.append(_no_field_type(name, type_))
        else:
            fields[name] = FieldSchema(type=found)
    if problems:
        raise ValidationError("Some columns have no field type", problems=problems)
    return fields


def infer_schema(
    columns: Columns | Mapping[str, Any] | Any,
    model_type: str,
    *,
    predictions: Iterable[str] | Mapping[str, Override],
    raw_inputs: Iterable[str] | Mapping[str, Override] | None = None,
    exclude: Iterable[str] = (),
    overrides: Mapping[str, Override] | None = None,
) -> VersionSchema:
    """
    Return the schema of a version for the columns of its data. Columns not named below are features.

    :param columns: Pairs or a mapping of names and types (Spark's JSON form), or a pyarrow schema.
    :param model_type: Type of the model.
    :param predictions: Prediction columns, or a mapping of them to field types.
    :param raw_inputs: Raw input columns, or a mapping of them to field types.
    :param exclude: Columns that are not fields: id, timestamp, labels.
    :param overrides: Column names to field types; None excludes the column.
    :raises aporia_provider.errors.ValidationError: naming every fault.
    """
    found = dict(_columns(columns))
    given = {"predictions": _named(predictions), "raw_inputs": _named(raw_inputs or ())}
    types = {**given["predictions"], **given["raw_inputs"], **dict(overrides or {})}
    types = {name: type_ for name, type_ in types.items() if type_ != _INFER}
    left_out = {*exclude, *(name for name, type_ in types.items() if type_ is None)}
    wanted = {**given, "exclude": dict.fromkeys(exclude), "overrides": dict(overrides or {})}
    problems = [*_unknown(wanted, found), *_twice(given, exclude)]
    fields: dict[str, FieldSchema] = {}
    for name in found:
        if name not in left_out:
            problems += _add(fields, name, found[name], types.get(name, _INFER))
    if problems:
        raise ValidationError("The schema cannot be inferred", problems=problems)
    features = {name: fields[name] for name in fields if not any(name in names for names in given.values())}
    return VersionSchema(
        model_type=model_type,
        features=features,
        predictions={name: fields[name] for name in given["predictions"] if name in fields},
        raw_inputs={name: fields[name] for name in given["raw_inputs"] if name in fields} or None,
    )


_INFER = "infer"


def _named(names: Iterable[str] | Mapping[str, Override]) -> dict[str, Override]:
    return dict(names) if isinstance(names, Mapping) else dict.fromkeys(names, _INFER)


def _add(fields: dict[str, FieldSchema], name: str, type_: Any, override: Override) -> list[str]:
    """Add the field of one column to ``fields``, and return its errors."""
    if override == _INFER:
        override = _field_type(type_)
        if override is None:
            return [_no_field_type(name, type_)]
    try:
        fields[name] = FieldSchema.model_validate(override)
    except ValueError as error:
        return [f"overrides[{name!r}]: {_reason(error)}"]
    return []


def _reason(error: Any) -> str:
    return "; ".join(fault["msg"].removeprefix("Value error, ") for fault in error.errors())


def _unknown(wanted: Mapping[str, Iterable[str]], found: Mapping[str, Any]) -> Iterable[str]:
    for argument, names in wanted.items():
        for name in names:
            if name not in found:
                yield f"{argument} names {name!r}, but there is no such column; {nearest(name, found)}"


def _twice(given: Mapping[str, Iterable[str]], exclude: Iterable[str]) -> Iterable[str]:
    places: dict[str, list[str]] = {}
    for argument, names in {**given, "exclude": dict.fromkeys(exclude)}.items():
        for name in names:
            places.setdefault(name, []).append(argument)
    for name, arguments in places.items():
        if len(arguments) > 1:
            yield f"{name!r} is in {' and in '.join(arguments)}; it can be in one of them"


def _field_type(type_: Any) -> str | None:
    depth, inner = nesting(type_)
    if depth == 1 and is_numeric(inner):
        return "vector"
    if depth == 1 and kind(inner) in _SCALAR_FIELDS:
        return "array"
    if kind(type_) == "map" and holds_numbers_by_name(type_):
        return "dict"
    return _SCALAR_FIELDS.get(kind(type_))


def _no_field_type(name: str, type_: Any) -> str:
    nested = kind(type_) == "struct" and type_["fields"]
    derived = f"{name}.{type_['fields'][0]['name']} AS …" if nested else f"… AS {name}"
    return (
        f"column {name!r} is {describe(type_)}, which no field type fits by itself: leave it out with "
        f"overrides={{{name!r}: None}}, give its field type there, or derive columns with select_expr "
        f'("{derived}")'
    )


def _columns(columns: Any) -> list[tuple[str, Any]]:
    if isinstance(columns, Mapping):
        return list(columns.items())
    if isinstance(columns, Sequence):
        return [(name, type_) for name, type_ in columns]
    from deltalake import Schema

    return [
        (item["name"], item["type"]) for item in json.loads(Schema.from_arrow(columns).to_json())["fields"]
    ]
