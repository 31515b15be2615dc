"""Parts that the contents of several views have: numbers, their origin, and what is missing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from aporia_provider.metric_results import MetricResult, QueryResult


@dataclass(frozen=True)
class Missing:
    """
    Something that a view cannot show.

    :param what: What is missing.
    :param advice: What to do about it.
    """

    what: str
    advice: str


@dataclass(frozen=True)
class DataOrigin:
    """
    Where numbers come from.

    :param model_version: Name of the version.
    :param dataset_type: Role of the dataset.
    :param table_version: Version of the Delta table that was synced; None if it is not a Delta table or was
        never synced.
    :param synced_at: Time of the last successful sync; None if there was none.
    """

    model_version: str
    dataset_type: str
    table_version: int | None = None
    synced_at: datetime | None = None


@dataclass(frozen=True)
class Measured:
    """
    Result of a metric as it is shown.

    :param value: The number; None if there is none.
    :param low: Lower bound of its interval; None if there is none.
    :param high: Upper bound of its interval.
    :param samples: Number of values from which it was computed.
    :param reliable: Whether the number is suitable for decisions.
    :param note: Why there is no reliable number, or notes on it.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    samples: int = 0
    reliable: bool = False
    note: str | None = None

    @classmethod
    def of(cls, result: MetricResult) -> Measured:
        """Return a result of a metric that is a number; the number is omitted if it is not."""
        error = result.error if isinstance(result, QueryResult) else None
        return cls(
            _float(result.number),
            _float(result.low),
            _float(result.high),
            result.samples,
            result.status == "ok" and error is None,
            error or result.reason,
        )


def _float(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Bounds of an interval may be infinite.
    return float(value) if math.isfinite(value) else None
