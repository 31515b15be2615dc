"""Conversion of dates, timestamps and text to microseconds since 1970, UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def as_microseconds(array: pa.Array) -> pa.Array:
    """Return dates or timestamps of any unit as integers. Timestamps without a time zone are UTC."""
    return as_utc(array).cast(pa.int64())


def as_utc(array: pa.Array) -> pa.Array:
    """Return dates or timestamps as timestamps in microseconds. Timestamps without a time zone are UTC."""
    zone: Any = getattr(array.type, "tz", None)
    if getattr(array.type, "unit", None) == "ns":
        # A cast would truncate towards 1970 instead of rounding down.
        array = pc.floor_temporal(array, unit="microsecond")
    return array.cast(pa.timestamp("us", zone), safe=False).cast(pa.int64()).cast(pa.timestamp("us", "UTC"))


def times_of_texts(array: pa.Array) -> pa.Array:
    """Convert ISO 8601 text to microseconds as doubles; NaN for invalid text."""
    texts = array.dictionary_encode()
    times = [float("nan") if text is None else _time_of(text) for text in texts.dictionary.to_pylist()]
    return pa.array(times, pa.float64()).take(texts.indices)


def _time_of(text: str) -> float:
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        return float("nan")
    since = (time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH
    return float((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)
