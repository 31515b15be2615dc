"""Column types in Spark's JSON form, and their match with field types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from aporia_provider.schema import FieldSchema

Fit = Literal["fits", "doubtful", "differs"]

_INTEGRAL = {"byte", "short", "integer", "long"}
_KINDS = {
    **dict.fromkeys(_INTEGRAL, "integral"),
    "float": "fractional",
    "double": "fractional",
    "decimal": "fractional",
    "string": "string",
    "char": "string",
    "varchar": "string",
    "boolean": "boolean",
    "date": "time",
    "timestamp": "time",
    "timestamp_ntz": "time",
}
_SQL_NAMES = {"long": "bigint", "integer": "int", "short": "smallint", "byte": "tinyint"}
_NUMBERS = ("integral", "fractional")
_SCALARS = (*_NUMBERS, "string", "boolean")

# Field type to the kinds of column that fit it, and the kinds that fit depending on their values.
_KINDS_BY_FIELD_TYPE: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "numeric": (_NUMBERS, ("boolean",)),
    "categorical": (_SCALARS, ()),
    "string": (("string", "integral", "boolean"), ()),
    "boolean": (("boolean",), ("integral",)),
    "datetime": (("time",), ("string",)),
    "text": (("string",), ()),
}
# Kinds of label columns for predictions without performance metrics: a label may be the class alone, where
# the prediction has scores.
_LABEL_KINDS_WITHOUT_METRICS: dict[str, tuple[str, ...]] = {
    "numeric": ("boolean",),
    "boolean": ("integral", "fractional", "string"),
    "dict": ("string", "integral", "boolean"),
    "vector": ("string", "integral"),
    "tensor": ("string", "integral"),
    "array": ("string", "integral"),
    "text": ("integral", "boolean"),
}


def quoted(column: str) -> str:
    """Return the name of a column quoted for Spark SQL."""
    return "`" + column.replace("`", "``") + "`"


def kind(type_: Any) -> str:
    """Return integral, fractional, string, boolean, time, array, map, struct or the name of the type."""
    name = str(type_["type"] if isinstance(type_, dict) else type_)
    return _KINDS.get(name.partition("(")[0], name)


def describe(type_: Any) -> str:
    """Return a type in SQL syntax."""
    if not isinstance(type_, dict):
        return _SQL_NAMES.get(type_, str(type_))
    if type_["type"] == "array":
        return f"array<{describe(type_['elementType'])}>"
    if type_["type"] == "map":
        return f"map<{describe(type_['keyType'])}, {describe(type_['valueType'])}>"
    if type_["type"] == "struct":
        inner = (f"{item['name']}: {describe(item['type'])}" for item in type_["fields"])
        return f"struct<{', '.join(inner)}>"
    return str(type_["type"])


def nesting(type_: Any) -> tuple[int, Any]:
    """Return the number of nested arrays of a type, and the type of their innermost elements."""
    depth = 0
    while isinstance(type_, dict) and type_["type"] == "array":
        depth, type_ = depth + 1, type_["elementType"]
    return depth, type_


def is_numeric(type_: Any) -> bool:
    """Return whether a type is a numeric scalar."""
    return kind(type_) in _NUMBERS


def maps_names_to_numbers(type_: Any) -> bool:
    """Return whether a type is a map of strings to numbers, or a struct of numbers."""
    if kind(type_) == "map":
        return kind(type_["keyType"]) == "string" and is_numeric(type_["valueType"])
    return kind(type_) == "struct" and all(is_numeric(item["type"]) for item in type_["fields"])


@dataclass(frozen=True)
class LabelType:
    """
    Type that the labels of a prediction need for performance metrics.

    :param description: Description in messages, to follow "has to be".
    :param cast: Spark SQL expression that converts a column, with ``{0}`` for its name.
    :param fits: Function that returns whether a column type is suitable.
    """

    description: str
    cast: str
    fits: Callable[[Any], bool]


def label_type(model_type: str | None, field: FieldSchema) -> LabelType | None:
    """
    Return the type of label from which the performance states of a prediction can be computed.

    :param model_type: See :data:`aporia_provider.schema.MODEL_TYPES`; None if the column is not a label.
    :param field: The prediction.
    :return: None if there are no performance metrics for such predictions of this type of model.
    """
    if field.type == "tensor" and len(field.dimensions or ()) != 1:
        return None
    return _LABEL_TYPES.get(model_type or "", {}).get(field.type)


def fit(field: FieldSchema, type_: Any, *, labels_of: str | None = None) -> Fit:
    """
    Return whether a column fits a field.

    :param field: The field.
    :param type_: Type of the column.
    :param labels_of: Type of the model if the column holds the labels of a prediction; None if it holds the
        field.
    :return: ``fits``, ``differs``, or ``doubtful`` if it depends on the values.
    """
    required_type = label_type(labels_of, field)
    if required_type is not None:
        return "fits" if required_type.fits(type_) else "differs"
    if labels_of and kind(type_) in _LABEL_KINDS_WITHOUT_METRICS.get(field.type, ()):
        return "fits"
    return _fit(field, type_)


def _fit(field: FieldSchema, type_: Any) -> Fit:
    if field.type in _KINDS_BY_FIELD_TYPE:
        (fitting, doubtful), column_kind = _KINDS_BY_FIELD_TYPE[field.type], kind(type_)
        return "fits" if column_kind in fitting else "doubtful" if column_kind in doubtful else "differs"
    depth, inner = nesting(type_)
    if field.type == "tensor":
        return _fit_tensor(len(field.dimensions or ()), depth, inner)
    fit_by_field_type = {
        "vector": depth == 1 and is_numeric(inner),
        "dict": maps_names_to_numbers(type_),
        "array": depth == 1 and kind(inner) in (*_SCALARS, "time"),
    }
    return "fits" if fit_by_field_type.get(field.type, False) else "differs"


def _fit_tensor(dimensions: int, depth: int, inner: Any) -> Fit:
    if not is_numeric(inner) or depth == 0:
        return "differs"
    if depth == dimensions:
        return "fits"
    # Many writers store a tensor as one flat array in row-major order.
    return "doubtful" if depth == 1 else "differs"


def _is_class(type_: Any) -> bool:
    return kind(type_) in _SCALARS


def _is_quantity(type_: Any) -> bool:
    return kind(type_) in (*_NUMBERS, "boolean")


def _are_names(type_: Any) -> bool:
    if kind(type_) == "map":
        return _is_class(type_["keyType"]) and _is_class(type_["valueType"])
    if kind(type_) == "struct":
        return bool(type_["fields"]) and all(_is_class(item["type"]) for item in type_["fields"])
    return _are_items(type_)


def _are_items(type_: Any) -> bool:
    depth, inner = nesting(type_)
    return depth == 1 and _is_class(inner)


def _are_relevances(type_: Any) -> bool:
    depth, inner = nesting(type_)
    return depth == 1 and _is_quantity(inner)


_NUMBER = LabelType("a number or a boolean", "cast({0} AS double) AS {0}", _is_quantity)
_CLASS = LabelType("a class (text, a number or a boolean)", "cast({0} AS string) AS {0}", _is_class)
_NAMES = LabelType(
    "an array of the true labels, or a map or struct of label to boolean", "array({0}) AS {0}", _are_names
)
_RELEVANCES = LabelType(
    "an array of numbers or booleans, one for each candidate",
    "cast({0} AS array<double>) AS {0}",
    _are_relevances,
)
_ITEMS = LabelType(
    "an array of relevances (numbers or booleans) or of relevant items",
    "cast({0} AS array<string>) AS {0}",
    _are_items,
)
# Model type to field type of the prediction to type of the labels.
_LABEL_TYPES: Mapping[str, Mapping[str, LabelType]] = {
    "binary": dict.fromkeys(("numeric", "boolean", "categorical", "string"), _CLASS),
    "multiclass": dict.fromkeys(("categorical", "string", "boolean", "numeric", "dict", "vector"), _CLASS),
    "multi-label": dict.fromkeys(("dict", "array"), _NAMES),
    "regression": {"numeric": _NUMBER},
    "ranking": {"array": _ITEMS, "vector": _RELEVANCES, "tensor": _RELEVANCES, "numeric": _NUMBER},
}
