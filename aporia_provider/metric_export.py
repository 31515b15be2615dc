"""Results of metrics as rows of a table, in CSV and in Parquet."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from aporia_provider.csv_texts import without_formula
from aporia_provider.metrics import MetricsQuery

if TYPE_CHECKING:
    import pyarrow as pa

    from aporia_provider.metric_results import QueryResult, RangeResults
    from aporia_provider.segment_values import SegmentValue

_TEXTS = (
    *("model_id", "model_version", "metric", "column", "dataset_type", "segment", "segment_value"),
    *("start", "end", "status"),
)
_NUMBERS = ("value", "low", "high", "bound", "noise", "excess", "p_value", "shown")
_COUNTS = ("samples", "baseline_samples", "left_out")
COLUMNS = (*_TEXTS, *_NUMBERS, *_COUNTS, "value_json", "reason", "error")
"""
Columns of a row. ``value`` and ``shown`` are numbers; a value of another type, such as a histogram, is JSON
in ``value_json``, in which numbers that are not finite are null. ``segment`` has the name or the id by which
the query names a segment, and ``segment_value`` its value; both are null for all rows. ``start`` and ``end``
are null if the query has no time range.
"""
_NO_FORMULAS = frozenset((*_NUMBERS, *_COUNTS))


def metric_rows(query: MetricsQuery, results: Iterable[RangeResults]) -> Iterator[dict[str, Any]]:
    """
    Yield a row for each metric and time range.

    :param query: The query.
    :param results: Its results.
    :return: Dicts with the keys ``COLUMNS``; ``start`` and ``end`` are in ISO format.
    """
    metrics = {metric.id: metric for metric in query.metrics}
    for item in results:
        span = item.time_range
        for result in item.metrics:
            metric = metrics[result.id]
            yield {
                "model_id": query.model_id,
                "metric": metric.metric,
                "column": metric.parameters.column,
                "dataset_type": metric.datasets.data.dataset_type,
                **_segment(metric.datasets.data.segment),
                "start": span.start if span is not None else None,
                "end": span.end if span is not None else None,
                **_values(result),
            }


def _segment(value: SegmentValue | None) -> dict[str, str | None]:
    return {
        "segment": None if value is None else value.id,
        "segment_value": None if value is None else value.value,
    }


def _values(result: QueryResult) -> dict[str, Any]:
    numbers = {name: _number(getattr(result, name)) for name in _NUMBERS}
    value = result.number
    is_number = value is None or _number(value) is not None
    return {
        **numbers,
        **{name: getattr(result, name) for name in (*_COUNTS, "model_version", "status", "reason", "error")},
        "value_json": None if is_number else to_json(value),
    }


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def to_json(value: Any, indent: int | None = None) -> str:
    """Return a value as JSON; NaN and infinite numbers, which JSON does not have, are null."""
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list | tuple) else value


def to_csv(rows: Iterable[dict[str, Any]]) -> str:
    """
    Return rows as CSV with a header. Nulls are empty.

    Texts that spreadsheets would take for formulas, such as a name that begins with ``=``, are preceded by an
    apostrophe.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(name, value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _cell(name: str, value: Any) -> Any:
    return value if name in _NO_FORMULAS else without_formula(value)


def to_table(rows: Iterable[dict[str, Any]]) -> pa.Table:
    """Return rows as an Arrow table; ``start`` and ``end`` are timestamps in UTC."""
    import pyarrow as pa

    table = pa.Table.from_pylist(list(rows), schema=_schema())
    moment = pa.timestamp("us", "UTC")
    for name in ("start", "end"):
        index = table.schema.get_field_index(name)
        table = table.set_column(index, name, table[name].cast(moment))
    return table


def _schema() -> pa.Schema:
    import pyarrow as pa

    types = dict.fromkeys(COLUMNS, pa.string())
    types |= dict.fromkeys(_NUMBERS, pa.float64()) | dict.fromkeys(_COUNTS, pa.int64())
    return pa.schema(list(types.items()))


def to_parquet(rows: Iterable[dict[str, Any]]) -> bytes:
    """Return rows as a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(to_table(rows), sink)
    return bytes(sink.getvalue())
