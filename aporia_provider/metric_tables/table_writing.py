"""Replacing the rows of a model version and of a range of windows in a Delta table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from aporia_provider.errors import TransientError, ValidationError

if TYPE_CHECKING:
    import pyarrow as pa

ATTEMPTS = 5
"""Number of attempts to commit while others write to the same table."""

_UTC_TIME = 'Timestamp(Microsecond, Some("UTC"))'


def replaced_rows(key: Mapping[str, str], granularity: str, start: datetime, end: datetime, kind: str) -> str:
    """
    Return the condition, in SQL, of the rows that a write replaces.

    :param key: Values of text columns that all these rows have.
    :param granularity: The granularity.
    :param start: Start of the first window.
    :param end: End of the last window.
    :param kind: Name of the column that marks rows without a window: ``log_type``, of which
        ``BASELINE`` has none; empty if all rows have windows.
    """
    from sqlglot import exp

    subject = exp.and_(*(_equals(name, value) for name, value in key.items()))
    window = exp.and_(
        _equals("granularity", granularity),
        exp.GTE(this=_start(), expression=_time(start)),
        exp.LT(this=_start(), expression=_time(end)),
    )
    chosen = exp.or_(window, _equals(kind, "BASELINE")) if kind else window
    return exp.and_(subject, chosen).sql(dialect="postgres")


def replace_rows(
    uri: str, rows: Sequence[Mapping[str, Any]], schema: pa.Schema, condition: str, options: dict[str, str]
) -> int:
    """
    Replace rows of a table in one commit; create the table if it does not exist.

    :param uri: The table.
    :param rows: The new rows.
    :param schema: Columns of the table.
    :param condition: Condition of the rows that are replaced, which all new rows meet.
    :param options: Options of delta-rs.
    :return: Version of the table.
    :raises aporia_provider.errors.ValidationError: if the existing table has other columns.
    :raises aporia_provider.errors.TransientError: if others have written to the table in each attempt.
    """
    import pyarrow as pa
    from deltalake import DeltaTable, write_deltalake
    from deltalake.exceptions import CommitFailedError, TableNotFoundError

    names = schema.names
    data = pa.Table.from_pylist([{name: row.get(name) for name in names} for row in rows], schema=schema)
    for _ in range(ATTEMPTS):
        try:
            table: DeltaTable | None = DeltaTable(uri, storage_options=options)
        except TableNotFoundError:
            table = None
        if table is not None:
            _check_columns(uri, pa.schema(table.schema().to_arrow()), schema)
        try:
            write_deltalake(
                table or uri,
                data,
                mode="overwrite",
                predicate=condition,
                storage_options=None if table else options,
            )
        except CommitFailedError:
            continue
        return DeltaTable(uri, storage_options=options).version()
    raise TransientError(f"{uri} could not be written: others wrote to it in {ATTEMPTS} attempts")


def _check_columns(uri: str, existing: pa.Schema, expected: pa.Schema) -> None:
    types = {each.name: each.type for each in existing}
    problems = [
        f"{each.name}: {types.get(each.name, 'missing')}, not {each.type}"
        for each in expected
        if types.get(each.name) != each.type
    ]
    if problems:
        raise ValidationError(
            f"The table {uri} exists with other columns; choose another location", problems=problems
        )


def _equals(name: str, value: str) -> Any:
    from sqlglot import exp

    return exp.EQ(this=exp.column(name, quoted=True), expression=exp.Literal.string(value))


def _start() -> Any:
    from sqlglot import exp

    return exp.Bracket(this=exp.column("window", quoted=True), expressions=[exp.Literal.string("start")])


def _time(moment: datetime) -> Any:
    from sqlglot import exp

    values = [exp.Literal.string(moment.isoformat()), exp.Literal.string(_UTC_TIME)]
    return exp.Anonymous(this="arrow_cast", expressions=values)
