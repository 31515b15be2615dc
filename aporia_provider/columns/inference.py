"""Inference of the schema of a version from the columns of its data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aporia_provider.columns.types import describe, is_numeric, kind, maps_names_to_numbers, nesting
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
    :raises aporia_provider.errors.ValidationError: if the types of columns match no field type.
    """
    fields, problems = {}, []
    for name, type_ in _columns(columns):
        field_type = _field_type(type_)
        if field_type is None:
            problems.append(_no_field_type_message(name, type_))
        else:
            fields[name] = FieldSchema(type=field_type)
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
    :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
    """
    types_by_column = dict(_columns(columns))
    overrides_by_role = {
        "predictions": _as_overrides(predictions),
        "raw_inputs": _as_overrides(raw_inputs or ()),
    }
    selected_types = {
        **overrides_by_role["predictions"],
        **overrides_by_role["raw_inputs"],
        **dict(overrides or {}),
    }
    selected_types = {name: type_ for name, type_ in selected_types.items() if type_ != _INFER}
    excluded = {*exclude, *(name for name, type_ in selected_types.items() if type_ is None)}
    names_by_argument = {
        **overrides_by_role,
        "exclude": dict.fromkeys(exclude),
        "overrides": dict(overrides or {}),
    }
    problems = [
        *_unknown_columns(names_by_argument, types_by_column),
        *_repeated_columns(overrides_by_role, exclude),
    ]
    fields: dict[str, FieldSchema] = {}
    for name in types_by_column:
        if name not in excluded:
            problems += _add_field(fields, name, types_by_column[name], selected_types.get(name, _INFER))
    if problems:
        raise ValidationError("The schema cannot be inferred", problems=problems)
    features = {
        name: fields[name]
        for name in fields
        if not any(name in names for names in overrides_by_role.values())
    }
    return VersionSchema(
        model_type=model_type,
        features=features,
        predictions={name: fields[name] for name in overrides_by_role["predictions"] if name in fields},
        raw_inputs={name: fields[name] for name in overrides_by_role["raw_inputs"] if name in fields} or None,
    )


_INFER = "infer"


def _as_overrides(names: Iterable[str] | Mapping[str, Override]) -> dict[str, Override]:
    return dict(names) if isinstance(names, Mapping) else dict.fromkeys(names, _INFER)


def _add_field(fields: dict[str, FieldSchema], name: str, type_: Any, override: Override) -> list[str]:
    """Add the field of one column to ``fields``, and return its errors."""
    if override == _INFER:
        override = _field_type(type_)
        if override is None:
            return [_no_field_type_message(name, type_)]
    try:
        fields[name] = FieldSchema.model_validate(override)
    except ValueError as error:
        return [f"overrides[{name!r}]: {_error_text(error)}"]
    return []


def _error_text(error: Any) -> str:
    return "; ".join(fault["msg"].removeprefix("Value error, ") for fault in error.errors())


def _unknown_columns(
    names_by_argument: Mapping[str, Iterable[str]], columns: Mapping[str, Any]
) -> Iterable[str]:
    for argument, names in names_by_argument.items():
        for name in names:
            if name not in columns:
                yield f"{argument} names {name!r}, but there is no such column; {nearest(name, columns)}"


def _repeated_columns(names_by_role: Mapping[str, Iterable[str]], exclude: Iterable[str]) -> Iterable[str]:
    arguments_by_name: dict[str, list[str]] = {}
    for argument, names in {**names_by_role, "exclude": dict.fromkeys(exclude)}.items():
        for name in names:
            arguments_by_name.setdefault(name, []).append(argument)
    for name, arguments in arguments_by_name.items():
        if len(arguments) > 1:
            yield f"{name!r} is in {' and in '.join(arguments)}; it can be in one of them"


def _field_type(type_: Any) -> str | None:
    depth, inner = nesting(type_)
    if depth == 1 and is_numeric(inner):
        return "vector"
    if depth == 1 and kind(inner) in _SCALAR_FIELDS:
        return "array"
    if kind(type_) == "map" and maps_names_to_numbers(type_):
        return "dict"
    return _SCALAR_FIELDS.get(kind(type_))


def _no_field_type_message(name: str, type_: Any) -> str:
    nested = kind(type_) == "struct" and type_["fields"]
    derived = f"{name}.{type_['fields'][0]['name']} AS …" if nested else f"… AS {name}"
    return (
        f"column {name!r} is {describe(type_)}, which matches no field type: exclude it with "
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
