"""Conversion of test rows to Arrow tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aporia_provider.errors import ValidationError

if TYPE_CHECKING:
    import pyarrow as pa

_FORMS = "a list of dicts, a dict of columns, a pandas data frame or a pyarrow table"


def as_arrow(rows: Any) -> Any:
    """
    Return rows as an Arrow table. Objects with an Arrow interface are returned unchanged.

    :param rows: See :meth:`aporia_provider.testing.tables.TableWriter.__call__`.
    :raises aporia_provider.errors.ValidationError: if the type of the rows is not supported, or if columns
        have values of several types; all are listed.
    """
    import pyarrow as pa

    if isinstance(rows, list | tuple):
        rows = _columns(rows)
    if isinstance(rows, Mapping):
        return _table(rows)
    if type(rows).__module__.partition(".")[0] == "pandas":
        try:
            return pa.table(rows)
        except pa.ArrowException as error:
            raise ValidationError("rows cannot be written", problems=[*map(str, error.args)]) from None
    if not hasattr(rows, "__arrow_c_stream__") and not hasattr(rows, "__arrow_c_array__"):
        raise ValidationError(f"rows is of type {_type(rows)}; give {_FORMS}")
    return rows


def _columns(rows: Sequence[Any]) -> dict[str, list[Any]]:
    """Return the columns of rows in the order of their first appearance. Missing keys become None."""
    if not rows:
        raise ValidationError(
            "rows is empty, so that the table would have no columns; give at least one row, or a pyarrow "
            "table with a schema"
        )
    for index, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise ValidationError(f"rows[{index}] is of type {_type(row)} instead of dict; give {_FORMS}")
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _table(columns: Mapping[str, Any]) -> pa.Table:
    import pyarrow as pa

    converted, problems = {}, []
    for name, values in columns.items():
        try:
            converted[name] = pa.table({name: values}).column(name)
        except (pa.ArrowException, TypeError) as error:
            problems.append(f"column {name!r}: {_several_types(values) or error}")
    if not columns:
        problems.append("there are no columns")
    lengths = {name: len(values) for name, values in converted.items()}
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{name!r} has {length}" for name, length in lengths.items())
        problems.append(f"the columns differ in the number of their values: {counts}")
    if problems:
        raise ValidationError("rows cannot be written", problems=problems)
    return pa.table(converted)


def _several_types(values: Any) -> str | None:
    if not isinstance(values, list | tuple):
        return None
    names = sorted({_type(value) for value in values if value is not None})
    return f"its values are of the types {', '.join(names)}; give all the same" if len(names) > 1 else None


def _type(value: object) -> str:
    return type(value).__name__
