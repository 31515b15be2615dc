"""Conditions that are answered by the API."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from aporia_provider.errors import ValidationError
from aporia_provider.metric_results import RangeResults
from aporia_provider.metrics import MetricsQuery

if TYPE_CHECKING:
    from aporia_provider.datasets import Role

Answer = tuple[dict[str, Any] | None, tuple[str, ...]]
"""The result if the condition holds, otherwise None, and why it does not hold."""

_TIMES = ("synced_after", "start", "end")
_COVERAGE, _LABELS = "label_coverage", "actuals_count"


@dataclass(frozen=True, kw_only=True)
class ApiCondition(ABC):
    """
    Condition that one call of the API answers.

    :param model_id: Id of the model.
    :param model_version: Name of the version.
    """

    model_id: str
    model_version: str | None

    @property
    @abstractmethod
    def call(self) -> tuple[str, tuple[Any, ...]]:
        """Name and arguments of the call."""

    @abstractmethod
    def answer(self, result: Any) -> Answer:
        """
        Return whether the condition holds.

        :param result: Result of the call.
        :raises aporia_provider.errors.ValidationError: if it cannot hold.
        """

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in vars(self).items()
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return a condition from its JSON form."""
        values: dict[str, Any] = {
            name: datetime.fromisoformat(item) if name in _TIMES and item else item
            for name, item in value.items()
        }
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class SyncCondition(ApiCondition):
    """
    The dataset is synced.

    :param role: Role of the dataset.
    :param table_version: The synced version of the table is at least this one.
    :param synced_after: A sync has succeeded at this time or later.
    """

    role: Role
    table_version: int | None = None
    synced_after: datetime | None = None

    @property
    def call(self) -> tuple[str, tuple[Any, ...]]:
        """Name and arguments of the call."""
        return "get_dataset_sync_status", (self.model_id, self.model_version, self.role)

    def answer(self, result: Mapping[str, Any]) -> Answer:
        """Return whether the status of the dataset meets the condition."""
        subject = f"{self.role} dataset of version {self.model_version!r} of model {self.model_id!r}"
        unmet = [*self._unmet_version(result), *self._unmet_time(result)]
        if not unmet:
            return _sync_result(self, result), ()
        if not result["enabled"]:
            raise ValidationError(f"The syncs of the {subject} are disabled: {'; '.join(unmet)}")
        if result.get("last_error"):
            unmet.append(f"the last sync failed: {result['last_error']}")
        return None, tuple(unmet)

    def _unmet_version(self, status: Mapping[str, Any]) -> list[str]:
        if self.table_version is None:
            return []
        synced = status.get("table_version")
        if synced is not None and synced >= self.table_version:
            return []
        return [f"version {synced} of the table is synced, not {self.table_version}"]

    def _unmet_time(self, status: Mapping[str, Any]) -> list[str]:
        if self.synced_after is None:
            return []
        last = status.get("last_sync_at")
        if last and status["status"] == "synced" and datetime.fromisoformat(last) >= self.synced_after:
            return []
        return [f"the last sync was {last or 'never'}, not after {self.synced_after.isoformat()}"]


def _sync_result(condition: SyncCondition, status: Mapping[str, Any]) -> dict[str, Any]:
    names = ("table_version", "lag", "last_sync_at", "rows")
    return {
        "model_id": condition.model_id,
        "model_version": condition.model_version,
        "role": condition.role,
        **{name: status.get(name) for name in names},
    }


@dataclass(frozen=True, kw_only=True)
class LabelCondition(ApiCondition):
    """
    Enough predictions have labels.

    :param start: Start of the time range of the predictions.
    :param end: End of the time range, exclusive.
    :param min_coverage: Share of the predictions in the range that have a label.
    :param min_predictions: Number of predictions in the range.
    :param prediction: Name of the prediction; None if only one has labels.
    :param segment: Segment of the predictions: ``id`` and ``value``; None for all.
    """

    start: datetime
    end: datetime
    min_coverage: float
    min_predictions: int = 1
    prediction: str | None = None
    segment: dict[str, str] | None = None

    @property
    def call(self) -> tuple[str, tuple[Any, ...]]:
        """Name and arguments of the call."""
        time_range = {"start": self.start.isoformat(), "end": self.end.isoformat()}
        data = {
            "dataset_type": "serving",
            "model_version": self.model_version,
            "time_range": time_range,
            **({} if self.segment is None else {"segment": self.segment}),
        }
        parameters = {"column": self.prediction} if self.prediction is not None else {}
        metrics = [
            {"id": name, "metric": name, "parameters": parameters, "datasets": {"data": data}}
            for name in (_COVERAGE, _LABELS)
        ]
        return "query_metrics", (MetricsQuery.from_wire({"model_id": self.model_id, "metrics": metrics}),)

    def answer(self, result: list[RangeResults]) -> Answer:
        """Return whether the coverage meets the condition."""
        (only,) = result
        metrics = {metric.id: metric for metric in only.metrics}
        coverage, labels = metrics[_COVERAGE], metrics[_LABELS]
        predictions, share = coverage.samples, coverage.number
        if coverage.error is not None:
            # Labels may be connected or synced later.
            return None, (coverage.error,)
        if predictions < self.min_predictions:
            return None, (f"there are {predictions} predictions of {self.min_predictions}",)
        if share is None or share < self.min_coverage:
            expected = f"not {self.min_coverage:.1%}"
            return None, (f"{share or 0:.1%} of {predictions} predictions have labels, {expected}",)
        return {
            "model_id": self.model_id,
            "model_version": coverage.model_version or self.model_version,
            "coverage": share,
            "predictions": predictions,
            "labels": labels.number,
            **({} if self.segment is None else {"segment": self.segment}),
        }, ()
