"""Schema inference from data frames, following the rules of the platform's SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aporia_provider.errors import ValidationError
from aporia_provider.sdk.unsupported import unsupported_call

if TYPE_CHECKING:
    import pyarrow

_MOST_NAMES = 50
_MOST_SHARE = 0.25

pandas_to_dict = unsupported_call("pandas_to_dict", "serving")


def infer_schema_from_dataframe(data: Any) -> dict[str, dict[str, Any]]:
    """
    Return the field types of a data frame's columns, for ``create_model_version``.

    Booleans are ``boolean``, numbers are ``numeric``, and dates and times are ``datetime``. Text is ``text``
    if the number of distinct values exceeds both 50 and a quarter of the rows, and ``string`` otherwise.
    Pandas categories are ``categorical`` if they are numbers and ``string`` otherwise. Dicts are ``dict``.
    Lists and arrays are ``tensor`` with the length of the first value.

    :param data: A :class:`pandas.DataFrame`.
    :return: ``{"type": …}`` by column name, for tensors with their ``dimensions``.
    :raises aporia_provider.errors.ValidationError: if columns have no field type; all are listed.
    """
    import pyarrow

    fields, problems = {}, []
    for name in data.columns:
        column = pyarrow.array(data[name], from_pandas=True)
        field = _field(column)
        if field is None:
            problems.append(f"{name}: {column.type} is not a field type; convert the column, or leave it out")
        else:
            fields[str(name)] = field
    if problems:
        raise ValidationError("The schema cannot be inferred", problems=problems)
    return fields


def _field(column: pyarrow.Array) -> dict[str, Any] | None:
    from pyarrow import types

    tests = {
        "boolean": types.is_boolean,
        "numeric": _is_number,
        "datetime": _is_time,
        "dict": types.is_struct,
    }
    for name, fits in tests.items():
        if fits(column.type):
            return {"type": name}
    if types.is_dictionary(column.type):
        return {"type": "categorical" if _is_number(column.type.value_type) else "string"}
    if _is_text(column.type):
        return {"type": "text" if _is_free_text(column) else "string"}
    return _tensor(column)


def _is_number(type_: pyarrow.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_integer(type_) or types.is_floating(type_) or types.is_decimal(type_))


def _is_time(type_: pyarrow.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_timestamp(type_) or types.is_date(type_))


def _is_text(type_: pyarrow.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_string(type_) or types.is_large_string(type_))


def _is_free_text(column: pyarrow.Array) -> bool:
    different = len(column.drop_null().unique())
    return different > max(_MOST_NAMES, _MOST_SHARE * len(column))


def _tensor(column: pyarrow.Array) -> dict[str, Any] | None:
    from pyarrow import types

    if not (types.is_list(column.type) and _is_number(column.type.value_type)):
        return None
    lengths = column.value_lengths().drop_null()
    return {"type": "tensor", "dimensions": [lengths[0].as_py()]} if len(lengths) else None
