"""Column types in Spark's JSON form, and which of them fit which field type."""

from __future__ import annotations

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
_SHORT = {"long": "bigint", "integer": "int", "short": "smallint", "byte": "tinyint"}
_NUMBERS = ("integral", "fractional")
_SCALARS = (*_NUMBERS, "string", "boolean")

# Field type to the kinds of column that fit it, and those that can be read as it with some good will.
_FITTING: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "numeric": (_NUMBERS, ("boolean",)),
    "categorical": (_SCALARS, ()),
    "string": (("string", "integral", "boolean"), ()),
    "boolean": (("boolean",), ("integral",)),
    "datetime": (("time",), ("string",)),
    "text": (("string",), ()),
}
# A label may be the class alone where the prediction says more.
_LABELS: dict[str, tuple[str, ...]] = {
    "numeric": ("boolean",),
    "boolean": ("integral", "fractional", "string"),
    "dict": ("string", "integral", "boolean"),
    "vector": ("string", "integral"),
    "tensor": ("string", "integral"),
    "array": ("string", "integral"),
    "text": ("integral", "boolean"),
}


def quoted(column: str) -> str:
    """A column's name as Spark SQL writes it."""
    return "`" + column.replace("`", "``") + "`"


def kind(type_: Any) -> str:
    """Kind of a type: integral, fractional, string, boolean, time, array, map, struct, or its own name."""
    name = str(type_["type"] if isinstance(type_, dict) else type_)
    return _KINDS.get(name.partition("(")[0], name)


def describe(type_: Any) -> str:
    """A type as people write it in SQL."""
    if not isinstance(type_, dict):
        return _SHORT.get(type_, str(type_))
    if type_["type"] == "array":
        return f"array<{describe(type_['elementType'])}>"
    if type_["type"] == "map":
        return f"map<{describe(type_['keyType'])}, {describe(type_['valueType'])}>"
    if type_["type"] == "struct":
        inner = (f"{item['name']}: {describe(item['type'])}" for item in type_["fields"])
        return f"struct<{', '.join(inner)}>"
    return str(type_["type"])


def nesting(type_: Any) -> tuple[int, Any]:
    """How many arrays are around what they hold, and what that is."""
    depth = 0
    while isinstance(type_, dict) and type_["type"] == "array":
        depth, type_ = depth + 1, type_["elementType"]
    return depth, type_


def is_numeric(type_: Any) -> bool:
    """Whether a type holds one number."""
    return kind(type_) in _NUMBERS


def holds_numbers_by_name(type_: Any) -> bool:
    """Whether a type is a map of text to numbers, or a struct of numbers."""
    if kind(type_) == "map":
        return kind(type_["keyType"]) == "string" and is_numeric(type_["valueType"])
    return kind(type_) == "struct" and all(is_numeric(item["type"]) for item in type_["fields"])


def fit(field: FieldSchema, type_: Any, *, label: bool = False) -> Fit:
    """
    Whether a column can bring a field.

    :param field: The field.
    :param type_: Type of the column.
    :param label: Whether the column holds the true value of a prediction, not the prediction.
    :return: ``fits``, ``differs``, or ``doubtful`` if it depends on the values.
    """
    found = kind(type_)
    if label and found in _LABELS.get(field.type, ()):
        return "fits"
    if field.type in _FITTING:
        good, bearable = _FITTING[field.type]
        return "fits" if found in good else "doubtful" if found in bearable else "differs"
    depth, inner = nesting(type_)
    if field.type == "tensor":
        return _fit_tensor(len(field.dimensions or ()), depth, inner)
    fits = {
        "vector": depth == 1 and is_numeric(inner),
        "dict": holds_numbers_by_name(type_),
        "array": depth == 1 and kind(inner) in (*_SCALARS, "time"),
    }
    return "fits" if fits.get(field.type, False) else "differs"


def _fit_tensor(dimensions: int, depth: int, inner: Any) -> Fit:
    if not is_numeric(inner) or depth == 0:
        return "differs"
    if depth == dimensions:
        return "fits"
    # Many writers store a tensor as one flat array, row by row.
    return "doubtful" if depth == 1 else "differs"
