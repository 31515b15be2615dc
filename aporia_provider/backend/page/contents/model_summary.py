"""Performance and label coverage of the latest version of a model, which take longer than the overview."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.metrics.model_states import ModelStates
from aporia_provider.backend.page.contents.daily_results import DailyMetric, DayPoint, daily_results
from aporia_provider.backend.page.contents.main_metrics import shown_metric
from aporia_provider.backend.page.contents.page_days import PageDays
from aporia_provider.backend.registration.latest_version import latest_version
from aporia_provider.backend.registry import Registry
from aporia_provider.backend.store.bucket_ranges import NO_BUCKET, NO_BUCKETS, serving_ranges
from aporia_provider.backend.store.lookups import find_model
from aporia_provider.backend.store.sync_tables import SyncRow
from aporia_provider.backend.store.tables import DatasetRow, ModelRow, VersionRow, utc_now

DAYS = 30
_COVERAGE = "label_coverage"


@dataclass(frozen=True)
class ModelSummary:
    """
    Performance of the latest version of a model.

    :param metric: Name of the metric; None if the model has none.
    :param realised: The metric by day, from the labels.
    :param expected: The metric that is expected without labels by day; empty if there is none.
    :param coverage: Share of the predictions with a label by day.
    """

    metric: str | None = None
    realised: tuple[DayPoint, ...] = ()
    expected: tuple[DayPoint, ...] = ()
    coverage: tuple[DayPoint, ...] = ()

    @property
    def last_realised(self) -> DayPoint | None:
        """The last day with a number from labels."""
        return _last(self.realised)

    @property
    def last_expected(self) -> DayPoint | None:
        """The last day with an expected number."""
        return _last(self.expected)

    @property
    def last_coverage(self) -> DayPoint | None:
        """The last day with predictions."""
        return _last(self.coverage)


class SummaryCache:
    """
    Summaries by model, which are valid until a sync changes the states of the version.

    :param size: Maximum number of summaries; those that were not used for the longest time are dropped.
    """

    def __init__(self, size: int = 5_000) -> None:
        self._size, self._lock = size, threading.Lock()
        self._kept: OrderedDict[tuple[str, str], tuple[str, ModelSummary]] = OrderedDict()

    def get(self, environment: str, model_id: str, mark: str) -> ModelSummary | None:
        """Return the summary of a model; None if there is none for this state of its syncs."""
        with self._lock:
            entry = self._kept.get((environment, model_id))
            if entry is None or entry[0] != mark:
                return None
            self._kept.move_to_end((environment, model_id))
            return entry[1]

    def put(self, environment: str, model_id: str, mark: str, summary: ModelSummary) -> None:
        """Keep the summary of a model."""
        with self._lock:
            self._kept[environment, model_id] = mark, summary
            self._kept.move_to_end((environment, model_id))
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)


def sync_marks(session: Session, version_keys: Sequence[int]) -> dict[int, str]:
    """
    Return a text for each version that changes when a sync changes its states.

    :param session: A session with a read transaction.
    :param version_keys: Keys of the versions.
    """
    row = SyncRow
    query = (
        select(DatasetRow.version_key, row.dataset_key, row.part, row.fingerprint, row.position)
        .join(DatasetRow, row.dataset_key == DatasetRow.key)
        .where(DatasetRow.version_key.in_(version_keys))
        .order_by(row.dataset_key, row.part)
    )
    marks: dict[int, list[object]] = {key: [] for key in version_keys}
    for version_key, *state in session.execute(query):
        marks[version_key].append(state)
    return {key: json.dumps([key, *states]) for key, states in marks.items()}


def model_summary(
    registry: Registry, model_id: str, cache: SummaryCache, now: datetime | None = None
) -> ModelSummary:
    """
    Return the summary of a model.

    :param registry: The registry.
    :param model_id: Id of the model.
    :param cache: Summaries that were computed before.
    :param now: The current time; None for the time of the clock.
    :raises aporia_provider.errors.NotFoundError: if there is no such model or it has no version.
    """
    second = int((now or utc_now()).timestamp())
    with registry.database.read_transaction() as session:
        model = find_model(session, registry.environment, model_id)
        version = latest_version(session, model)
        mark = sync_marks(session, [version.key])[version.key]
        summary = cache.get(registry.environment, model_id, mark)
        if summary is None:
            summary = _computed(session, registry.environment, model, version, second)
            cache.put(registry.environment, model_id, mark, summary)
        return summary


def _computed(
    session: Session, environment: str, model: ModelRow, version: VersionRow, second: int
) -> ModelSummary:
    last = serving_ranges(session, model.key, second).get(version.key, NO_BUCKETS)[0]
    states = ModelStates(session, environment, model.id)
    shown = shown_metric(states.version(version.name).schema)
    if last == NO_BUCKET or shown is None:
        return ModelSummary()
    expected = [DailyMetric(version.name, shown.expected, shown.parameters)] if shown.expected else []
    realised = DailyMetric(version.name, shown.name, shown.parameters)
    coverage = DailyMetric(version.name, _COVERAGE, {"column": shown.parameters["column"]})
    daily_metrics = [realised, coverage, *expected]
    results = daily_results(states, model.id, daily_metrics, PageDays.until(last, DAYS))
    return ModelSummary(shown.name, results[0], results[2] if expected else (), results[1])


def _last(points: Sequence[DayPoint]) -> DayPoint | None:
    return next((point for point in reversed(points) if point.measured.value is not None), None)
