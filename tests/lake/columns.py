"""Columns of random values whose bounds in a log are not values, by the writers of such logs."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from hypothesis import strategies as st
from pyarrow import parquet

from tests.lake import logs

_WIDE = Context(prec=80)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SPARK = {
    pa.float32(): "float",
    pa.float64(): "double",
    pa.int64(): "long",
    pa.string(): "string",
    pa.timestamp("us", "UTC"): "timestamp",
    pa.timestamp("us"): "timestamp_ntz",
    pa.date32(): "date",
    pa.bool_(): "boolean",
}
WRITERS = ("json", "checkpoint", "parsed", "spark", "saturated")
"""deltalake without a checkpoint and with either kind, and logs as Spark and a less exact writer do."""
_STRUCT = {"delta.checkpoint.writeStatsAsStruct": "true", "delta.checkpoint.writeStatsAsJson": "false"}


def _decimals(type_: pa.Decimal128Type) -> st.SearchStrategy[Decimal]:
    most = 10**type_.precision - 1
    near = st.builds(
        lambda base, step: min(most, base + step), st.sampled_from([most // 3, most - 9]), st.integers(0, 9)
    )
    return st.builds(
        lambda number, sign: Decimal(sign * number).scaleb(-type_.scale, context=_WIDE),
        st.integers(0, most) | near | st.integers(0, 99),
        st.sampled_from([1, -1]),
    )


_FLOATS = st.sampled_from([0.0, -0.0, 0.1, math.inf, -math.inf, math.nan, 0.9138306327822837, 1e22, 5e-324])
_TEXTS = st.text('ab\0é€\U0001f600\uffff\U0010ffff"\\', max_size=4)
_LONG = st.builds(
    lambda head, length, tail: head * length + tail,
    st.sampled_from(["a", "é", "\U0001f600"]),
    st.integers(30, 80),
    _TEXTS,
)
_MICROS = st.integers(-(10**15), 4 * 10**15)
_TIMES = st.builds(lambda base, step: base + step, _MICROS | st.just(0), st.integers(-3, 1500))


def _values(type_: pa.DataType) -> st.SearchStrategy[Any]:
    if pa.types.is_decimal(type_):
        return _decimals(type_)
    if pa.types.is_timestamp(type_):
        return _TIMES.map(lambda micros: _time(micros, type_))
    return {
        pa.float32(): st.floats(width=32) | _FLOATS.map(lambda value: pa.scalar(value, pa.float32()).as_py()),
        pa.float64(): st.floats() | _FLOATS,
        pa.int64(): st.integers(-(2**63), 2**63 - 1) | st.sampled_from([2**63 - 1, -(2**63), 2**53 + 1]),
        pa.string(): _TEXTS | _LONG,
        pa.date32(): st.dates(),
        pa.bool_(): st.booleans(),
    }[type_]


def _time(micros: int, type_: pa.DataType) -> datetime:
    moment = _EPOCH + timedelta(microseconds=micros)
    return moment if type_.tz else moment.replace(tzinfo=None)


TYPES: Sequence[pa.DataType] = (
    *(
        pa.decimal128(*size)
        for size in ((9, 2), (15, 2), (16, 4), (18, 0), (18, 18), (38, 0), (38, 18), (38, 38))
    ),
    *_SPARK,
)


@st.composite
def columns(draw: st.DrawFn) -> tuple[pa.DataType, list[list[Any]]]:
    """A type, and values of some files; those of a file are often close together."""
    type_ = draw(st.sampled_from(TYPES))
    some = st.lists(st.none() | _values(type_), min_size=1, max_size=3)
    alone = _values(type_).map(lambda value: [value])
    twice = _values(type_).map(lambda value: [value, value])
    return type_, draw(st.lists(some | alone | alone | twice, min_size=1, max_size=3))


def write(folder: Path, writer: str, files: Sequence[pa.Table]) -> None:
    """Write a table of files, whose last column is the one of the values."""
    if writer in ("spark", "saturated"):
        _by_hand(folder, files, saturated=writer == "saturated")
        return
    for place, rows in enumerate(files):
        told = {"configuration": _STRUCT} if writer == "parsed" and not place else {}
        write_deltalake(folder, rows, mode="append", **told)  # type: ignore[arg-type]
    if writer != "json":
        DeltaTable(folder).create_checkpoint()
        for commit in (folder / "_delta_log").glob("*.json"):
            commit.unlink()


def _by_hand(folder: Path, files: Sequence[pa.Table], *, saturated: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    fields = [logs.field(field.name, _type_of(field.type)) for field in files[0].schema]
    features = ["timestampNtz"] if any(field["type"] == "timestamp_ntz" for field in fields) else []
    logs.commit(folder, 0, [logs.protocol(*features), *logs.metadata(fields)])
    for place, rows in enumerate(files, 1):
        path = folder / f"part-{place}.parquet"
        parquet.write_table(rows, path)
        add = logs.add(path.name, None, size=path.stat().st_size)
        # Digits beyond those of a double are written as they are.
        add["add"]["stats"] = _stats(rows, saturated)
        logs.commit(folder, place, [add])


def _type_of(type_: pa.DataType) -> str:
    return f"decimal({type_.precision},{type_.scale})" if pa.types.is_decimal(type_) else _SPARK[type_]


def _stats(rows: pa.Table, saturated: bool) -> str:
    told: dict[str, dict[str, str]] = {"minValues": {}, "maxValues": {}, "nullCount": {}}
    for name in rows.column_names:
        type_ = rows.schema.field(name).type
        values = [value for value in rows[name].to_pylist() if value is not None]
        told["nullCount"][name] = str(len(rows) - len(values))
        known = [value for value in values if value == value]
        if known and type_ != pa.bool_():
            told["minValues"][name] = _written(min(known), type_, 0, saturated)
            told["maxValues"][name] = _written(max(known), type_, 1, saturated)
    parts = ", ".join(f"{json.dumps(kind)}: {_object(values)}" for kind, values in told.items())
    return f'{{"numRecords": {len(rows)}, {parts}}}'


def _object(values: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{json.dumps(name)}: {text}" for name, text in values.items()) + "}"


def _written(value: Any, type_: pa.DataType, upper: int, saturated: bool) -> str:
    if isinstance(value, Decimal):
        return _saturated(value) if saturated else f"{value:f}"
    if isinstance(value, str):
        return json.dumps(_cut(value, upper), ensure_ascii=False)
    if isinstance(value, datetime):
        zone = "Z" if type_.tz else ""
        return json.dumps(
            f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03}{zone}".rjust(23 + len(zone), "0")
        )
    if isinstance(value, float):
        return "null" if math.isinf(value) else repr(value)
    return json.dumps(value, default=str)


def _cut(text: str, upper: int) -> str:
    """As Spark cuts: by 32 characters, and what comes after all that begin so."""
    return text if len(text) <= 32 else text[:32] + chr(sys.maxunicode) * upper


def _saturated(value: Decimal) -> str:
    whole = value == value.to_integral_value(context=_WIDE)
    return str(max(-(2**63), min(2**63 - 1, int(value)))) if whole else repr(float(value))
