"""Dates, times and texts of times as microseconds since 1970, UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def as_microseconds(array: pa.Array) -> pa.Array:
    """Convert dates and times of any unit to integers. A time without a time zone is in UTC."""
    return as_utc(array).cast(pa.int64())


def as_utc(array: pa.Array) -> pa.Array:
    """Convert dates and times to times in microseconds. A time without a time zone is in UTC."""
    zone: Any = getattr(array.type, "tz", None)
    if getattr(array.type, "unit", None) == "ns":
        # A cast would round towards 1970, not towards the past.
        array = pc.floor_temporal(array, unit="microsecond")
    return array.cast(pa.timestamp("us", zone), safe=False).cast(pa.int64()).cast(pa.timestamp("us", "UTC"))


def times_of_texts(array: pa.Array) -> pa.Array:
    """Convert texts in ISO 8601 to microseconds, as doubles; NaN for a text that is not a time."""
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
